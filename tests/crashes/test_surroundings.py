"""What a command works with is missing for a while, held by somebody else, or of another time."""

from __future__ import annotations

import ast
import fcntl
import os
import shutil
from pathlib import Path

import pytest
from crashes.stage import Stage
from crashes.stories import Step

import frost_hsm
from frost_hsm.errors import ModuleUnavailable, NotKnown, StorageProblem, TokenLost, TokenNotFound

STORY = "a key is made"
CLOCK = {"time", "time_ns", "localtime", "gmtime", "ctime", "strftime", "now", "utcnow", "today", "fromtimestamp"}


def _take_away(stage: Stage, path: Path, step: Step) -> int | None:
    away = path.with_name(f"{path.name}.away")
    path.rename(away)
    ended = stage.run(step)
    if path.exists():
        shutil.rmtree(path)
    away.rename(path)
    return ended.status


@pytest.mark.slow
def test_what_is_missing_between_steps(stage: Stage) -> None:
    """The token, the module, the state directory: each is missed by name, and nothing else happens."""
    needed = 0
    for told in stage.tell(STORY):
        stage.put_back(told.before)
        if not told.step.is_struck:
            continue
        before = stage.shape(told.step.who)
        home = stage.people[told.step.who].directory / "home"
        assert _take_away(stage, home, told.step) == NotKnown.exit
        places = [stage.token(told.step.who)]
        if stage.kind == "softhsm":
            places.append(stage.directory / "module.so")
        missed = {_take_away(stage, path, told.step) for path in places}
        if missed == {0}:
            continue  # it needs no token
        assert missed <= {TokenNotFound.exit, ModuleUnavailable.exit, TokenLost.exit}
        assert stage.shape(told.step.who) == before
        stage.take(told.step)
        needed += 1
    assert needed > 3


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["softhsm"], indirect=True)
def test_the_file_that_softhsm2_loses(stage: Stage) -> None:
    """As if the machine had stopped in a login: nothing but that file has to be put back."""
    [told, *_] = stage.tell(STORY)
    stage.put_back(told.before)
    for path in stage.token("alice").glob("*/token.object"):
        path.write_bytes(b"")
    ended = stage.run(told.step)
    assert ended.status == TokenNotFound.exit
    assert "no token matches" in ended.stderr
    stage.restore_token(told.before)
    stage.take(told.step)


@pytest.mark.slow
def test_who_finds_the_state_directory_locked_waits_and_then_says_so(stage: Stage) -> None:
    waited = 0
    for told in stage.tell(STORY):
        stage.put_back(told.before)
        if told.step.is_struck:
            lock = os.open(stage.people[told.step.who].directory / "home/lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            ended = stage.run(told.step, patience=0.05)
            os.close(lock)
            assert ended.status in (0, StorageProblem.exit), ended
            assert ended.status == 0 or "another process is at work" in ended.stderr
            waited += ended.status != 0
        stage.take(told.step)
    assert waited > 3


@pytest.mark.slow
def test_files_from_the_future_and_from_the_past(stage: Stage) -> None:
    """A clock that is put forward and back shows in the times of files, and nowhere else."""
    for number, told in enumerate(stage.tell(STORY)):
        if number == 0:
            stage.put_back(told.before)
        for path in stage.directory.rglob("*"):
            os.utime(path, times=(number % 2 << 32, number % 2 << 32), follow_symlinks=False)
        stage.take(told.step)


def test_nothing_asks_the_clock_for_the_time() -> None:
    """What a ceremony signs and keeps holds no time; waiting is measured on a clock that nobody sets.

    But an agent has rules by the hour, and a log.
    """
    asked = {
        (path.name, ast.unparse(node))
        for path in Path(frost_hsm.__file__).parent.rglob("*.py")
        if not {"testing", "agent"} & {*path.parts}
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in CLOCK
    }
    asked = {(name, what) for name, what in asked if what != "given.now"}  # handed in
    assert asked == {
        ("things.py", "time.time"),  # the time that whoever asks puts into what is signed, where its format has one
        ("softhsm.py", "time.time"),  # whether SoftHSM2 is writing a token's file at this moment
        ("attempts.py", "time.time"),  # how long ago an answer was kept: whether to wait on, in an attempt or another
        ("agent.py", "datetime.now"),  # what its rules say now, and when it wrote its log
        ("profiles.py", "datetime.fromtimestamp"),
        ("cms.py", "datetime.fromtimestamp"),
        ("words.py", "(_EPOCH + timedelta(seconds=seconds)).strftime"),
    }
