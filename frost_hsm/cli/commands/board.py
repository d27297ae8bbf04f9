"""``frost-hsm board``: the places where messages lie while people are apart."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import click

from frost_hsm.boards.reading import PROBE
from frost_hsm.cli.options import command
from frost_hsm.cli.parsing import group
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import BoardProblem, FrostHsmError

_SHOWN = 10


@group
def board() -> None:
    """Look after the boards, where messages lie while people are apart."""


@command(board, "check")
@click.argument("uri", metavar="URI")
def check(place: Workplace, uri: str) -> Result:
    """Say whether the board at URI works.

    Reads all that is there, then posts a probe of some 60 bytes and reads it back as somebody else would. The probe
    stays there, and everybody's program passes over it. Each finding is a line; what does not work is the error.

    URI is dir:PATH, git:REPOSITORY#BRANCH or nats://HOST/STREAM, or what an installed plug-in brings.
    """
    findings = []
    try:
        for each in _findings(place, uri):
            findings.append(each)
    except FrostHsmError:
        for text in findings:
            place.terminal.message(f"ok    {text}")
        raise
    lines = [*(f"ok    {text}" for text in findings), "the board works"]
    return Result("board-check", lines, {"uri": uri, "findings": findings})


def _findings(place: Workplace, uri: str) -> Iterator[str]:
    with place.board(uri) as board:
        number = size = 0
        for _, data in board.messages():
            number, size = number + 1, size + len(data)
        yield f"{uri} is there"
        yield f"{number} message{'s' * (number != 1)} of {size} bytes read"
        over = list(board.passed_over)
        for line in over[:_SHOWN]:
            yield f"passed over: {line}"
        if len(over) > _SHOWN:
            yield f"passed over: {len(over) - _SHOWN} more"
        yield f"it takes messages of up to {board.max_size} bytes"
        probe = PROBE + os.urandom(16).hex().encode() + b"\n"
        started = time.monotonic()
        board.post(probe)
    with place.board(uri) as again:
        if probe not in (data for _, data in again.messages()):
            raise BoardProblem(f"{uri} took a probe and does not give it back")
        yield f"a probe was posted, and given back after {time.monotonic() - started:.1f} s"
