"""What a command reads does not grow with what it does not show, and is as much for each thing that it does.

Counted, not timed: `tests/benchmarks/growth.py` times it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from stage import parties
from stage.parties import KEY, Party

from frost_hsm.ceremony.store import StateDirectory

REQUEST = "message.request.pem"
LOOKING = (
    ("sign", "request", KEY, "message", "--signers", "alice,bob", "--force"),
    ("sign", "commit", REQUEST, "--force"),
    ("sign", "respond", REQUEST, "bob.commit.pem", "--force"),
    ("sign", "status", REQUEST),
    ("sign", "preprocess", KEY, "--count", "1", "--force"),
    ("sign", "discard", KEY),
    ("keys", "show", KEY),
    ("keys", "export", KEY, "--force"),
    ("identity", "show"),
    ("peer", "remove", "bob"),
    ("peer", "add", "bob.pem"),
)
"""What looks one thing up."""

Counted = Callable[..., int]


@pytest.fixture
def pair(tmp_path: Path) -> list[Party]:
    people = parties.gather(tmp_path / "people", ["alice", "bob"])
    parties.generate(people)
    (people[0].directory / "message").write_bytes(b"a message")
    (people[0].directory / "bob.pem").write_bytes(people[1].public.to_pem())
    return people


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch, pair: list[Party]) -> Counted:
    """Run a command of Alice's; how many files of her state directory it reads."""
    home, read, names = pair[0].directory / "home", StateDirectory.read, []

    def counted(directory: StateDirectory, name: str) -> bytes | None:
        if directory.path == home:
            names.append(name)
        return read(directory, name)

    monkeypatch.setattr(StateDirectory, "read", counted)

    def count(*command: str) -> int:
        names.clear()
        ran = pair[0].run(*command)
        assert ran.status == 0, ran.stderr
        return len(names)

    return count


def look(pair: list[Party], reads: Counted) -> dict[str, int]:
    alice, bob = pair
    found = {}
    for command in LOOKING:
        found[" ".join(command[:2])] = reads(*command)
        if command[1] == "commit":
            committed = bob.session((alice.directory / REQUEST).read_bytes()).commit(bob.holder)
            (alice.directory / "bob.commit.pem").write_bytes(committed)
    return found


def more_requests(pair: list[Party], number: int) -> None:
    alice = pair[0]
    alice.session(parties.request(pair, b"request %d" % number)).commit(alice.holder)


def more_keys(pair: list[Party], number: int) -> None:
    parties.generate(pair, name=f"key-{number}")


def more_peers(pair: list[Party], number: int) -> None:
    alice, _ = pair
    [peer] = parties.gather(alice.directory.parent / f"{number}", [f"peer-{number}"])
    alice.home.put(f"peers/{peer.name}.pem", peer.public.to_pem())


MORE = {
    ("sign", "status"): more_requests,
    ("keys", "list"): more_keys,
    ("peer", "list"): more_peers,
}
"""What there may be much of, by the command that lists it."""


@pytest.mark.parametrize("listing", MORE, ids=" ".join)
def test_looking_one_up_and_listing_all(pair: list[Party], reads: Counted, listing: tuple[str, str]) -> None:
    before = look(pair, reads)
    assert before["sign commit"] > 5
    listed = []
    for number in range(6):
        if number % 2 == 0:
            listed.append(reads(*listing))
        MORE[listing](pair, number)
    first, second, third = listed
    assert second - first == third - second > 0
    assert look(pair, reads) == before
