"""What the person who asks for a signature says in options: read, or refused with `NotPossible`."""

from __future__ import annotations

from collections.abc import Iterable

from frost_hsm.errors import NotPossible
from frost_hsm.targets import words


def names(text: str) -> list[str]:
    """Take a list apart: alice,root."""
    return [each.strip() for each in text.split(",") if each.strip()]


def number(text: str) -> int:
    """Read a natural number below 2^63."""
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 1 << 63):
        raise NotPossible(f"{words.quoted(text)} is not a number")
    return int(text)


def one_of(text: str, known: Iterable[str]) -> str:
    """Take one of a few words."""
    if text not in known:
        raise NotPossible(f"{words.quoted(text)} is none of {', '.join(known)}")
    return text
