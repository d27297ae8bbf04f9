"""Messages with some of their envelopes: who needs which, and what becomes of a group that keeps no others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from stage import parties, upkeep
from stage.parties import Messages, Party

from frost_hsm.ceremony.history import bundle, transcript
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Round2
from frost_hsm.ceremony.messages.message import Envelopes
from frost_hsm.ceremony.sealing.context import Kind
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.ceremony.sharing import recovery
from frost_hsm.errors import NotKnown, NotYet, StepConflict

KEY = parties.KEY


@pytest.fixture
def trio(tmp_path: Path) -> list[Party]:
    return parties.gather(tmp_path / "people")


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have three people do what more than twenty do."""
    monkeypatch.setattr(transcript, "MOST_KEPT_WHOLE", 2)


def until_round2(people: list[Party]) -> tuple[Messages, Messages]:
    first = parties.round1(people, parties.propose(people))
    return first, parties.round2(people, first)


def part(sender: Party, name: str) -> bytes:
    """What somebody sends one participant alone."""
    return next(data for to, data in sender.ceremony().transcript.parts(Round2) if to == name)


def parts_for(party: Party, people: list[Party]) -> list[bytes]:
    """What each of the others sends them."""
    return [part(other, party.name) for other in people if other is not party]


def generate_by_parts(people: list[Party]) -> None:
    first, _ = until_round2(people)
    finished = {
        party.name: party.ceremony().finish(party.holder, parties.inbox(first.values(), parts_for(party, people)))
        for party in people
    }
    parties.confirm(people, {name: each.message for name, each in finished.items()})


def enclosed(party: Party) -> dict[str, int]:
    """How many envelopes of each sender somebody keeps."""
    return {name: len(said.enclosed) for name, said in party.ceremony().transcript.known(Round2).items()}


def test_a_key_of_parts(trio: list[Party]) -> None:
    """Whoever gets what is for them alone makes the same key; it is as much as they keep."""
    generate_by_parts(trio)
    assert len({party.key().state.digest for party in trio}) == 1
    assert len(parties.sign(trio[:2], b"message")) == 65
    assert enclosed(trio[0]) == {"alice": 3, "bob": 2, "carol": 2}


@pytest.mark.usefixtures("large")
def test_a_large_group_keeps_no_envelopes_of_others(trio: list[Party]) -> None:
    """Even where all get one file for all: what each keeps grows with the group, not with its square."""
    parties.generate(trio)
    for party in trio:
        assert enclosed(party) == {other.name: 3 if other is party else 2 for other in trio}
    upkeep.refresh(trio)
    assert len(parties.sign(trio[:2], b"message")) == 65


def test_a_part_for_somebody_else_is_as_if_nothing_had_come(trio: list[Party]) -> None:
    """Nobody is to blame, nothing has changed, and the right one leads on; what two files hold is put together."""
    _, bob, carol = trio
    first, second = until_round2(trio)
    before = bob.files()
    came = [*first.values(), second["alice"], part(carol, "alice")]
    with pytest.raises(NotYet, match="the round-2 message of carol came without the envelope for you") as caught:
        bob.ceremony().finish(bob.holder, parties.inbox(came))
    assert caught.value.culprits == ()
    assert f"{KEY}.carol.round2.pem" in str(caught.value.hint)
    assert bob.files() == before
    bob.ceremony().finish(bob.holder, parties.inbox(came, part(carol, "bob")))
    assert enclosed(bob) == {"alice": 3, "bob": 3, "carol": 3}


def test_a_part_says_the_same_as_the_file_that_it_was_cut_from(trio: list[Party]) -> None:
    """What is signed is the same, and so is what all confirm."""
    first, second = until_round2(trio)
    carol = trio[2]
    for_bob = part(carol, "bob")
    assert signed.parse(for_bob).content_digest == signed.parse(second["carol"]).content_digest
    parties.confirm(
        trio,
        {
            **parties.finish(trio[1:2], first, {**second, "carol": for_bob}),
            **parties.finish([trio[0], carol], first, second),
        },
    )


@pytest.mark.usefixtures("large")
def test_who_lost_all_is_given_it_again_by_each(trio: list[Party]) -> None:
    """Everybody's transcript holds all envelopes that they sent: together they make the share again."""
    alice, bob, carol = trio
    generate_by_parts(trio)
    with carol.holder() as holder:
        SealedRecords(holder, carol.home).destroy(carol.key().record_name(Kind.SIGNING_SHARE))
    carol.home.remove("keys")
    known = {party.name: party.public for party in (alice, bob)}
    for other in (alice, bob):
        bundle.read(carol.home, bundle.write(other.home, other.key(), with_rounds=True), carol.public, known)
        if other is alice:
            with pytest.raises(NotYet, match="the round-2 message of bob is missing") as caught:
                recovery.recover(carol.home, KEY, carol.public, carol.holder)
            assert "what each of them writes" in str(caught.value.hint)
    assert not recovery.recover(carol.home, KEY, carol.public, carol.holder).was_there
    assert len(parties.sign(trio[1:], b"message")) == 65


def test_of_less_than_all_that_one_sent_no_part_is_cut(trio: list[Party]) -> None:
    """One's own message may have come back from others, who have but what was for them."""
    alice = trio[0]
    first, _ = until_round2(trio)
    for_bob = part(alice, "bob")
    alice.home.remove(f"{alice.folder()}/round2/alice.pem")
    assert alice.ceremony().round2(alice.holder, parties.inbox(first.values(), for_bob)) == for_bob
    assert part(alice, "bob") == for_bob
    with pytest.raises(NotKnown, match="your envelope for carol is not here"):
        part(alice, "carol")


def test_of_two_who_take_in_different_things_at_once_one_is_refused(trio: list[Party]) -> None:
    """Another process kept Carol's one round 2 while this one read her other: nothing is put together of both."""
    bob, carol = trio[1:]
    parties.generate(trio)
    ceremony = bob.ceremony()
    [one] = [said for name, said in ceremony.transcript.known(Round2).items() if name == "carol"]
    message = replace(one.message, envelopes=Envelopes.of([*one.message.envelopes][::-1]))
    with carol.holder() as holder:
        other = signed.read(signed.write(message, holder), ceremony.roster)
    with pytest.raises(StepConflict):
        ceremony.transcript.keep({"carol": other})
    assert ceremony.transcript.known(Round2)["carol"] == one
