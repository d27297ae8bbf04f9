from __future__ import annotations

from pathlib import Path

import pytest
from stage import parties
from stage.parties import Party


@pytest.fixture
def people(tmp_path: Path) -> list[Party]:
    """Alice, Bob and Carol, who know each other and have done nothing yet."""
    return parties.gather(tmp_path / "people")


@pytest.fixture
def group(people: list[Party]) -> list[Party]:
    """The three with an active key, of which two sign."""
    parties.generate(people)
    return people
