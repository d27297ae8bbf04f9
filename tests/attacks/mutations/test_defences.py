"""Each defence is taken out of a copy of the program, and the attack that it stops has to succeed there.

A test that no defence can make fail shows nothing; and a defence that nothing notices may as well be gone.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attacks.mutations import mounting
from attacks.mutations.defence import Defence
from attacks.mutations.defences import DEFENCES

import frost_hsm
from frost_hsm.groups.native import library

PROGRAM = Path(frost_hsm.__file__).parent

Operate = Callable[[Defence], dict[str, Any]]


@pytest.fixture(scope="module")
def operate() -> Iterator[Operate]:
    """Have an attack mounted on the program without one defence, by a process that forks for each."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "TMPDIR": tempfile.gettempdir()}
    environment[library.SWITCH] = "0"  # what is taken out is in Python
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_ADDOPTS"):
        environment.pop(name, None)
    command = [sys.executable, mounting.__file__]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, answers = process.stdin, process.stdout

        def mount(defence: Defence) -> dict[str, Any]:
            asked.write(f"{DEFENCES.index(defence)}\n")
            asked.flush()
            answer: dict[str, Any] = json.loads(answers.readline())
            return answer

        yield mount
        asked.close()


@pytest.mark.slow
@pytest.mark.parametrize("defence", DEFENCES, ids=lambda defence: f"{defence.attack}: {defence.what}")
def test_the_attack_succeeds_without_its_defence(defence: Defence, operate: Operate) -> None:
    outcome = operate(defence)
    assert "failed" not in outcome, outcome
    assert Path(outcome["program"]).parent != PROGRAM
    assert any(how.startswith(defence.shows) for _, how in outcome["ended"]), outcome["ended"]


@pytest.mark.parametrize("defence", DEFENCES, ids=lambda defence: f"{defence.attack}: {defence.what}")
def test_the_defence_is_where_it_was(defence: Defence) -> None:
    """Should this fail: say in `of_keys`, `of_signing` or `of_company` what stands there now, and run the slow tests of this file."""
    assert len(defence.nodes()) == 1, f"there is no test {defence.attack}"
    for name, old, new in defence.edits:
        assert (PROGRAM / name).read_text().count(old) == 1, f"{name}: {old}"
        assert old != new


def test_every_attack_has_a_defence() -> None:
    found = [re.match(r"test_[kps]\d\d", defence.attack) for defence in DEFENCES if "::" not in defence.attack]
    named = {each[0] for each in found if each is not None}
    tests = {
        name
        for path in Path(__file__).parents[1].glob("test_*.py")
        for name in re.findall(r"def (test_[kps]\d\d)", path.read_text())
    }
    assert tests == named
