"""A message that holds something for each of several people, written as a file for each of them."""

from __future__ import annotations

from pathlib import Path

import click

from frost_hsm.ceremony.history.transcript import Transcript
from frost_hsm.ceremony.messages.message import Enclosing
from frost_hsm.cli.files import door
from frost_hsm.cli.options import Function
from frost_hsm.errors import UsageProblem


def to_each(function: Function) -> Function:
    """Add ``--each``."""
    text = "In a large group: write a file for each, with what is for them alone, as DIR/WHO/FILE."
    return click.option("--each", metavar="DIR", help=text)(function)


class Parts:
    """Where the files for each go. Their folders are made before anything is said."""

    def __init__(self, transcript: Transcript, folder: str, file: str, output: str | None) -> None:
        """Make the folders. output: what ``-o`` names. Raises `UsageProblem`, as `door.make_folder` does."""
        if output is not None:
            raise UsageProblem("--each writes many files, and -o one")
        self._transcript = transcript
        self._folder = Path(folder)
        self._file = file
        names = [name for name in transcript.expected if name != transcript.me.name]
        for name in names:
            door.make_folder(self._folder / name)
        self.paths = [str(self._folder / name / file) for name in names]
        self.title = f"{self._folder}/WHO/{file}"
        self.whom = ", ".join(names)

    def write(self, kind: type[Enclosing], *, force: bool) -> str:
        """Write them; returns the line that says so."""
        for name, data in self._transcript.parts(kind):
            door.write(str(self._folder / name / self._file), data, force=force)
        return f"Wrote {self.title} for {self.whom}"
