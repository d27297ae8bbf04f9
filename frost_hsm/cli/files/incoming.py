"""What came from the others, and the proof that is kept when it convicts somebody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from frost_hsm.ceremony.history.transcript import Transcript
from frost_hsm.ceremony.messages.inbox import FIRST_LINE, Inbox, Incoming
from frost_hsm.cli.files import door
from frost_hsm.cli.options import Function
from frost_hsm.cli.talk.output import say
from frost_hsm.errors import CeremonyStopped, FrostHsmError, InputProblem, ProtocolViolation

_SHOWN = 3


def inputs(function: Function) -> Function:
    """Add ``[FILES]…`` and ``--in DIR`` to a command: messages of the others, in any order."""
    function = click.option("--in", "directory", metavar="DIR", help="A directory with the others' files.")(function)
    return click.argument("paths", nargs=-1, metavar="[FILES]...")(function)


@contextmanager
def taking_in(paths: Sequence[str], directory: str | None, transcript: Transcript, stem: str) -> Iterator[Inbox]:
    """Lend an inbox with the files that were named and those of a directory.

    When a participant is convicted, the proof is written as STEM.evidence.pem, to be shown around; a complaint as
    STEM.ME.complaint.pem.
    """
    incoming = [Incoming(path, door.read(path)) for path in paths]
    if directory is not None:
        # It may be anybody's folder of downloads: what is no message is not read, however large it is.
        incoming += [
            Incoming(str(path), door.read(str(path), beginning=FIRST_LINE), named=False)
            for path in door.list_directory(directory)
        ]
    inbox = Inbox(incoming)
    try:
        yield inbox
    except (ProtocolViolation, CeremonyStopped) as error:
        _hand_out_evidence(error, transcript, stem)
        raise
    finally:
        if inbox.passed_over:
            shown = [Path(label).name for label in inbox.passed_over[:_SHOWN]]
            if len(inbox.passed_over) > _SHOWN:
                shown.append(f"and {len(inbox.passed_over) - _SHOWN} more")
            where = f" in {directory}" if directory is not None else ""
            say(f"note: passed over{where}, as not belonging here: {', '.join(shown)}")


def _hand_out_evidence(error: FrostHsmError, transcript: Transcript, stem: str) -> None:
    """Write what a step stopped for beside its other files, or say where it is kept."""
    evidence, verdict = transcript.evidence(), transcript.verdict()
    if evidence is None or verdict is None:
        return
    is_complaint = transcript.me.name in verdict.claiming
    path = f"{stem}.{transcript.me.name}.complaint.pem" if is_complaint else f"{stem}.evidence.pem"
    try:
        door.write(path, evidence)
    except InputProblem:  # the verdict matters more
        path = str(transcript.evidence_path)
    where = f"{'complaint' if is_complaint else 'evidence'} in {path}"
    error.hint = "; ".join(filter(None, (error.hint, where)))
