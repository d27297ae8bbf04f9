"""The long run, shortened: see benchmarks/long_run.py."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks import long_run
from conftest import TokenFixture
from stage import parties

SIGNATURES = 200
KILLS = 6
GROWTH = 4096  # KiB: of a process that has just started, and what SoftHSM2 keeps of 320 objects


@pytest.mark.slow
def test_many_signatures_with_kills(
    tmp_path: Path, new_token: Callable[..., TokenFixture], backend_settings: parties.Settings
) -> None:
    def token(name: str, folder: Path) -> str:
        if name == "alice":
            return str(new_token("long-run").uri)
        return parties.software_token(folder / f"{name}.token")

    alice, bob = parties.gather(tmp_path, ["alice", "bob"], new_token=token, settings=backend_settings)
    parties.generate([alice, bob])
    tokens = Path(os.environ["SOFTHSM2_CONF"]).parent / "tokens"
    report = long_run.run(alice, bob, tokens, SIGNATURES, KILLS, random.Random())
    assert report.signatures == SIGNATURES
    assert report.kills > 0
    assert report.left == []
    assert report.end - report.warm < GROWTH
