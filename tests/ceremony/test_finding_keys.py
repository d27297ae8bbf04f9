"""Which key a message is about: one key's damage never stands in the way of another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stage import parties, upkeep
from stage.parties import KEY, Party
from stage.staging import Stage

from frost_hsm.ceremony.history import bundle, kept
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


Read = Callable[[Party, GroupKey], object]


@pytest.mark.parametrize(
    "look",
    [
        lambda alice, key: alice.key(),
        lambda alice, key: GroupKey.find(alice.home, key.ceremony, alice.public),
        lambda alice, key: kept.verifying_key(alice.home, KEY),
        lambda alice, key: bundle.write(alice.home, key, with_rounds=True),
    ],
    ids=["by name", "by ceremony", "to verify", "to export"],
)
def test_a_key_that_another_process_deletes_while_it_is_read(
    trio: list[Party], monkeypatch: pytest.MonkeyPatch, look: Read
) -> None:
    """Before whichever file it goes, there is no such key; nobody is told to restore it from a backup."""
    alice, key = trio[0], trio[0].key()
    folder, away = alice.folder().rpartition("/")[0], "given-up/kept"
    for _ in going_at_each_read(monkeypatch, lambda: alice.home.move(folder, away), lambda: look(alice, key)):
        with pytest.raises(NotKnown, match="there is no key"):
            look(alice, key)
        alice.home.move(away, folder)


def test_a_key_that_goes_while_all_are_listed(trio: list[Party], monkeypatch: pytest.MonkeyPatch) -> None:
    alice = trio[0]
    folder, away = alice.folder().rpartition("/")[0], "given-up/kept"
    command = ("keys", "list")
    for _ in going_at_each_read(monkeypatch, lambda: alice.home.move(folder, away), lambda: alice.run(*command)):
        listed = alice.run(*command)
        assert (listed.status, KEY in listed.stdout) == (0, not alice.home.exists(away)), listed.stderr
        assert "damaged" not in listed.stderr
        if alice.home.exists(away):
            alice.home.move(away, folder)


def test_a_peer_that_goes_while_all_are_listed(trio: list[Party], monkeypatch: pytest.MonkeyPatch) -> None:
    alice = trio[0]
    path = "peers/bob.pem"
    data = alice.home.read(path)
    assert data is not None
    command = ("peer", "list")
    for _ in going_at_each_read(monkeypatch, lambda: alice.home.remove(path), lambda: alice.run(*command)):
        listed = alice.run(*command)
        assert (listed.status, "carol" in listed.stdout) == (0, True), listed.stderr
        alice.home.put(path, data)


def going_at_each_read(
    monkeypatch: pytest.MonkeyPatch, go: Callable[[], object], look: Callable[[], object]
) -> Iterator[int]:
    """Have something go before the first file is read that is read while somebody looks, before the second, …"""
    read, reads, fatal = StateDirectory.read, 0, -1

    def going(home: StateDirectory, name: str) -> bytes | None:
        nonlocal reads
        reads += 1
        if reads == fatal:
            go()
        return read(home, name)

    monkeypatch.setattr(StateDirectory, "read", going)
    look()
    wanted = reads
    assert wanted > 1
    for number in range(1, wanted + 1):
        reads, fatal = 0, number
        yield number
