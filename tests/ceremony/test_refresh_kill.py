"""SIGKILL before and after writes and token calls of a refresh: always one epoch that signs, and it goes on.

At every instant of confirm, which is its own, and at every fifth of the steps that key generation has too.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import killing
import parties
import pytest
from parties import KEY, Party

from frost_hsm.ceremony.records import SealedRecords

PROPOSAL = "../inbox/treasury.refresh1.proposal.pem"
STEPS = {
    "round1": ("refresh", "round1", PROPOSAL),
    "round2": ("refresh", "round2", KEY, "--in", "../inbox"),
    "finish": ("refresh", "finish", KEY, "--in", "../inbox"),
    "confirm": ("refresh", "confirm", KEY, "--in", "../inbox"),
}


class Stage:
    """Alice and Bob with a key of which both sign, and an inbox; kept before each of Alice's steps."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "stage"
        self.alice, self.bob = parties.gather(self.directory, ["alice", "bob"])
        parties.generate([self.alice, self.bob])
        (self.directory / "inbox").mkdir()
        self.run(self.bob, ("refresh", "propose", KEY, "-o", PROPOSAL))
        for step in STEPS:
            self.run(self.bob, STEPS[step])
            shutil.copytree(self.directory, directory / step)
            self.run(self.alice, STEPS[step])
        self._kept = directory

    def run(self, party: Party, command: tuple[str, ...]) -> None:
        """Run a command and put what it wrote into the inbox."""
        ran = party.run(*command)
        assert ran.status == 0, ran.stderr
        for written in party.directory.glob("*.pem"):
            shutil.copy(written, self.directory / "inbox")

    def put_back(self, step: str) -> None:
        shutil.rmtree(self.directory)
        shutil.copytree(self._kept / step, self.directory)

    def play_on(self, step: str) -> None:
        names = list(STEPS)
        for each in names[names.index(step) :]:
            self.run(self.alice, STEPS[each])
            if each != step:  # Bob has taken the first of them already
                self.run(self.bob, STEPS[each])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("refresh"))


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_killed_the_refresh_goes_on(stage: Stage, step: str) -> None:
    stage.put_back(step)
    count = killing.fork_and_kill(stage.alice, STEPS[step], None)
    assert count is not None
    assert count > 10
    for instant in range(1, count + 1, 1 if step == "confirm" else 5):
        stage.put_back(step)
        assert killing.fork_and_kill(stage.alice, STEPS[step], instant) is None, "it was not killed"
        with stage.alice.holder() as holder:
            key = stage.alice.key()
            key.unseal(SealedRecords(holder, stage.alice.home)).wipe()
        if step != "confirm":
            assert key.epoch == 0
            assert len(parties.sign([stage.alice, stage.bob], b"meanwhile")) == 65
        stage.play_on(step)
        assert stage.alice.key().epoch == stage.bob.key().epoch == 1
        assert [name.split(".")[0] for name in stage.alice.records()] == ["signing-share"]
        assert len(parties.sign([stage.alice, stage.bob], b"afterwards")) == 65
