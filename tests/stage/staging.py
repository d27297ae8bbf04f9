"""People with a key, made once for many tests: each test gets them as they were, in the same place."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from stage import parties
from stage.parties import Party


class Stage:
    """A folder with people in it, which is put back to what it was before each test.

    make: makes them in a folder. Tokens are files, so a copy of the folder is all of them.
    """

    def __init__(self, directory: Path, make: Callable[[Path], list[Party]]) -> None:
        self._stage, self._before = directory / "stage", directory / "before"
        self._parties = make(self._stage)
        shutil.copytree(self._stage, self._before)

    def people(self) -> list[Party]:
        shutil.rmtree(self._stage)
        shutil.copytree(self._before, self._stage)
        return [Party(party.name, party.directory, party.uri, party.settings) for party in self._parties]


def with_key(directory: Path, suite: str = "p256", **options: object) -> Stage:
    """Alice, Bob and Carol, of whom two sign."""

    def make(folder: Path) -> list[Party]:
        people = parties.gather(folder)
        parties.generate(people, suite=suite, **options)  # type: ignore[arg-type]
        return people

    return Stage(directory, make)
