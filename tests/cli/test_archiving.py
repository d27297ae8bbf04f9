"""What is finished is put away, and is still there."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import parties
from stage.parties import KEY, Party

from frost_hsm.errors import NotPossible


@pytest.fixture
def pair(tmp_path: Path) -> list[Party]:
    people = parties.gather(tmp_path / "people", ["alice", "bob"])
    parties.generate(people)
    return people


def done(party: Party, *command: str) -> list[str]:
    ran = party.run("sign", *command)
    assert ran.status == 0, ran.stderr
    return ran.stdout.splitlines()


def listed(party: Party, *options: str) -> set[str]:
    return {line.partition(":")[0] for line in done(party, "status", *options) if line != "no requests"}


def committed(party: Party, name: str) -> str:
    """Ask for a signature and commit; returns the digits of the request."""
    before = listed(party)
    (party.directory / name).write_text(name)
    done(party, "request", KEY, name, "--signers", "alice,bob")
    done(party, "commit", f"{name}.request.pem")
    [digits] = listed(party) - before
    return digits


def test_what_is_finished_is_put_away_and_nothing_else(pair: list[Party]) -> None:
    alice, bob = pair
    parties.sign(pair, b"signed")
    [signed] = listed(alice)
    ended, still_open = committed(alice, "ended"), committed(alice, "open")
    done(alice, "abort", "ended.request.pem")

    refused = alice.run("sign", "archive", still_open)
    assert refused.status == NotPossible.exit
    assert f"request {still_open} is not finished" in refused.stderr
    assert sorted(done(alice, "archive")) == sorted(f"Put away: {each}" for each in (signed, ended))
    assert done(alice, "archive") == ["nothing is finished that was not put away before"]
    assert listed(alice) == {still_open}
    assert listed(alice, "--archived") == {signed, ended}
    assert "ended without a signature" in done(alice, "status", ended)[0]
    assert done(bob, "archive", signed) == [f"Put away: {signed}"]  # who answered, and did not ask


def test_what_is_put_away_is_not_signed_again(pair: list[Party]) -> None:
    alice, _ = pair
    ended = committed(alice, "ended")
    done(alice, "abort", "ended.request.pem")
    done(alice, "archive", ended)
    again = alice.run("sign", "commit", "ended.request.pem", "--force")
    assert again.status != 0
    assert "alice has ended it" in again.stderr
