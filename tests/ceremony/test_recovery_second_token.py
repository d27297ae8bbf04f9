"""A second token: it makes the share of what was encrypted to it too, and takes the place of the first."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import TokenFixture
from stage import parties, upkeep
from stage.parties import KEY, Party, inbox

from frost_hsm.backends import KeyKind
from frost_hsm.ceremony.history import bundle
from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.history.transcript import STEPS
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.changing import RepairDone, RepairRequest
from frost_hsm.ceremony.messages.using import SigningRequest
from frost_hsm.ceremony.people import identity
from frost_hsm.ceremony.people.identity import Addressee
from frost_hsm.ceremony.sealing import recipients
from frost_hsm.ceremony.sealing.context import Kind
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.ceremony.sharing import recovery, repair
from frost_hsm.ceremony.sharing.repair import Repair
from frost_hsm.errors import (
    Equivocation,
    ForeignMessage,
    InvalidContents,
    NotKnown,
    NotPossible,
    NotYet,
    StateRolledBack,
    UnknownSender,
)
from frost_hsm.secret import Secret


def group(tmp_path: Path, kinds: dict[str, KeyKind] | None = None, **tokens: Any) -> tuple[list[Party], Party]:
    """Return Alice, Bob and Carol with an active key, and Carol's second token, with its own state directory."""
    people = parties.gather(tmp_path / "people", **tokens)
    [second] = parties.gather(tmp_path / "second", ["carol"], agree_kinds=kinds or {}, **tokens)
    upkeep.name_second(people[2], second, people[:2])
    parties.generate(people)
    return people, second


def hand_over(giver: Party, second: Party) -> None:
    """Give the second token the transcript of the key."""
    data = bundle.write(giver.home, giver.key(), with_rounds=True)
    known = {name.removesuffix(".pem"): second.home.read(f"peers/{name}") for name in second.home.names("peers")}
    peers = {name: type(second.public).from_pem(each or b"") for name, each in known.items()}
    bundle.read(second.home, data, second.public, peers)


def share(party: Party, key: GroupKey) -> bytes:
    with party.holder() as holder, key.unseal(SealedRecords(holder, party.home)).serialize() as plaintext:
        with plaintext.reveal() as view:
            return bytes(view)


def test_it_makes_the_same_share_and_signs(tmp_path: Path) -> None:
    (alice, bob, carol), second = group(tmp_path)
    hand_over(alice, second)
    upkeep.take_over(second, [alice, bob])
    assert share(second, second.key()) == share(carol, carol.key())
    for party in (alice, bob, second):
        assert party.key().roster.at(3) == second.public
    assert len(parties.sign([alice, second], b"message")) == 65
    stale = parties.request([carol, alice], b"message")  # the first token is nobody's any more
    with pytest.raises(ForeignMessage, match="has ended here"):
        alice.session(stale).commit(alice.holder)


def test_softhsm_tokens(
    tmp_path: Path, new_token: Callable[..., TokenFixture], backend_settings: parties.Settings
) -> None:
    (alice, bob, carol), second = group(
        tmp_path, new_token=lambda name, folder: str(new_token(name).uri), settings=backend_settings
    )
    with carol.open_token() as token:
        assert [each.public for each in identity.find(token)] == [carol.public]
    hand_over(alice, second)
    upkeep.take_over(second, [alice, bob])
    assert share(second, second.key()) == share(carol, carol.key())
    with carol.holder() as holder:
        SealedRecords(holder, carol.home).destroy(carol.key().record_name(Kind.SIGNING_SHARE))
    assert not recovery.recover(carol.home, KEY, carol.public, carol.holder).was_there
    assert share(carol, carol.key()) == share(second, second.key())


