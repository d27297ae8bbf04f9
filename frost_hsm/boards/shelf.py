"""A board that is a set of files, each named for the SHA-256 of what it holds: what directories and git have alike.

What is for one reader has their label in its name, so that others know without opening it.
"""

from __future__ import annotations

import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from frost_hsm.boards import MAX_MESSAGES, MAX_SIZE, NOTHING, name_of, require_postable
from frost_hsm.boards.seen import PassedOver
from frost_hsm.errors import BoardProblem, NotPossible

SUFFIX: Final = ".pem"

_FOR_ONE: Final = re.compile(r"[0-9a-f]{64}\.for-([a-z0-9]{1,64})(?![a-z0-9])")
_NAME: Final = re.compile(r"([0-9a-f]{64})(?![0-9a-f]).*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Lying:
    """One file as it lies there, unread. stamp: changes whenever its contents may have changed."""

    size: int
    stamp: Hashable


class Shelf(ABC):
    """Reads such a place. A subclass lists it, reads one file of it, and puts one there.

    A file is a message if its name begins with the SHA-256 of its contents: so is the copy that a synchronising
    program makes of one (``….sync-conflict-….pem``). Anything else is passed over until it changes. Names that begin
    with a dot belong to other programs, and are not looked at.

    A cursor is a position in the order in which this object found the messages: it is good for this object alone.
    """

    def __init__(self, reader: str) -> None:
        """Read what is for everybody, and for the one with this label if it is not ""."""
        self._reader = reader
        self._life = secrets.token_hex(8)
        self._order: list[str] = []  # the SHA-256 of what was found
        self._found: set[str] = set()
        self._there: Mapping[str, Lying] = {}
        self._refused: dict[str, Hashable] = {}  # name → the stamp of what was no message
        self._passed_over = PassedOver()
        self._is_closed = False

    @abstractmethod
    def _list(self) -> Iterator[tuple[str, Lying | None]]:
        """Give the name of everything there that is not for others; None for what is not a file."""

    @abstractmethod
    def _read(self, name: str) -> bytes | None:
        """Read a file of at most `MAX_SIZE` bytes; None if it is gone or has become larger."""

    @abstractmethod
    def _put(self, files: Mapping[str, bytes]) -> None:
        """Put files there, by name and in this order, in place of what has their names and other contents."""

    # ── What a board does ──

    @property
    def max_size(self) -> int:
        """Bytes of the largest message."""
        return MAX_SIZE

    @property
    def passed_over(self) -> Sequence[str]:
        """What is no message."""
        return self._passed_over.lines()

    def post(self, data: bytes, beside: Mapping[str, bytes] = NOTHING) -> None:
        """Put a message there, and before it what lies beside it."""
        self._require_open()
        require_postable(data, beside)
        files = {f"{name_of(each)}.for-{label}{SUFFIX}": each for label, each in beside.items()}
        self._put({**files, name_of(data) + SUFFIX: data})

    def messages(self, since: str = "") -> Iterator[tuple[str, bytes]]:
        """Give what is new since a cursor."""
        self._require_open()
        there = self._look()
        again = range(self._position(since), len(self._order))
        names: dict[str, list[str]] = {}
        for name in there if again else ():
            names.setdefault(name[:64], []).append(name)
        for position in again:
            digest = self._order[position]
            data = self._read_again(digest, names.get(digest, []))
            if data is not None:
                yield self._cursor(position + 1), data
        for name, file in there.items():
            data = self._first_reading(name, file)
            if data is not None:
                yield self._cursor(len(self._order)), data

    def wait(self, timeout: float) -> bool:
        """Wait for what is new."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go."""
        self._is_closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # ── How ──

    def _is_for_others(self, name: str) -> bool:
        found = _FOR_ONE.match(name)
        return found is not None and found[1] != self._reader

    def _has_news(self) -> bool:
        """Whether anything lies there that `messages` would have to read."""
        self._look()
        return self._has_unread()

    def _has_unread(self) -> bool:
        """As `_has_news`, of what was there when it was last looked at."""
        return any(self._is_new(name, file) for name, file in self._there.items())

    def _look(self) -> Mapping[str, Lying]:
        """List the files that may be messages, those that were read before among them."""
        there: dict[str, Lying] = {}
        for number, (name, file) in enumerate(self._list(), 1):
            if number > MAX_MESSAGES:
                raise BoardProblem(f"more than {MAX_MESSAGES} files lie there", hint="begin a new board")
            if name.startswith("."):
                continue
            if file is None:
                self._passed_over.note(name, "not a file")
            elif _NAME.fullmatch(name) is None:
                self._passed_over.note(name, "not named for its contents")
            elif file.size > MAX_SIZE:
                self._passed_over.note(name, f"larger than {MAX_SIZE} bytes")
            else:
                there[name] = file
        self._there = there
        return there

    def _is_new(self, name: str, file: Lying) -> bool:
        return name[:64] not in self._found and self._refused.get(name) != file.stamp

    def _first_reading(self, name: str, file: Lying) -> bytes | None:
        """Read what was not read before; None for what was, and for what is no message."""
        if not self._is_new(name, file):
            return None
        data = self._read(name)
        if not data or name_of(data) != name[:64]:
            self._refused[name] = file.stamp
            self._passed_over.note(name, "its contents are not what its name says: damaged, or still on its way")
            return None
        self._passed_over.forget(name)
        self._found.add(name[:64])
        self._order.append(name[:64])
        return data

    def _read_again(self, digest: str, names: list[str]) -> bytes | None:
        """Read what was read before, under any of its names: copies of a message come and go."""
        for name in names:
            data = self._read(name)
            if data is not None and name_of(data) == digest:
                return data
        return None

    def _cursor(self, position: int) -> str:
        return f"{self._life}:{position}"

    def _position(self, cursor: str) -> int:
        life, _, position = cursor.partition(":")
        if life != self._life or not position.isdecimal() or int(position) > len(self._order):
            return 0
        return int(position)

    def _require_open(self) -> None:
        if self._is_closed:
            raise NotPossible("this board is closed")
