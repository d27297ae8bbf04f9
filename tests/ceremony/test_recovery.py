"""A share made again of messages and the token alone: whatever made it, whatever was lost, and only the newest."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from stage import by_command, parties, upkeep
from stage.parties import Party

from frost_hsm import P256
from frost_hsm.backends import KeyKind
from frost_hsm.ceremony.history import bundle
from frost_hsm.ceremony.history.keys import KeyStatus
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.inbox import Incoming
from frost_hsm.ceremony.sealing.context import Kind
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.ceremony.sharing import recovery
from frost_hsm.ceremony.sharing.recovery import Recovered
from frost_hsm.errors import CeremonyStopped, ForeignMessage, NotYet, SealBroken, StateRolledBack
from frost_hsm.secret import system_entropy


def share(party: Party) -> bytes:
    with party.holder() as holder, party.key().unseal(SealedRecords(holder, party.home)).serialize() as plaintext:
        with plaintext.reveal() as view:
            return bytes(view)


def lose_share(party: Party) -> bytes:
    """Destroy the sealed share, and return what it was."""
    lost, key = share(party), party.key()
    with party.holder() as holder:
        SealedRecords(holder, party.home).destroy(key.record_name(Kind.SIGNING_SHARE))
    return lost


def recover(party: Party, files: Sequence[bytes] = ()) -> Recovered:
    incoming = [Incoming(f"file {number}", data, named=False) for number, data in enumerate(files)]
    return recovery.recover(party.home, parties.KEY, party.public, party.holder, incoming)


def test_a_generated_share(trio: list[Party]) -> None:
    bob = trio[1]
    lost = lose_share(bob)
    assert not recover(bob).was_there
    assert share(bob) == lost
    assert recover(bob).was_there
    assert len(parties.sign(trio[:2], b"message")) == 65


def test_a_refreshed_share(trio: list[Party]) -> None:
    bob = trio[1]
    first = share(bob)
    upkeep.refresh(trio)
    upkeep.refresh(trio)
    parties.sign(trio[:2], b"message")  # with two shares of the new state the old ones go
    lost = lose_share(bob)
    recover(bob)
    assert first != share(bob) == lost
    assert sum(name.startswith("signing-share") for name in bob.records()) == 1
    assert len(parties.sign(trio[1:], b"message")) == 65


def test_a_dealt_share(tmp_path: Path) -> None:
    people = parties.gather(tmp_path / "people")
    bob = people[1]
    by_command.deal(people, f"{1001:064x}")
    lost = lose_share(bob)
    recover(bob)
    assert share(bob) == lost
    by_command.step(people[0], "refresh", "propose", parties.KEY)
    by_command.step(people[0], "dealer", "refresh", parties.KEY)
    dealt = [f"../../inbox/{parties.KEY}.refresh1.{name}.pem" for name in ("proposal", "dealing")]
    for verb in (["dealer", "accept", *dealt], ["refresh", "confirm", parties.KEY, "--in", "../../inbox"]):
        for party in people:
            by_command.step(party, *verb)
    assert lost != lose_share(bob)
    recover(bob)
    assert len(parties.sign([bob, people[2]], b"message")) == 65


def test_a_repaired_share_and_what_a_refresh_made_of_it(tmp_path: Path, trio: list[Party]) -> None:
    alice, bob, _ = trio
    [carol] = parties.gather(tmp_path / "later", ["carol"])
    upkeep.repair(carol, 3, [alice, bob], [alice, bob])
    lost = lose_share(carol)
    recover(carol)
    assert share(carol) == lost
    upkeep.refresh([alice, bob, carol])
    lost = lose_share(carol)
    recover(carol)
    assert share(carol) == lost


def test_a_pending_share_stays_pending(tmp_path: Path) -> None:
    people = parties.gather(tmp_path / "people")
    first = parties.round1(people, parties.propose(people))
    confirmations = parties.finish(people, first, parties.round2(people, first))
    bob = people[1]
    lost = lose_share(bob)
    assert recover(bob).key.status is KeyStatus.PENDING
    assert share(bob) == lost
    parties.confirm(people, confirmations)
    assert len(parties.sign(people[:2], b"message")) == 65


def test_the_share_of_a_refresh_that_not_all_have_confirmed(trio: list[Party]) -> None:
    bob = trio[1]
    confirmations = upkeep.to_confirmations(trio)
    before = bob.records()
    with bob.holder() as holder:
        records = SealedRecords(holder, bob.home)
        for name in before:
            if name.startswith("signing-share"):
                records.destroy(name)
    assert not recover(bob).was_there
    assert sorted(bob.records()) == sorted(before)
    upkeep.confirm(trio, confirmations)
    assert len(parties.sign(trio[:2], b"message")) == 65


def test_a_damaged_record_is_replaced(trio: list[Party]) -> None:
    bob, key = trio[1], trio[1].key()
    lost, name = lose_share(bob), key.record_name(Kind.SIGNING_SHARE)
    with bob.open_token() as token:
        token.write_record(name, b"damaged")
    rounds = f"{bob.folder()}/round1"
    bob.home.move(rounds, "given-up/round1")
    with pytest.raises(NotYet):
        recover(bob)
    assert bob.records()[name] == b"damaged"
    bob.home.move("given-up/round1", rounds)
    assert not recover(bob).was_there
    assert share(bob) == lost


def test_messages_come_from_files_where_the_state_directory_lacks_them(trio: list[Party]) -> None:
    bob = trio[1]
    lost = lose_share(bob)
    rounds = [f"{bob.folder()}/{step}" for step in ("round1", "round2")]
    files = [bob.home.read(path) or b"" for folder in rounds for path in bob.home.files(folder)]
    for folder in rounds:
        bob.home.remove(folder)
    before = (bob.files(), bob.records())
    with pytest.raises(NotYet, match="round-1 message of alice, bob, carol is missing"):
        recover(bob)
    with pytest.raises(NotYet, match="round-2 message of carol is missing"):
        recover(bob, files[:-1])
    assert (bob.files(), bob.records()) == before
    recover(bob, [b"no message", *files])
    assert share(bob) == lost
    lose_share(bob)
    recover(bob)
    assert share(bob) == lost


def test_other_messages_than_were_confirmed_make_no_share(tmp_path: Path, trio: list[Party]) -> None:
    bob = trio[1]
    lose_share(bob)
    home = bob.directory / f"home/{bob.folder()}"
    bob.home.remove(f"{bob.folder()}/round2")
    with bob.holder() as holder:
        said = signed.read((home / "round1/bob.pem").read_bytes(), bob.key().roster)
        package = P256.group.encode(P256.group.multiply_base(P256.group.random_scalar(system_entropy)))
        other = signed.write(replace(said.message, package=package), holder)
    bob.home.replace(f"{bob.folder()}/round1/bob.pem", other)
    second = [path.read_bytes() for path in (trio[0].directory / f"home/{trio[0].folder()}/round2").iterdir()]
    with pytest.raises(ForeignMessage, match="not those that all have confirmed"):
        recover(bob, second)


def test_a_lost_state_directory(trio: list[Party]) -> None:
    """Another participant has the whole transcript, and may give it to anybody."""
    alice, bob, carol = trio
    upkeep.refresh(trio)
    lost = lose_share(bob)
    bob.home.remove("keys")
    known = {party.name: party.public for party in (alice, carol)}
    bundle.read(bob.home, bundle.write(alice.home, alice.key()), bob.public, known)
    with pytest.raises(NotYet):
        recover(bob)
    bundle.read(bob.home, bundle.write(alice.home, alice.key(), with_rounds=True), bob.public, known)
    assert not recover(bob).was_there
    assert share(bob) == lost
    assert len(parties.sign([bob, carol], b"message")) == 65


@pytest.mark.parametrize("kind", [KeyKind.AGREE, KeyKind.DECRYPT])
def test_the_state_directory_of_an_older_epoch_brings_back_no_share(tmp_path: Path, kind: KeyKind) -> None:
    """What an RSA token seals does not show what it is of: there any share that is not known stops it."""
    trio = alice, bob, carol = parties.gather(tmp_path / "people", agree_kinds={"bob": kind})
    parties.generate(trio)
    kept = bob.directory / "kept"
    shutil.copytree(bob.directory / "home", kept)
    upkeep.refresh(trio)
    shutil.rmtree(bob.directory / "home")
    shutil.copytree(kept, bob.directory / "home")
    before = (bob.files(), bob.records())
    with pytest.raises(StateRolledBack) as caught:
        recover(bob)
    assert (bob.files(), bob.records()) == before
    assert "keys import" in str(caught.value.hint)
    known = {party.name: party.public for party in (alice, carol)}
    bundle.read(bob.home, bundle.write(alice.home, alice.key()), bob.public, known)
    assert recover(bob).was_there
    assert bob.key().epoch == 1


def test_a_key_that_was_given_up_is_not_recovered(trio: list[Party]) -> None:
    bob = trio[1]
    files = {name: bob.home.read(name) or b"" for name in bob.home.files("keys")}
    with bob.holder() as holder:
        bob.key().delete(holder, bob.home)
    for name, data in files.items():
        bob.home.put(name, data)
    with pytest.raises(CeremonyStopped):
        recover(bob)
    assert not any(name.startswith("signing-share") for name in bob.records())


def test_somebody_elses_token_opens_nothing(trio: list[Party]) -> None:
    alice, bob, _ = trio
    lose_share(bob)
    with alice.holder() as holder, pytest.raises(SealBroken):
        recovery.rebuild(bob.home, bob.key(), holder)
    assert len(parties.sign([trio[0], trio[2]], b"message")) == 65
