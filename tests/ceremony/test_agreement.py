"""The confirmations of all in one file: enough for somebody who was not there, and nothing less is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from ceremony.people import openssl
from stage import parties, upkeep
from stage.parties import Party

from frost_hsm.ceremony.history import agreement, bundle, dossier
from frost_hsm.ceremony.history.agreement import Agreement
from frost_hsm.ceremony.history.evidence import judge
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Confirmation
from frost_hsm.ceremony.messages.using import Response
from frost_hsm.errors import ForeignMessage, FrostHsmError, InvalidSignatureShare, MalformedMessage, NotYet
from frost_hsm.forms import pem

PROPOSAL, ALICE, BOB, CAROL = range(4)


def written(party: Party) -> bytes:
    return agreement.write(party.key())


def verified(data: bytes) -> Agreement:
    return agreement.verify(dossier.read(data))


def rearranged(data: bytes, order: Sequence[int], package: bytes | None = None) -> bytes:
    """The same file with other messages, by their places."""
    messages, packages = dossier.blocks(data)
    return dossier.armour([messages[place] for place in order], packages if package is None else [package])


def test_all_confirm_the_same(trio: list[Party]) -> None:
    key = trio[0].key()
    for party in trio:
        shown = verified(written(party))
        assert shown.package == key.public_key_package
        assert shown.state == key.state
        assert shown.confirmation.check_code == party.ceremony().compare(parties.inbox()).check_code
    assert judge(written(trio[0])).sentence == "this shows nothing against anybody"


def test_a_key_that_is_not_active_shows_nothing(tmp_path: Path) -> None:
    people = parties.gather(tmp_path)
    first = parties.round1(people, parties.propose(people))
    parties.finish(people, first, parties.round2(people, first))
    with pytest.raises(NotYet):
        written(people[0])


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ((PROPOSAL, ALICE, BOB), "not everybody's confirmation of treasury"),
        ((PROPOSAL,), "not everybody's confirmation"),
        ((PROPOSAL, ALICE, BOB, BOB), "not everybody's confirmation"),
    ],
)
def test_what_is_missing_or_there_twice(trio: list[Party], order: Sequence[int], why: str) -> None:
    with pytest.raises(MalformedMessage, match=why):
        verified(rearranged(written(trio[0]), order))


def test_what_belongs_elsewhere(trio: list[Party]) -> None:
    parties.generate(trio, name="other")
    data, other = (agreement.write(trio[0].key(name)) for name in ("treasury", "other"))
    (messages, packages), (foreign, [package]) = dossier.blocks(data), dossier.blocks(other)
    with pytest.raises(ForeignMessage):
        verified(dossier.armour([*messages[:3], foreign[3]], packages))
    with pytest.raises(MalformedMessage, match="that was confirmed is not in it"):
        verified(rearranged(data, range(4), package))
    with pytest.raises(MalformedMessage, match="that was confirmed is not in it"):
        verified(dossier.armour(messages, []))


def test_it_is_read_in_any_order(trio: list[Party]) -> None:
    """Only the proposal has to come first: what each message is about says where it belongs."""
    upkeep.refresh(trio)
    data = written(trio[0])
    count = len(dossier.blocks(data)[0])
    assert verified(rearranged(data, [0, *range(count - 1, 0, -1)])) == verified(data)


def test_confirmations_that_differ_are_evidence_instead(trio: list[Party]) -> None:
    """Everybody's may be good, and about something else."""
    messages, packages = dossier.blocks(written(trio[0]))
    with trio[2].holder() as holder:
        said = signed.write(Confirmation(trio[0].key().ceremony, (bytes(32),) * 2, bytes(32)), holder)
    data = dossier.armour([*messages[:3], signed.parse(said).der], packages)
    with pytest.raises(MalformedMessage, match="not everybody's confirmation"):
        verified(data)
    assert "carol confirms another transcript than alice" in judge(data).sentence


def test_the_chain_of_a_refreshed_and_repaired_key(trio: list[Party], tmp_path: Path) -> None:
    """Every epoch follows from the one before it, each confirmed by those who took part then."""
    alice, bob, carol = trio
    upkeep.refresh(trio)
    [new] = parties.gather(tmp_path / "new", ["carol"])
    for party in (alice, bob):
        new.home.put(f"peers/{party.name}.pem", party.public.to_pem())
        party.home.replace("peers/carol.pem", new.public.to_pem())
    upkeep.repair(new, 3, [alice, bob], [alice, bob])
    upkeep.refresh([alice, bob, new])
    data = written(alice)
    shown = verified(data)
    assert shown.state.epoch == 2
    assert shown.state.roster.at(3) == new.public
    assert shown.package == alice.key().public_key_package
    assert carol.public in dossier.read(data).plan.roster
    count = len(dossier.blocks(data)[0])
    for place in range(1, count):
        order = [each for each in range(count) if each != place]
        with pytest.raises(FrostHsmError):
            verified(rearranged(data, order))


def test_openssl_sees_it_step_by_step(trio: list[Party], tmp_path: Path) -> None:
    """Each message verifies with its sender's certificates, and all confirmations have the same contents."""
    blocks = [pem.encode("CMS", each) for each in dossier.blocks(written(trio[0]))[0]]
    contents = []
    for party, block in zip(trio, blocks[1:], strict=True):
        ran = openssl(
            tmp_path,
            *("cms", "-verify", "-binary", "-inform", "PEM", "-in", "message.pem"),
            *("-certfile", "identity.pem", "-CAfile", "identity.pem"),
            message=block,
            identity=party.public.to_pem(),
        )
        assert ran.returncode == 0, ran.stderr
        contents.append(ran.stdout)
    assert len(set(contents)) == 1


def test_the_chain_of_a_key_whose_second_token_took_over(tmp_path: Path) -> None:
    """The first identity named it; all others confirm."""
    people = alice, bob = parties.gather(tmp_path / "first", ("alice", "bob"))
    [second] = parties.gather(tmp_path / "second", ("alice",))
    upkeep.name_second(alice, second, [bob])
    parties.generate(people)
    known = {"bob": bob.public}
    bundle.read(second.home, bundle.write(bob.home, bob.key(), with_rounds=True), second.public, known)
    upkeep.take_over(second, [bob])
    assert verified(written(bob)).state.roster.at(1) == second.public
    upkeep.refresh([bob, second])
    assert verified(written(second)).state.roster.at(1) == second.public
    wanted = parties.request([bob, second], b"message")
    commitments = parties.commit([bob, second], wanted)
    responses = parties.respond([bob, second], wanted, commitments)
    message = signed.decode(signed.parse(responses["alice"]))
    assert isinstance(message, Response)
    with second.holder() as holder:
        responses["alice"] = signed.write(replace(message, shares=(bytes(31) + b"\1",)), holder)
    session = bob.session(wanted)
    with pytest.raises(InvalidSignatureShare):
        session.aggregate(parties.inbox(commitments.values(), responses.values()))
    evidence = session.transcript.evidence()
    assert evidence is not None
    assert judge(evidence).culprits == (second.public,)
