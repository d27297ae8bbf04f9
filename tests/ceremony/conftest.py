"""Three people with a key, made once: each test that asks for them gets a copy."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import staging
from stage.parties import Party
from stage.staging import Stage


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Where ``trio`` comes from; a module may have another one."""
    return staging.with_key(tmp_path_factory.mktemp("trio"))


@pytest.fixture
def trio(stage: Stage, tmp_path: Path) -> list[Party]:
    """Alice, Bob and Carol with an active key, of which two sign."""
    return stage.people(tmp_path / "people")
