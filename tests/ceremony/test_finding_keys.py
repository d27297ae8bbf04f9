"""Which key a message is about: one key's damage never stands in the way of another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from stage import parties, upkeep
from stage.parties import KEY, Party
from stage.staging import Stage

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import NotKnown, StorageProblem, UnknownSender


def make(directory: Path) -> list[Party]:
    """Three people with two keys, of which the first by name is not the one that is used."""
    people = parties.gather(directory)
    for name in ("another", KEY):
        parties.generate(people, name=name)
    return people


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("finding"), make)


@pytest.mark.parametrize("damage", [b"", b"not a message", None], ids=["empty", "garbage", "missing"])
def test_a_damaged_key_hides_no_other(trio: list[Party], damage: bytes | None) -> None:
    alice, bob, carol = trio
    wanted = parties.request([alice, bob], b"message")
    proposal = upkeep.propose(bob)
    repair = upkeep.ask(carol, 3, [alice, bob])
    path = alice.directory / f"home/{alice.folder('another')}/beginning.pem"
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
        path.chmod(0o600)
    assert alice.session(wanted).key.name == KEY
    assert upkeep.join(alice, proposal).name == KEY
    assert upkeep.repairing(alice, repair).key.name == KEY


def test_damage_to_the_key_itself_is_told(trio: list[Party]) -> None:
    alice, bob, _ = trio
    wanted = parties.request([alice, bob], b"message")
    (alice.directory / f"home/{alice.folder()}/confirm/alice.pem").write_bytes(b"damaged")
    with pytest.raises(StorageProblem, match="changed from outside"):
        alice.session(wanted)


def test_a_key_that_nobody_here_has(trio: list[Party], tmp_path: Path) -> None:
    alice, bob, carol = trio
    others = parties.gather(tmp_path / "others", ["alice", "bob", "carol"])
    parties.generate(others)
    steps: list[Callable[[], object]] = [
        lambda: alice.session(parties.request(others[:2], b"message")),
        lambda: upkeep.join(alice, upkeep.propose(others[1])),
        lambda: upkeep.repairing(alice, upkeep.ask(others[2], 3, others[:2])),
    ]
    for step in steps:
        with pytest.raises(UnknownSender, match="no key that is known here"):
            step()
    with pytest.raises(UnknownSender):
        GroupKey.find(bob.home, bytes(32), bob.public)
    assert GroupKey.find(carol.home, carol.key().ceremony, carol.public) == carol.key()


def test_a_key_that_another_process_deletes_while_it_is_read(
    trio: list[Party], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before whichever file it goes, there is no such key; nobody is told to restore it from a backup."""
    alice = trio[0]
    folder, kept = alice.folder().rpartition("/")[0], "given-up/kept"
    read, reads, fatal = StateDirectory.read, 0, -1

    def deleting(home: StateDirectory, name: str) -> bytes | None:
        nonlocal reads
        reads += 1
        if reads == fatal:
            alice.home.move(folder, kept)
        return read(home, name)

    monkeypatch.setattr(StateDirectory, "read", deleting)
    alice.key()
    wanted = reads
    assert wanted > 2
    for number in range(1, wanted + 1):
        reads, fatal = 0, number
        with pytest.raises(NotKnown, match="there is no key"):
            alice.key()
        alice.home.move(kept, folder)
