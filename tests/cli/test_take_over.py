"""One token, two state directories: the second is refused at every step until it takes over, the first from then on."""

from __future__ import annotations

import shutil

import pytest
from cli.judging import snapshot
from stage import parties
from stage.parties import KEY, Party

from frost_hsm.ceremony.store import StateDirectory

STEPS = (
    ("identity", "create"),
    ("dkg", "propose", "other", "--with", "bob,carol", "--threshold", "2"),
    ("refresh", "propose", KEY),
    ("sign", "request", KEY, "message", "--signers", "alice,bob"),
    ("sign", "preprocess", KEY, "--count", "1"),
    ("sign", "discard", KEY),
    ("sign", "commit", "asked.pem"),
    ("backup", "create"),
    ("recover", KEY),
    ("keys", "delete", KEY, "--confirm-name", KEY),
)


@pytest.fixture
def alice(group: list[Party]) -> Party:
    """Her home, and another directory that knows all of it and is not the same."""
    alice = group[0]
    (alice.directory / "message").write_bytes(b"pay 5 to dave")
    (alice.directory / "asked.pem").write_bytes(parties.request(group[:2], b"message"))
    shutil.copytree(alice.directory / "home", alice.directory / "other")
    StateDirectory.open(alice.directory / "other").replace("directory-id", bytes(32))
    return alice


def require_shut_out(alice: Party, home: str) -> None:
    for step in STEPS:
        before, records = snapshot(alice), alice.records()
        ran = alice.run(*step, "--home", home)
        assert (ran.status, "works with another state directory" in ran.stderr) == (76, True), (step, ran.stderr)
        assert "hint: to go on here, and shut the other one out: frost-hsm init --take-over" in ran.stderr
        assert (snapshot(alice), alice.records()) == (before, records), step


def test_a_second_directory_is_refused_until_it_takes_over(alice: Party) -> None:
    require_shut_out(alice, "other")
    ran = alice.run("init", "--take-over", "--yes", "--home", "other")
    assert ran.status == 0, ran.stderr
    assert "works with another state directory. From now on that one is refused" in ran.stderr
    assert "and with no other state directory" in ran.stdout
    require_shut_out(alice, "home")
    assert alice.run("sign", "preprocess", KEY, "--count", "1", "--home", "other").status == 0


def test_taking_over_is_asked_for_and_may_be_declined(alice: Party) -> None:
    ran = alice.run("init", "--take-over", "--home", "other")
    assert ran.status != 0
    assert "Take the token over?" in ran.stderr
    require_shut_out(alice, "other")
    assert alice.run("sign", "preprocess", KEY, "--count", "1").status == 0


def test_who_has_the_token_is_asked_nothing(alice: Party) -> None:
    ran = alice.run("init", "--take-over")
    assert ran.status == 0, ran.stderr
    assert alice.run("init").status == 2


def test_a_fresh_directory_takes_over_in_one_step(alice: Party) -> None:
    command = ("init", "--me", "alice", "--token", alice.uri, "--home", "fresh")
    assert alice.run(*command).status == 0
    ran = alice.run("identity", "create", "--home", "fresh", "-o", "fresh.pem")
    assert ran.status == 76, ran.stderr
    ran = alice.run(*command, "--take-over", "--yes")
    assert ran.status == 0, ran.stderr
    assert alice.run("identity", "create", "--home", "fresh", "-o", "fresh.pem").status == 0
    assert alice.run("sign", "preprocess", KEY, "--count", "1").status == 76
