"""An agent whose board goes away for a while, and one whose token is pulled out."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from stage import attending, joining, parties
from stage.parties import KEY, Party

from frost_hsm.agent.log import Chain
from frost_hsm.errors import TokenProblem

RULES = ("--policy", "policy.toml")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A directory with a short name: that of a socket has 107 bytes at most."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Party, Party]:
    alice, bob = parties.gather(tmp_path / "people", ("alice", "bob"))
    parties.generate([alice, bob])
    for party in (alice, bob):
        attending.write_policy(party, all='target = "*"')
    return alice, bob


def ask(alice: Party, uri: str, name: str) -> None:
    (alice.directory / name).write_text(name)
    asked = alice.run("sign", "request", KEY, name, "--board", uri)
    assert asked.status == 0, asked.stderr


def wait_to_hear(people: Sequence[Party], processes: Sequence[subprocess.Popen[bytes]], what: str) -> None:
    for party, process in zip(people, processes, strict=True):
        attending.wait_until(lambda party=party: what in attending.said(party), process, party)  # type: ignore[misc]


def test_a_board_that_is_away_for_a_while(pair: tuple[Party, Party], tmp_path: Path) -> None:
    alice, bob = pair
    uri = joining.board(tmp_path / "board")
    with attending.running(uri, [(party, RULES) for party in pair]) as processes:
        wait_to_hear(pair, processes, "waiting: requests on")
        time.sleep(1)  # in which they look at the board, and wait
        (tmp_path / "board").rename(tmp_path / "away")
        wait_to_hear(pair, processes, "trying again")
        (tmp_path / "away").rename(tmp_path / "board")
        ask(alice, uri, "m")
        joining.join([alice], uri)
    assert alice.run("verify", "--key", KEY, "m", "m.sig").status == 0
    assert attending.logged(bob, "allowed")


def test_a_token_that_is_pulled_out(pair: tuple[Party, Party], tmp_path: Path) -> None:
    """The agent says so and ends, its log is whole and open; with the token it goes on, and vouches for all."""
    alice, bob = pair
    uri = joining.board(tmp_path / "board")
    token, away = bob.directory / "bob.token", tmp_path / "away"
    process = attending.start(bob, uri, *RULES)
    try:
        attending.wait_until(lambda: "the agent is ready" in attending.said(bob), process, bob)
        token.rename(away)
        ask(alice, uri, "m")
        assert process.wait(attending.PATIENCE) == TokenProblem.exit, attending.said(bob)
    finally:
        process.kill()
        process.wait()
    assert "error: " in attending.said(bob)
    log = (bob.directory / "home/agent/log").read_bytes()
    assert not Chain.read(log, bob.public).is_closed
    away.rename(token)
    with attending.running(uri, [(party, RULES) for party in pair]):
        joining.join([alice], uri)
    assert alice.run("verify", "--key", KEY, "m", "m.sig").status == 0
    assert Chain.read((bob.directory / "home/agent/log").read_bytes(), bob.public).is_closed