def test_until_the_others_have_taken_it_in_they_do_not_know_it(tmp_path: Path) -> None:
    (alice, bob, _), second = group(tmp_path)
    hand_over(alice, second)
    recovery.recover(second.home, KEY, second.public, second.holder)
    asked = signed.decode(signed.parse(parties.request([alice, bob], b"message")))
    with second.holder() as holder:
        assert isinstance(asked, SigningRequest)
        early = signed.write(replace(asked, author=3, signers=(2, 3)), holder)
    with pytest.raises(UnknownSender, match="second token of carol") as caught:
        alice.session(early)
    assert "repair confirm" in str(caught.value.hint)
    with pytest.raises(NotKnown, match="has no share"):
        parties.request([second, bob], b"message")


def test_it_goes_on_with_refresh_and_recovery(tmp_path: Path) -> None:
    """Epoch 0 reached the second token through the envelopes to the first, epoch 1 is made with itself."""
    (alice, bob, _), second = group(tmp_path)
    hand_over(alice, second)
    upkeep.take_over(second, [alice, bob])
    upkeep.refresh([alice, bob, second])
    made = share(second, second.key())
    with second.holder() as holder:
        SealedRecords(holder, second.home).destroy(second.key().record_name(Kind.SIGNING_SHARE))
    assert not recovery.recover(second.home, KEY, second.public, second.holder).was_there
    assert share(second, second.key()) == made
    assert len(parties.sign([bob, second], b"message")) == 65


def test_it_makes_a_repaired_share_too(tmp_path: Path) -> None:
    people = parties.gather(tmp_path / "people")
    alice, bob, _ = people
    parties.generate(people)
    [new] = parties.gather(tmp_path / "new", ["carol"])
    [second] = parties.gather(tmp_path / "second", ["carol"])
    upkeep.name_second(new, second, [alice, bob])
    upkeep.repair(new, 3, [alice, bob], [alice, bob])
    hand_over(alice, second)
    upkeep.take_over(second, [alice, bob])
    assert share(second, second.key()) == share(new, new.key())


def test_a_token_that_was_not_named_takes_nobodys_place(tmp_path: Path) -> None:
    (alice, bob, _), second = group(tmp_path)
    [stranger] = parties.gather(tmp_path / "stranger", ["carol"])
    for party in (alice, bob):
        stranger.home.put(f"peers/{party.name}.pem", party.public.to_pem())
    hand_over(alice, stranger)
    hand_over(alice, second)
    with pytest.raises(NotKnown, match="has no share"):
        recovery.recover(stranger.home, KEY, stranger.public, stranger.holder)
    with stranger.holder() as holder:
        with pytest.raises(NotPossible, match="nobody has named"):
            repair.request(holder, stranger.key(), 3, [])
        with second.holder() as named:
            asked = signed.read(repair.request(named, second.key(), 3, [])).expect(RepairRequest).message
        forged = signed.write(replace(asked, receiver=stranger.public), holder)
    with pytest.raises(ForeignMessage, match="nobody has named"):
        Repair.read(alice.home, forged, alice.public)


@pytest.mark.parametrize("position", [1, 4])
def test_it_takes_the_place_of_its_first_alone(tmp_path: Path, position: int) -> None:
    (alice, _, _), second = group(tmp_path)
    hand_over(alice, second)
    with second.holder() as holder:
        asked = signed.read(repair.request(holder, second.key(), 3, [])).expect(RepairRequest).message
        forged = signed.write(replace(asked, position=position), holder)
    with pytest.raises(ForeignMessage):
        Repair.read(alice.home, forged, alice.public)


def test_the_end_is_the_end_of_this_takeover(tmp_path: Path) -> None:
    (alice, _, _), second = group(tmp_path)
    hand_over(alice, second)
    with second.holder() as holder:
        request = repair.request(holder, second.key(), 3, [])
        asked = Repair.read(alice.home, request, alice.public)
        other = signed.write(RepairDone(asked.id, bytes(32)), holder)
    with pytest.raises(Equivocation):
        asked.confirm(alice.holder, inbox(other))
    with pytest.raises(NotYet):
        asked.confirm(alice.holder, inbox())
    assert not asked.is_done


