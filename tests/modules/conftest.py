"""The modules that tests run on, each started for one test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from modules import starting
from modules.starting import MODULES, Started

Start = Callable[[str], Started]


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
