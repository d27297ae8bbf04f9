"""SIGKILL before and after writes and token calls of a repair: the same command again, and it goes on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import killing
import parties
import pytest
import upkeep
from parties import Party

REQUEST = "../inbox/request.pem"
STEPS = {
    "delta": ("repair", "delta", REQUEST),
    "sigma": ("repair", "sigma", REQUEST, "--in", "../inbox"),
    "finish": ("repair", "finish", REQUEST, "--in", "../inbox"),
    "confirm": ("repair", "confirm", REQUEST, "--in", "../inbox"),
}


class Stage:
    """Alice and Bob, who help Carol to a share of her own; kept before each step of the one who is killed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "stage"
        self.alice, self.bob = parties.gather(self.directory, ["alice", "bob"])
        parties.generate([self.alice, self.bob])
        [self.carol] = parties.gather(self.directory, ["carol"])
        for party in (self.alice, self.bob):
            party.home.put("peers/carol.pem", self.carol.public.to_pem())
        upkeep.hand_over(self.alice, self.carol, [self.alice, self.bob])
        (self.directory / "inbox").mkdir()
        (self.directory / "inbox/request.pem").write_bytes(upkeep.ask(self.carol, 3, [self.alice, self.bob]))
        for step in STEPS:
            if step in ("delta", "sigma"):
                self.run(self.bob, step)
            shutil.copytree(self.directory, directory / step)
            self.run(self.victim(step), step)
        self._kept = directory

    def victim(self, step: str) -> Party:
        return self.carol if step == "finish" else self.alice

    def run(self, party: Party, step: str) -> None:
        ran = party.run(*STEPS[step])
        assert ran.status == 0, ran.stderr
        for written in party.directory.glob("*.pem"):
            shutil.copy(written, self.directory / "inbox")

    def put_back(self, step: str) -> None:
        shutil.rmtree(self.directory)
        shutil.copytree(self._kept / step, self.directory)

    def play_on(self, step: str) -> Iterator[str]:
        names = list(STEPS)
        for each in names[names.index(step) :]:
            self.run(self.victim(each), each)
            if each == "sigma" != step or each == "confirm":
                self.run(self.bob, each)
            yield each


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("repair"))


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_killed_the_repair_goes_on(stage: Stage, step: str) -> None:
    stage.put_back(step)
    count = killing.fork_and_kill(stage.victim(step), STEPS[step], None)
    assert count is not None
    for instant in range(1, count + 1, 6):
        stage.put_back(step)
        assert killing.fork_and_kill(stage.victim(step), STEPS[step], instant) is None, "it was not killed"
        assert list(stage.play_on(step))[-1] == "confirm"
        assert len(stage.alice.key().roster) == len(stage.carol.key().roster) == 3
        assert len(parties.sign([stage.carol, stage.bob], b"afterwards")) == 65