def test_it_does_not_go_back_to_an_older_epoch(tmp_path: Path) -> None:
    (alice, bob, _), second = group(tmp_path)
    hand_over(alice, second)
    shutil.copytree(second.directory / "home", tmp_path / "kept")
    upkeep.take_over(second, [alice, bob])
    upkeep.refresh([alice, bob, second])
    shutil.rmtree(second.directory / "home")
    shutil.copytree(tmp_path / "kept", second.directory / "home")
    before = second.records()
    with pytest.raises(StateRolledBack):
        recovery.recover(second.home, KEY, second.public, second.holder)
    assert second.records() == before


def test_without_the_messages_it_has_nothing(tmp_path: Path) -> None:
    (alice, bob, _), second = group(tmp_path)
    known = {"alice": alice.public, "bob": bob.public}
    bundle.read(second.home, bundle.write(alice.home, alice.key()), second.public, known)
    before = (second.files(), second.records())
    with pytest.raises(NotYet):
        recovery.recover(second.home, KEY, second.public, second.holder)
    assert (second.files(), second.records()) == before


@pytest.mark.parametrize("kind", [KeyKind.AGREE, KeyKind.DECRYPT])
def test_cut_short_it_takes_up_the_same_request(tmp_path: Path, kind: KeyKind) -> None:
    (alice, bob, _), second = group(tmp_path, {"carol": kind})
    hand_over(alice, second)
    first = recovery.recover(second.home, KEY, second.public, second.holder).takeover
    assert first is not None
    second.home.remove(f"{first.folder}/{STEPS[RepairDone]}")
    again = recovery.recover(second.home, KEY, second.public, second.holder)
    assert again.takeover is not None and again.takeover.id == first.id
    second.home.remove(first.folder)  # the share is sealed, and nobody was told
    other = recovery.recover(second.home, KEY, second.public, second.holder).takeover
    assert other is not None and other.id != first.id
    upkeep.take_over(second, [alice, bob])
    kept = recovery.recover(second.home, KEY, second.public, second.holder)
    assert kept.was_there and kept.takeover is not None and kept.takeover.id == other.id
    assert len(parties.sign([bob, second], b"message")) == 65


def test_what_opens_on_the_first_token_alone_convicts_its_sender(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = alice, bob, carol = parties.gather(tmp_path / "people")
    [second] = parties.gather(tmp_path / "second", ["carol"])
    upkeep.name_second(carol, second, people[:2])
    first = parties.round1(people, parties.propose(people))
    wrap, own = recipients.wrap, second.public.agree_key

    def cheat(key: Secret, context: bytes, recipient: Addressee, seed: Secret) -> recipients.Recipient:
        with Secret.zeros(recipients.KEY_LENGTH) as other:
            return wrap(other if recipient.agree_key == own else key, context, recipient, seed)

    with monkeypatch.context() as patched:
        patched.setattr(recipients, "wrap", cheat)
        cheating = parties.round2([alice], first)
    said = {**cheating, **parties.round2([bob, carol], first)}
    with pytest.raises(InvalidContents, match="not for everybody whom it is for") as caught:
        parties.finish([carol], first, said)
    assert caught.value.culprits == ("alice",)


def test_an_envelope_that_leaves_the_second_token_out_convicts_its_sender(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = parties.gather(tmp_path / "people")
    [second] = parties.gather(tmp_path / "second", ["carol"])
    upkeep.name_second(people[2], second, people[:2])
    first = parties.round1(people, parties.propose(people))
    with monkeypatch.context() as patched:
        patched.setattr(type(second.public), "addressees", property(lambda self: (self,)))
        cheating = parties.round2(people[:1], first)
    honest = parties.round2(people[1:], first)
    with pytest.raises(InvalidContents) as caught:
        parties.finish(people[2:], first, {**cheating, **honest})
    assert caught.value.culprits == ("alice",)
