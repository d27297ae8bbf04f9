"""What a command says: data on stdout, talk on stderr, one JSON object for programs, an exit status for scripts."""

from __future__ import annotations

import os
import sys
from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO

import click

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
    for line in result.lines:
        say(line, to_stderr=as_json or result.raw is not None)
    if result.next_step is not None:
        say(f"Next: {result.next_step}")
    if as_json:
        document: dict[str, object] = {"schema": f"frost-hsm/{result.schema}/1", "ok": True, **result.fields}
        if result.next_step is not None:
            document["next"] = result.next_step
        if result.raw is not None:
            document["data"] = b2a_base64(result.raw, newline=False).decode()
        _write_json(document)
    elif result.raw is not None:
        _write(result.raw)


def show_error(error: FrostHsmError, *, as_json: bool) -> None:
    """Write an error: one sentence and a hint on stderr; with ``--json`` also one object on stdout."""
    for line in f"error: {error}".split("\n"):
        say(line)
    if error.hint is not None:
        say(f"hint: {error.hint}")
    if as_json:
        described = {
            "code": error.code,
            "culprits": [str(culprit) for culprit in error.culprits],
            "message": str(error),
            "hint": error.hint,
        }
        _write_json({"schema": "frost-hsm/error/1", "ok": False, "error": described})


def say(line: str, *, to_stderr: bool = True) -> None:
    """Write one line of talk, its first word in colour where it is one of ours and a terminal takes colour."""
    word, space, rest = printable(line).partition(" ")
    if word in _COLOURS and _takes_colour(sys.stderr if to_stderr else sys.stdout):
        word = click.style(word, fg=_COLOURS[word])
    click.echo(f"{word}{space}{rest}", err=to_stderr)


_COLOURS = {"error:": "red", "hint:": "cyan", "ok": "green", "warn": "yellow"}


def _takes_colour(stream: TextIO | None) -> bool:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not plain and stream is not None and stream.isatty()


def printable(line: str) -> str:
    """Replace what could steer a terminal or hide text in it: names of files, and of tokens, are chosen by others."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)


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


def _write_json(document: Mapping[str, object]) -> None:
    import json  # here, because it is slow to load and most runs do not need it

    _write(json.dumps(document, separators=(",", ":")).encode() + b"\n")


def _write(data: bytes) -> None:
    """Write to stdout, all of it now: what cannot be written must fail here and not when Python ends."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (OSError, AttributeError) as error:  # AttributeError: stdout was closed before we started
        reason = error.strerror if isinstance(error, OSError) else "it is closed"
        raise StorageProblem(f"cannot write to stdout: {reason}", hint="write to a file with -o") from error


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out rows in columns."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [header, *rows]
    ]


def grouped(data: bytes) -> str:
    """Write bytes for people to compare: lower-case hex in groups of four."""
    return data.hex(" ", 2)
