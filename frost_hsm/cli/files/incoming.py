"""What came from the others, and the proof that is kept when it convicts somebody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from frost_hsm.ceremony.history.transcript import Transcript
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.inbox import FIRST_LINE, Inbox, Incoming
from frost_hsm.cli.files import door
from frost_hsm.cli.options import Function
from frost_hsm.cli.talk import looks
from frost_hsm.cli.talk.output import say
from frost_hsm.cli.talk.text import quoted
from frost_hsm.errors import (
    CeremonyStopped,
    FileMissing,
    ForeignMessage,
    FrostHsmError,
    InputProblem,
    InvalidContents,
    MalformedMessage,
    ProtocolViolation,
)

_SHOWN = 3  # files that were passed over
_LISTED = 20  # files that are broken


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
    files, others = gather(paths, directory)
    inbox = Inbox(files)
    try:
        yield inbox
    except (ProtocolViolation, CeremonyStopped) as error:
        _hand_out_evidence(error, transcript, stem)
        raise
    finally:
        passed_over = sorted([*others, *(Path(label).name for label in inbox.passed_over)])
        if passed_over:
            shown = [quoted(name) for name in passed_over[:_SHOWN]]
            if len(passed_over) > _SHOWN:
                shown.append(f"and {len(passed_over) - _SHOWN} more")
            where = f" in {quoted(directory)}" if directory is not None else ""
            say(f"note: passed over{where}, as not belonging here: {', '.join(shown)}")


def gather(
    paths: Sequence[str], directory: str | None, *, is_any_welcome: bool = False
) -> tuple[list[Incoming], list[str]]:
    """Find the messages among the files that were named and those of a directory; also return the names of the others.

    is_any_welcome: a file that was named, too, is passed over if it does not belong.

    One file at a time is in memory, and of what is no message only its beginning: it may be anybody's folder of
    downloads. Raises `MalformedMessage` for all at once that were messages before something happened to them.
    """
    files, others = [], []
    broken: list[FrostHsmError] = []
    for path in paths:
        if path == door.STANDARD or not Path(path).is_file():  # a pipe can be read once
            files.append(Incoming(path, door.inside(door.read(path)), named=not is_any_welcome))
        else:
            broken += _wrong(path)
            files.append(Incoming(path, partial(_read, path), named=not is_any_welcome))
    for found in door.list_directory(directory) if directory is not None else ():
        path = str(found)
        try:
            beginning = door.beginning(path)
        except FileMissing as error:
            broken.append(error)
            continue
        if not looks.is_meant(beginning):
            others.append(found.name)
        elif looks.is_hollow(beginning):
            broken.append(MalformedMessage(f"{path}: this is no message, though it begins like one"))
        elif problems := _wrong(path):
            broken += problems
        else:
            files.append(Incoming(path, partial(_read, path), named=False))
    if len(broken) == 1:
        raise broken[0]
    if broken:
        raise MalformedMessage(
            f"{len(broken)} files cannot be read, or were damaged on their way",
            hint="ask for them again, as attachments; what is no message can lie elsewhere",
            details=[str(error) for error in broken[:_LISTED]]
            + ([f"and {len(broken) - _LISTED} more"] if len(broken) > _LISTED else []),
        )
    return files, others


def _read(path: str) -> bytes:
    return door.inside(door.read(path))


def _wrong(path: str) -> list[FrostHsmError]:
    """Say what is wrong with the form of a file, or with reading it."""
    try:
        data = door.read(path)
    except (FileMissing, MalformedMessage) as error:
        return [error]
    if data.count(FIRST_LINE) > 1:  # a bundle, or evidence: whole in itself, or nobody's business here
        return []
    try:
        signed.parse(door.inside(data))
    except (ForeignMessage, InvalidContents):
        return []
    except MalformedMessage as error:
        return [door.named(error, path, data)]
    return []


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
