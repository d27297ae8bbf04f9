"""What came from the others, and the proof that is kept when it convicts somebody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from frost_hsm.ceremony.inbox import FIRST_LINE, Inbox, Incoming
from frost_hsm.ceremony.transcript import Transcript
from frost_hsm.cli import files
from frost_hsm.cli.options import Function
from frost_hsm.cli.output import say
from frost_hsm.errors import InputProblem, ProtocolViolation

_SHOWN = 3


def inputs(function: Function) -> Function:
    """Add ``[FILES]…`` and ``--in DIR`` to a command: messages of the others, in any order."""
    function = click.option("--in", "directory", metavar="DIR", help="A directory with the others' files.")(function)
    return click.argument("paths", nargs=-1, metavar="[FILES]...")(function)


@contextmanager
def taking_in(paths: Sequence[str], directory: str | None, transcript: Transcript, stem: str) -> Iterator[Inbox]:
    """Lend an inbox with the files that were named and those of a directory.

    When a participant is convicted, the proof is written as STEM.evidence.pem, to be shown around.
    """
    incoming = [Incoming(path, files.read(path)) for path in paths]
    if directory is not None:
        # It may be anybody's folder of downloads: what is no message is not read, however large it is.
        incoming += [
            Incoming(str(path), files.read(str(path), beginning=FIRST_LINE), named=False)
            for path in files.list_directory(directory)
        ]
    inbox = Inbox(incoming)
    try:
        yield inbox
    except ProtocolViolation as violation:
        _keep_evidence(violation, transcript.evidence(), f"{stem}.evidence.pem")
        raise
    finally:
        if inbox.passed_over:
            shown = [Path(label).name for label in inbox.passed_over[:_SHOWN]]
            if len(inbox.passed_over) > _SHOWN:
                shown.append(f"and {len(inbox.passed_over) - _SHOWN} more")
            where = f" in {directory}" if directory is not None else ""
            say(f"note: passed over{where}, as not belonging here: {', '.join(shown)}")


def _keep_evidence(violation: ProtocolViolation, evidence: bytes | None, path: str) -> None:
    if evidence is None:
        return
    with suppress(InputProblem):  # the state directory keeps it too, and the verdict matters more
        files.write(path, evidence, force=True)
        violation.hint = "; ".join(filter(None, (violation.hint, f"evidence in {path}")))
