"""What a command says: data on stdout, talk on stderr, one JSON object for programs, an exit status for scripts."""

from __future__ import annotations

import os
import sys
from binascii import b2a_base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TextIO

import click

from frost_hsm.cli.talk.text import visible
from frost_hsm.errors import FrostHsmError, NotPossible, StorageProblem


@dataclass(frozen=True, slots=True)
class Result:
    """What a command returns; how it is shown is decided here and nowhere else."""

    schema: str
    """The JSON form is ``frost-hsm/SCHEMA/1``: fields may be added to a number, their meaning stays."""
    lines: Sequence[str] = ()
    fields: Mapping[str, object] = field(default_factory=dict)
    next_step: str | None = None
    raw: bytes | None = None
    """Data asked for on stdout: alone there, all text then goes to stderr. In JSON it is ``data``, in base64."""


def show(result: Result, *, as_json: bool) -> None:
    """Write a result: lines and the next step as text, or one JSON object on stdout and the text on stderr."""
    if result.raw is not None and not as_json:
        require_showable(result.raw)
    if as_json or result.raw is not None:
        for line in result.lines:
            say(line)
    else:
        write_lines(result.lines)
    if result.next_step is not None:
        say(f"Next: {result.next_step}")
    if as_json:
        document: dict[str, object] = {"schema": f"frost-hsm/{result.schema}/1", "ok": True, **result.fields}
        if result.next_step is not None:
            document["next"] = result.next_step
        if result.raw is not None:
            document["data"] = b2a_base64(result.raw, newline=False).decode()
        write_json(document)
    elif result.raw is not None:
        _write(result.raw)


def show_error(error: FrostHsmError, *, as_json: bool) -> None:
    """Write an error to stderr: a sentence, its details, a hint; with ``--json`` also one object to stdout."""
    for line in (f"error: {error}", *(f"  {detail}" for detail in error.details)):
        say(line)
    if error.hint is not None:
        say(f"hint: {error.hint}")
    if as_json:
        described = {
            "code": error.code,
            "culprits": [str(culprit) for culprit in error.culprits],
            "message": "\n  ".join([str(error), *error.details]),
            "hint": error.hint,
        }
        write_json({"schema": "frost-hsm/error/1", "ok": False, "error": described})


def say(line: str) -> None:
    """Write one line of talk to stderr. Talk that nobody can hear is lost, and nothing else is."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            print(_coloured(line, sys.stderr), file=sys.stderr, flush=True)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep what modules write to stderr by themselves away from our talk, while those are asked that nobody named.

    A module of a TPM that is not there writes twenty lines.
    """
    try:
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except OSError:  # it is closed, so nobody hears them
        yield
        return
    ours = sys.stderr
    try:
        if ours is not None:
            ours.flush()
            if ours.fileno() == 2:
                sys.stderr = open(kept, "w", encoding=ours.encoding, errors=ours.errors, closefd=False)
    except (OSError, ValueError):  # talk goes elsewhere, or is lost anyway
        pass
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        sys.stderr = ours
        os.close(kept)
        os.close(nowhere)


def _coloured(line: str, stream: TextIO) -> str:
    """Return a line as it may be shown, its first word in colour where it is one of ours and the terminal takes it."""
    word, space, rest = visible(line).partition(" ")
    if word in _COLOURS and _takes_colour(stream):
        word = click.style(word, fg=_COLOURS[word])
    return f"{word}{space}{rest}"


_COLOURS = {"error:": "red", "warning:": "yellow", "hint:": "cyan", "ok": "green", "warn": "yellow"}


COLOURED = ("auto", "always", "never")


@dataclass
class Colour:
    """When colour is used: ``auto`` (on a terminal that takes it), ``always`` or ``never``; as ``--color`` says."""

    when: str = "auto"


COLOUR = Colour()


def _takes_colour(stream: TextIO) -> bool:
    if COLOUR.when != "auto":
        return COLOUR.when == "always"
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not plain and stream.isatty()


def require_open() -> None:
    """Refuse to write to a stdout that is closed, before anything is done for it. Raises `StorageProblem`."""
    if sys.stdout is None or sys.stdout.closed:
        raise StorageProblem("cannot write to stdout: it is closed", hint="write to a file with -o")


def require_showable(data: bytes | None = None) -> None:
    """Refuse to write to a terminal what is not plain text; None if it is known to be none."""
    if sys.stdout is None or not sys.stdout.isatty():
        return
    if data is None or not _is_text(data):
        raise NotPossible("this is not text, and stdout is a terminal", hint="write it to a file: -o FILE, or > FILE")


def _is_text(data: bytes) -> bool:
    try:
        return all(letter.isprintable() or letter in "\n\t" for letter in data.decode())
    except UnicodeDecodeError:
        return False


def write_json(document: Mapping[str, object]) -> None:
    """Write one JSON object, on a line of its own, to stdout. Raises `StorageProblem`."""
    import json  # here, because it is slow to load and most runs do not need it

    _write(json.dumps(document, separators=(",", ":")).encode() + b"\n")


def write_lines(lines: Sequence[str]) -> None:
    """Write lines of text to stdout. Raises `StorageProblem`."""
    if lines:
        text = "".join(f"{_coloured(line, sys.stdout) if sys.stdout is not None else line}\n" for line in lines)
        _write(text.encode(getattr(sys.stdout, "encoding", "utf-8"), "backslashreplace"))


def _write(data: bytes) -> None:
    """Write to stdout, all of it now: what cannot be written must fail here and not when Python ends."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError) as error:  # AttributeError: stdout was closed before we started
        reason = error.strerror if isinstance(error, OSError) else "it is closed"
        if sys.stdout is not None:
            let_go(sys.stdout)
        raise StorageProblem(
            f"cannot write to stdout: {reason}", hint="what was done stays done; see that stdout can be written to"
        ) from error


def let_go(stream: TextIO) -> None:
    """Drop what a stream did not take: Python would try again when it ends, with a status and a message of its own."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out rows in columns; where a terminal is too narrow for that, one below the other, a cell a line."""
    cells = [[visible(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    if sum(widths) + 2 * (len(widths) - 1) <= _width():
        return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
    widest = max(map(len, header))
    blocks = [[f"{name.ljust(widest)}  {cell}" for name, cell in zip(header, row, strict=True)] for row in cells[1:]]
    return [line for number, block in enumerate(blocks) for line in ([""] if number else []) + block]


def _width() -> int:
    """Return how many columns stdout has; a file, or a pipe, has as many as are needed."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or sys.maxsize
    except (OSError, ValueError, AttributeError):
        return sys.maxsize


def grouped(data: bytes) -> str:
    """Write bytes for people to compare: lower-case hex in groups of four."""
    return data.hex(" ", 2)
