"""People made once for many tests: each test gets a copy of them as they were, in a folder of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from stage import parties
from stage.parties import Party


class Stage:
    """A folder with people in it, who have software tokens: files, so a copy of the folder is all of them.

    make: makes them in a folder.
    """

    def __init__(self, directory: Path, make: Callable[[Path], list[Party]]) -> None:
        self._made = directory / "made"
        self._parties = make(self._made)

    def people(self, directory: Path) -> list[Party]:
        """Copy them to ``directory``, which is new; their configuration names the token where it is there."""
        shutil.copytree(self._made, directory)
        moved = [self._moved(party, directory) for party in self._parties]
        for party in moved:
            configuration = party.directory / "home/config.toml"
            configuration.write_text(self._there(configuration.read_text(), directory))
        return moved

    def _moved(self, party: Party, directory: Path) -> Party:
        return replace(party, directory=directory / party.name, uri=self._there(party.uri, directory), pins_asked=0)

    def _there(self, text: str, directory: Path) -> str:
        return text.replace(str(self._made), str(directory))


def with_key(
    directory: Path, suite: str = "p256", names: Sequence[str] = ("alice", "bob", "carol"), **options: object
) -> Stage:
    """Alice, Bob and Carol, or who else is named; two of them sign."""

    def make(folder: Path) -> list[Party]:
        people = parties.gather(folder, names)
        parties.generate(people, suite=suite, **options)  # type: ignore[arg-type]
        return people

    return Stage(directory, make)
