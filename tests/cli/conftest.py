from __future__ import annotations

from pathlib import Path

import pytest
from stage import parties, staging
from stage.parties import Party
from stage.staging import Stage


@pytest.fixture(scope="session")
def stage_of_people(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("people"), parties.gather)


@pytest.fixture(scope="session")
def stage_of_group(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return staging.with_key(tmp_path_factory.mktemp("group"))


@pytest.fixture
def people(stage_of_people: Stage, tmp_path: Path) -> list[Party]:
    """Alice, Bob and Carol, who know each other and have done nothing yet."""
    return stage_of_people.people(tmp_path / "people")


@pytest.fixture
def group(stage_of_group: Stage, tmp_path: Path) -> list[Party]:
    """The three with an active key, of which two sign."""
    return stage_of_group.people(tmp_path / "people")
