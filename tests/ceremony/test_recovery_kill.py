"""SIGKILL at system calls of recovering and restoring: the same command again, and the share is there, once.

A sample of the instants is taken, always the same one; FROST_HSM_CRASH_SEED=NUMBER takes another.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from ceremony.test_recovery import lose_share, share
from ceremony.test_recovery_second_token import hand_over
from stage import killing, parties, upkeep
from stage.parties import KEY, Party

SEED = os.environ.get("FROST_HSM_CRASH_SEED", "0")
SAMPLE = 5
CASES = ("a share", "a state directory", "a token")


class Stage:
    """Alice, who has lost something, Bob, and what Alice does about it."""

    def __init__(self, directory: Path, lost: str) -> None:
        self.directory, self._kept = directory / "stage", directory / "kept"
        self.alice, self.bob = parties.gather(self.directory, ["alice", "bob"])
        [self.second] = parties.gather(self.directory / "second", ["alice"])
        upkeep.name_second(self.alice, self.second, [self.bob])
        parties.generate([self.alice, self.bob])
        upkeep.refresh([self.alice, self.bob])
        parties.sign([self.alice, self.bob], b"message")  # with two shares of the new state the old ones go
        assert self.alice.run("backup", "create").status == 0
        hand_over(self.bob, self.second)
        self.who = self.second if lost == "a token" else self.alice
        self.expected = share(self.alice) if lost == "a token" else lose_share(self.alice)
        self.command = ("recover", KEY)
        if lost == "a state directory":
            for name in ("keys", "peers"):
                self.alice.home.remove(name)
            self.command = ("backup", "restore", "alice.backup.pem")
        shutil.copytree(self.directory, self._kept)

    def put_back(self) -> None:
        shutil.rmtree(self.directory)
        shutil.copytree(self._kept, self.directory)


@pytest.fixture(scope="module")
def traced() -> Iterator[killing.Traced]:
    if not killing.IS_POSSIBLE:
        pytest.skip("system calls are traced on Linux on x86-64 only")
    with killing.Traced() as process:
        yield process


@pytest.mark.slow
@pytest.mark.parametrize("lost", CASES)
def test_killed_it_is_there_after_the_same_command_again(tmp_path: Path, traced: killing.Traced, lost: str) -> None:
    stage = Stage(tmp_path, lost)
    arguments = stage.who.arguments(stage.command)
    whole = traced.run(stage.who.directory, arguments)
    assert whole.status == 0, whole.stderr
    files = _names(stage.who)
    for instant in random.Random(f"{SEED} {lost}").sample(range(1, len(whole.calls) + 1), SAMPLE):
        stage.put_back()
        assert traced.run(stage.who.directory, arguments, instant=instant).status is None
        again = traced.run(stage.who.directory, arguments)
        where = f"FROST_HSM_CRASH_SEED={SEED}, before {whole.calls[instant - 1]}"
        assert again.status == 0, f"{where}: {again.stderr}"
        assert _names(stage.who) == files, where
        assert sum(name.startswith("signing-share") for name in stage.who.records()) == 1, where
        if lost == "a token":
            upkeep.take_over(stage.who, [stage.bob])
        assert share(stage.who) == stage.expected, where
    assert len(parties.sign([stage.who, stage.bob], b"afterwards")) == 65


def _names(party: Party) -> list[str]:
    """Name the files that are there, but for the ids that differ each time."""
    return sorted(name.rsplit("/", 1)[-1] if name.startswith("keys/") else name for name in party.files())
