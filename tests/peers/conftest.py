"""Peers for tests: built once, started once for each ciphersuite."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from peers.noble_curves import Noble
from peers.process import PeerProcess
from peers.zcash_foundation import Rust
from stage import building

from frost_hsm.frost.ciphersuites import ALL, Ciphersuite


@pytest.fixture(scope="session", params=ALL, ids=lambda suite: suite.name)
def suite(request: pytest.FixtureRequest) -> Ciphersuite:
    chosen: Ciphersuite = request.param
    return chosen


@pytest.fixture(scope="session")
def rust(suite: Ciphersuite) -> Iterator[Rust]:
    """ZcashFoundation's crates for the suite."""
    with _start(building.rust, suite) as process:
        yield Rust(suite, process)


@pytest.fixture(scope="session")
def noble(suite: Ciphersuite) -> Iterator[Noble]:
    """@noble/curves for the suite."""
    with _start(building.noble, suite) as process:
        yield Noble(suite, process)


def _start(build: Callable[[Ciphersuite], Sequence[str]], suite: Ciphersuite) -> PeerProcess:
    try:
        return PeerProcess(build(suite))
    except building.Unavailable as problem:
        pytest.skip(str(problem))
