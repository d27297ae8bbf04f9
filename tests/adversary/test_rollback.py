"""Where nothing stands in the way of a rollback, the person is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import parties

from frost_hsm.backends import Capability
from frost_hsm.backends.software.token import SoftwareToken


@pytest.mark.parametrize(("lacks", "told"), [(set(), 0), ({Capability.DATA}, 1)])
def test_doctor_warns_of_nonces_in_the_state_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacks: set[Capability], told: int
) -> None:
    monkeypatch.setattr(SoftwareToken, "capabilities", frozenset(Capability) - lacks)
    [alice, *_] = parties.gather(tmp_path)
    warnings = [line for line in alice.run("doctor").stdout.splitlines() if line.startswith("warn")]
    assert sum("never put an older copy of the state directory back" in line for line in warnings) == told
