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
    """Where the files for each go. Their folders are made, and tried, before anything is said."""

    def __init__(
        self, transcript: Transcript, kind: type[Enclosing], folder: str, file: str, output: str | None, *, force: bool
    ) -> None:
        """Make the folders. kind: of the message. output: what ``-o`` names.

        Raises `UsageProblem`, and as `door.make_folder` and `door.check_output` do.
        """
        if output is not None:
            raise UsageProblem("--each writes many files, and -o one")
        self._transcript = transcript
        self._kind = kind
        self._force = force
        names = [name for name in transcript.expected if name != transcript.me.name]
        self._paths = {name: Path(folder) / name / file for name in names}
        made = dict(transcript.parts(kind))
        for name, path in self._paths.items():
            door.make_folder(path.parent)
            door.check_output(str(path), force=force, again=made.get(name))
        self.paths = list(map(str, self._paths.values()))
        self.title = f"{Path(folder)}/WHO/{file}"
        self.whom = ", ".join(names)

    def write(self) -> str:
        """Write them; returns the line that says so."""
        for name, data in self._transcript.parts(self._kind):
            door.write(str(self._paths[name]), data, force=self._force)
        return f"Wrote {self.title} for {self.whom}"
