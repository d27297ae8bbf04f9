"""What an agent did: a file to which lines are only added, each of which names all before it.

A line is a digest and a JSON object: ``DIGEST {"time": …, "what": …}``. The digest is SHA-256 over the digest of the
line before and the object's own bytes; the first begins with the identity whose agent it is. So a byte that is changed
anywhere, a line that is taken out or put in, breaks the chain there. Whoever made a new chain from there on would have
to sign it: at its end an agent has the token sign the last digest with the identity's sign key, in a line of its own,
and goes on behind it the next time. What was added since the last such line is open: nobody vouches for it yet. A log
that is cut short right behind such a line shows nothing of that: it is whole as far as it goes.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.errors import BadMessageSignature, InputProblem, MalformedMessage, NotPossible, StorageProblem

CLOSED: Final = "closed"
_CONTEXT: Final = b"frost-hsm agent log\0"
_DIGEST: Final = 64  # digits


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. time: when, UTC. what: one word. fields: all else, by name."""

    time: datetime
    what: str
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Chain:
    """A log that was read and is whole. head: the digest of its last line. closed: how many lines are vouched for."""

    entries: tuple[Entry, ...]
    head: bytes
    closed: int

    @property
    def closings(self) -> tuple[datetime, ...]:
        """When it was signed, each time, as the agent's own clock had it."""
        return tuple(entry.time for entry in self.entries if entry.what == CLOSED)

    @property
    def is_closed(self) -> bool:
        """Whether nothing was added since the last signature."""
        return self.closed == len(self.entries)

    @classmethod
    def read(cls, data: bytes, identity: PublicIdentity) -> Chain:
        """Follow a log of an identity from its beginning.

        Raises `MalformedMessage` at the first line that is not what it was, and `BadMessageSignature`.
        """
        entries: list[Entry] = []
        head, closed = beginning(identity), 0
        lines = data.split(b"\n")
        if lines.pop():
            raise MalformedMessage("the last line of the log is cut short")
        for number, line in enumerate(lines, start=1):
            written = line[_DIGEST + 1 :]
            following = _next(head, written)
            if line != following.hex().encode() + b" " + written:
                who = f"; or it is no log of {identity.name}" if number == 1 else ""
                raise MalformedMessage(f"line {number} of the log was changed, or lines before it are missing{who}")
            entry = _decode(written, number)
            if entry.what == CLOSED:
                _verify(entry, head, identity, number)
                closed = number
            entries.append(entry)
            head = following
        return cls(tuple(entries), head, closed)


def beginning(identity: PublicIdentity) -> bytes:
    """Return what stands for the line before the first."""
    return hashlib.sha256(_CONTEXT + identity.digest).digest()


def _next(head: bytes, written: bytes) -> bytes:
    return hashlib.sha256(head + written).digest()


def _decode(written: bytes, number: int) -> Entry:
    try:
        fields = json.loads(written)
        return Entry(datetime.fromisoformat(fields.pop("time")), str(fields.pop("what")), fields)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise MalformedMessage(f"line {number} of the log is none of an agent") from None


def _verify(entry: Entry, head: bytes, identity: PublicIdentity, number: int) -> None:
    try:
        identity.sign_key.verify(bytes.fromhex(str(entry.fields.get("signature"))), _CONTEXT + head)
    except (ValueError, BadMessageSignature):
        raise BadMessageSignature(f"line {number} of the log is not signed by the token of {identity.name}") from None


class Log:
    """The log of one agent, open for adding; no other process has it open. A context manager."""

    def __init__(self, path: Path, identity: PublicIdentity, now: Callable[[], datetime] = lambda: datetime.now(UTC)):
        """Open a log, or begin one.

        A last line that was cut short, as by a power cut, goes, and that is noted. Raises what `Chain.read` does,
        `NotPossible` if another agent has it open, and `StorageProblem`.
        """
        self._path = path
        self._now = now
        self._torn_at: int | None = None  # where a line begins of which not all could be written
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = open(os.open(path, flags, 0o600), "r+b", buffering=0)  # noqa: PTH123 - a descriptor
        except OSError as error:
            raise StorageProblem(f"cannot use {path}: {error.strerror}") from error
        try:
            self._lock()
            self._resume(identity)
        except BaseException:
            self._file.close()
            raise

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotPossible("an agent of yours is running already", hint=f"it writes {self._path}") from None

    def _resume(self, identity: PublicIdentity) -> None:
        data = self._file.read()
        whole = data[: data.rfind(b"\n") + 1]
        try:
            chain = Chain.read(whole, identity)
        except InputProblem as error:
            error.hint = f"find out who did that; then put {self._path} away, and the agent begins another"
            raise
        self.before = chain.entries
        """What was in it when it was opened."""
        self._head = chain.head
        if whole != data:
            self._file.truncate(len(whole))
            self.add("cut", bytes=len(data) - len(whole))

    def add(self, what: str, **fields: object) -> None:
        """Add a line; when this returns a power cut does not take it away. Raises `StorageProblem`."""
        document = {"time": self._now().isoformat(timespec="seconds"), "what": what, **fields}
        written = json.dumps(document, separators=(",", ":")).encode()
        head = _next(self._head, written)
        try:
            if self._torn_at is not None:
                self._file.truncate(self._torn_at)
            self._torn_at = self._file.seek(0, os.SEEK_END)
            left = memoryview(head.hex().encode() + b" " + written + b"\n")
            while left:  # a disk that is nearly full takes a part
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise StorageProblem(f"cannot write {self._path}: {error.strerror}") from error
        self._torn_at = None
        self._head = head

    def sign(self, sign: Callable[[bytes], bytes]) -> None:
        """Close it with a signature. sign: the token's, with the identity's sign key (`Holder.sign`)."""
        self.add(CLOSED, signature=sign(_CONTEXT + self._head).hex())

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()
