"""The table at which most attacks are mounted, and a group with a key, put back after each."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from attacks.table import Table
from stage import parties
from stage.parties import Party

NAMES = ("alice", "bob", "carol")


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


@pytest.fixture
def trio(tmp_path: Path) -> list[Party]:
    """Alice, Bob and Carol, who know each other and have no key yet."""
    return parties.gather(tmp_path, NAMES)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of three people who have a key, and beside it what it is put back to."""
    directory = tmp_path_factory.mktemp("attacks") / "stage"
    parties.generate(parties.gather(directory, NAMES))
    shutil.copytree(directory, directory.with_name("before"))
    return directory


@pytest.fixture
def group(prepared: Path) -> list[Party]:
    """Alice, Bob and Carol with a key, of whom two sign."""
    shutil.rmtree(prepared)
    shutil.copytree(prepared.with_name("before"), prepared)
    return [Party(name, prepared / name, f"software:{prepared / name / name}.token") for name in NAMES]
