"""The modules that tests run on, each started for one test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from modules import starting
from modules.owner import Owner
from modules.starting import MODULES, Started
from stage.preloaded import Preloaded

Start = Callable[[str], Started]
Own = Callable[[Started], Owner]


@pytest.fixture(params=os.environ.get("FROST_HSM_MODULES", " ".join(MODULES)).split())
def name(request: pytest.FixtureRequest) -> str:
    """The name of each module in turn; FROST_HSM_MODULES names others."""
    return str(request.param)


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a module by name, until the test ends; where it is not installed the test is skipped."""
    with ExitStack() as stack:

        def started(name: str) -> Started:
            try:
                return stack.enter_context(starting.start(name))
            except starting.Unavailable as problem:
                pytest.skip(str(problem))

        yield started


@pytest.fixture
def module(name: str, start: Start) -> Started:
    """Each module in turn."""
    return start(name)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Own]:
    """Alice owns the token of a module: ``own(module)``. A process that has loaded all commands forks them for her."""
    with ExitStack() as stack:

        def owner(module: Started) -> Owner:
            alice = Owner.of(module, tmp_path / "people/alice")
            alice.program = stack.enter_context(Preloaded(module.command))
            return alice

        yield owner
