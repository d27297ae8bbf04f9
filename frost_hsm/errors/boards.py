"""Boards that are away or cannot be used."""

from __future__ import annotations

from frost_hsm.errors.kinds import FrostHsmError


class BoardProblem(FrostHsmError):
    """A board that cannot be used as it is: not installed, not permitted, full, or none."""

    code = "board"
    exit = 69
    default_hint = "frost-hsm board check URI says what works"


class BoardUnreachable(BoardProblem):
    """A board that is away; the same command works once it is back."""

    code = "board-unreachable"
    exit = 75
    default_hint = "see that it is there and run the same command again; nothing is lost"
