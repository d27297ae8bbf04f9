"""What the person who asks for a signature says in options: read, or refused with `NotPossible`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from frost_hsm.errors import NotPossible
from frost_hsm.targets import words

_DAY: Final = 86400
_LAST: Final = 253402300799  # of the year 9999


def names(text: str) -> list[str]:
    """Take a list apart: alice,root."""
    return [each.strip() for each in text.split(",") if each.strip()]


def number(text: str) -> int:
    """Read a natural number below 2^63."""
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 1 << 63):
        raise NotPossible(f"{words.quoted(text)} is not a number")
    return int(text)


def until(now: int, days: str, *, for_ever: int | None = None) -> int:
    """Return when so many days from now on are over, in seconds since 1970; ``for_ever`` for 0, where that is given.

    Raises `NotPossible` for what is no number, and beyond the year 9999, for which most formats have no time.
    """
    count = number(days)
    if not count and for_ever is not None:
        return for_ever
    if (end := now + count * _DAY) > _LAST:
        raise NotPossible(f"{count} days from now on are beyond the year 9999", hint="fewer days")
    return end


def one_of(text: str, known: Iterable[str]) -> str:
    """Take one of a few words."""
    if text not in known:
        raise NotPossible(f"{words.quoted(text)} is none of {', '.join(known)}")
    return text
