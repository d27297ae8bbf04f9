"""Agreeing to sign: nobody signs what they have not been shown, and it is shown from memory.

Whoever could change the file while the question waits changes nothing: neither what is seen nor what is signed.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from frost_hsm.cli.talk.looks import look
from frost_hsm.cli.talk.terminal import Terminal
from frost_hsm.cli.talk.text import visible

_WIDTH = 54
"""Characters of a message on one line of ours: it fits 60 columns."""

_HEAD, _TAIL = 16, 8
"""Lines that are shown of a message that is longer than both together."""

_PIECE = re.compile(rf"(?P<blank>(?:[ \t\r]{{0,{_WIDTH}}}\n){{3,}})|[^\n]{{1,{_WIDTH}}}\n?|\n")
"""Lines that hold nothing, or what fits on one of ours. Longer blanks are cut too, so that none is looked at often."""
_DUMPED = 16  # bytes on a line


def message_line(message: bytes) -> str:
    """Say which message it is."""
    return f"  message  {len(message)} bytes, sha256 {_digest(message)}"


NO = "you did not agree to sign; nothing was changed"


class Asked(NamedTuple):
    """One thing that is to be signed: what people call it, its bytes, and what of it they may look into."""

    name: str
    data: bytes
    shown: bytes | None


def is_agreed_to(terminal: Terminal, lines: Sequence[str], asked: Sequence[Asked]) -> bool:
    """Show what is to be signed and ask; returns whether the answer is yes. lines: by whom, for which key."""
    shown = [(each.name, _shown(each.shown)) for each in asked if each.shown is not None]
    several = len(asked) > 1
    parts = [[*([f"  {visible(name)}"] if several else []), f"  {each.kind}", *each.preview()] for name, each in shown]
    digest = _digest(b"".join(hashlib.sha256(each.data).digest() for each in asked) if several else asked[0].data)
    return terminal.agree(
        f"Agree to sign these {len(asked)} messages?" if several else "Agree to sign this message?",
        what="the sha256 of all" if several else "its sha256",
        shown=digest,
        last=4,
        lines=[
            *lines,
            *(line for part in parts for line in part),
            *([f"  all      sha256 {digest}"] if several else []),
        ],
        view=(lambda: "\n".join(each.all() for _, each in shown)) if any(each.is_long for _, each in shown) else None,
    )


def _digest(message: bytes) -> str:
    return hashlib.sha256(message).hexdigest()


@dataclass(frozen=True, slots=True)
class _Shown:
    """A message as lines for people, each made when it is shown: of a large one few are.

    count: how many lines. line: makes the line of a number. size: how many bytes lines stand for, by the numbers of the
    first and of the one after the last.
    """

    kind: str
    count: int
    line: Callable[[int], str]
    size: Callable[[int, int], int]

    @property
    def is_long(self) -> bool:
        return self.count > _HEAD + _TAIL

    def all(self) -> str:
        """Return everything, for the pager."""
        return "\n".join([self.kind, *map(self.line, range(self.count)), ""])

    def preview(self) -> list[str]:
        """Return all of it if it is short, else its beginning and end, and how much lies between."""
        if not self.is_long:
            return [f"  {self.line(number)}" for number in range(self.count)]
        end = self.count - _TAIL
        between = f"… {end - _HEAD:,} more lines, {self.size(_HEAD, end):,} bytes: v shows them …"
        head, tail = (list(map(self.line, part)) for part in (range(_HEAD), range(end, self.count)))
        return [f"  {line}" for line in (*head, between, *tail)]


def _shown(message: bytes) -> _Shown:
    text = _text(message)
    return _dump(message) if text is None else _written(text)


def _text(message: bytes) -> str | None:
    """Return the text that a message is; None for what is none, or is meant for a machine."""
    try:
        text = message.decode()
    except UnicodeDecodeError:
        return None
    return None if not text or "\0" in text else text


def _written(text: str) -> _Shown:
    """Show text: a line begins after |, and goes on after a colon where it is too long for one of ours."""
    starts = array("L", (piece.start() for piece in _PIECE.finditer(text)))  # the pieces would take much memory

    def line(number: int) -> str:
        start = starts[number]
        piece = cast("re.Match[str]", _PIECE.match(text, start))
        if piece["blank"]:
            return f"  ({piece['blank'].count(chr(10))} empty lines)"
        mark = "|" if text[start - 1 : start] in ("", "\n") else ":"
        return f"{mark} {_with_blanks(piece[0].removesuffix(chr(10)))}".rstrip()

    count = text.count("\n") + (not text.endswith("\n"))
    end = "" if text.endswith("\n") else ", without a line feed at the end"
    kind = f"text     {count:,} line{'s' * (count > 1)}{end}:"
    return _Shown(kind, len(starts), line, lambda first, after: len(text[starts[first] : starts[after]].encode()))


def _with_blanks(line: str) -> str:
    """Show a line, and that it ends in blanks."""
    shown = visible(line)
    rest = len(shown) - len(shown.rstrip())
    return shown if not rest else f"{shown.rstrip()} ({rest} blank{'s' * (rest > 1)})"


def _dump(message: bytes) -> _Shown:
    """Show what is no text, in hex."""
    if not message:
        return _Shown("empty", 0, str, lambda first, after: 0)

    def line(number: int) -> str:
        start = number * _DUMPED
        return f"{start:08x}  {message[start : start + _DUMPED].hex(' ', 2)}"

    seen = look(message)
    what = seen.what if seen is not None else "of no kind that is known here"
    count = -(-len(message) // _DUMPED)
    return _Shown(f"binary   {what}:", count, line, lambda first, after: (after - first) * _DUMPED)
