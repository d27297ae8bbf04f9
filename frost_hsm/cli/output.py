"""What a command says: data on stdout, talk on stderr, one JSON object for programs, an exit status for scripts."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import click

from frost_hsm.errors import FrostHsmError


@dataclass(frozen=True, slots=True)
class Result:
    """What a command returns; how it is shown is decided here and nowhere else."""

    schema: str
    """The JSON form is ``frost-hsm/SCHEMA/1``: fields may be added to a number, their meaning stays."""
    lines: Sequence[str] = ()
    fields: Mapping[str, object] = field(default_factory=dict)
    next_step: str | None = None
    raw: bytes | None = None
    """Data asked for on stdout by ``-o -``: alone there, all text then goes to stderr."""


def show(result: Result, *, as_json: bool) -> None:
    """Write a result: lines and the next step as text, or one JSON object on stdout and the text on stderr."""
    text_to_stderr = as_json or result.raw is not None
    for line in result.lines:
        click.echo(line, err=text_to_stderr)
    if result.next_step is not None:
        click.echo(f"Next: {result.next_step}", err=True)
    if result.raw is not None:
        sys.stdout.buffer.write(result.raw)
        sys.stdout.buffer.flush()
    elif as_json:
        document: dict[str, object] = {"schema": f"frost-hsm/{result.schema}/1", "ok": True, **result.fields}
        if result.next_step is not None:
            document["next"] = result.next_step
        click.echo(json.dumps(document, ensure_ascii=False, separators=(",", ":")))


def show_error(error: FrostHsmError, *, as_json: bool) -> None:
    """Write an error: one sentence and a hint on stderr; with ``--json`` also one object on stdout."""
    click.echo(f"{emphasis('error:', 'red')} {error}", err=True)
    if error.hint is not None:
        click.echo(f"{emphasis('hint:', 'cyan')} {error.hint}", err=True)
    if as_json:
        described = {
            "code": error.code,
            "culprits": [str(culprit) for culprit in error.culprits],
            "message": str(error),
            "hint": error.hint,
        }
        document = {"schema": "frost-hsm/error/1", "ok": False, "error": described}
        click.echo(json.dumps(document, ensure_ascii=False, separators=(",", ":")))


def emphasis(word: str, colour: str) -> str:
    """Colour a word where stderr is a terminal that takes it; the meaning is always in the word too."""
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb" or not sys.stderr.isatty()
    return word if plain else click.style(word, fg=colour)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out rows in columns."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [header, *rows]
    ]


def grouped(data: bytes) -> str:
    """Write bytes for people to compare: lower-case hex in groups of four."""
    digits = data.hex()
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))
