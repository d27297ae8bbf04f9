"""Files that a command is given, and those that it writes: read once, written whole or not at all."""

from __future__ import annotations

import fcntl
import glob
import os
import string
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from frost_hsm import file_lock
from frost_hsm.cli.talk.output import require_showable
from frost_hsm.errors import (
    DeserializationError,
    FileMissing,
    InputProblem,
    InvalidContents,
    MalformedMessage,
    OutputExists,
    StorageProblem,
    UsageProblem,
)
from frost_hsm.secret import Secret

STANDARD = "-"
"""The path that means stdin or stdout."""

LARGEST = 16 << 20
"""Bytes; nothing larger is read into memory."""

T = TypeVar("T")


def read(path: str, *, beginning: bytes = b"") -> bytes:
    """Read a file, or stdin, which can be read once; at most 16 MiB.

    beginning: of a file that begins otherwise, no more is read and returned than shows it.
    """
    try:
        if path == STANDARD:
            data = _stdin()
        else:
            with Path(path).open("rb") as file:
                data = file.read(len(beginning))
                if data == beginning:
                    data += file.read(LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise FileMissing(f"cannot read {path}: {reason}") from error
    if len(data) > LARGEST:
        raise MalformedMessage(f"{path} is larger than {LARGEST >> 20} MiB", hint="to sign it, sign a digest of it")
    return data


def _stdin() -> bytes:
    if sys.stdin is None or sys.stdin.closed:
        raise UsageProblem("stdin is closed, or was read already", hint="name a file for one of the two")
    with sys.stdin as stdin:
        return stdin.buffer.read(LARGEST + 1)


def parse(path: str, reader: Callable[[bytes], T]) -> T:
    """Read a file and make something of it; what is wrong with it is said with its name."""
    data = read(path)
    with naming(path):
        return reader(data)


def is_hex(data: bytes) -> bool:
    """Whether this is bytes written in hex, and perhaps white space around them."""
    digits = data.strip()
    return len(digits) % 2 == 0 and all(digit in string.hexdigits.encode() for digit in digits)


def from_hex(data: bytes) -> Secret:
    """Decode a secret that is written in hex. The library makes copies that cannot be wiped."""
    if not is_hex(data):
        raise DeserializationError("this is not hex")
    return Secret(bytes.fromhex(data.strip().decode()))


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Put the name of a file in front of what is wrong with its contents."""
    try:
        yield
    except (InputProblem, InvalidContents) as error:
        raise type(error)(f"{path}: {error}", hint=error.hint, culprits=error.culprits) from error


def list_directory(directory: str) -> Iterable[Path]:
    """List the files of a directory by name, hidden ones left out."""
    try:
        return sorted(path for path in Path(directory).iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        raise FileMissing(f"cannot read directory {directory}: {error.strerror}") from error


def check_output(path: str, *, force: bool, again: bytes | None = None, is_text: bool = True) -> None:
    """Refuse early what `write` would refuse late, before anything is changed.

    again: what will be written, if the step was done before.
    """
    if path == STANDARD:
        if not is_text:
            require_showable()
        return
    target = Path(path)
    try:
        if target.exists() or target.is_symlink():
            _require_replaceable(target, again, force=force)
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise StorageProblem(f"cannot write into {target.parent.absolute()}", hint="use another place with -o")
    except (OSError, ValueError) as error:
        raise _not_writable(path, error) from error


def write(path: str, data: bytes, *, force: bool = False) -> bytes | None:
    """Write a file; the same contents again are fine, others need ``force``.

    Returns the data when the path is ``-``, to be shown on stdout.
    """
    if path == STANDARD:
        return data
    target = Path(path)
    try:
        if target.exists() or target.is_symlink():
            _require_replaceable(target, data, force=force)
            if target.read_bytes() == data:
                return None
        _clear_away(target)
        while not _place(target, data):
            pass
    except (OSError, ValueError) as error:
        raise _not_writable(path, error) from error
    return None


def _place(target: Path, data: bytes) -> bool:
    """Write a file whole, or not at all; False if another run cleared it away before it was locked."""
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with partial.open("xb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not file_lock.is_held(file.fileno(), partial):
                return False
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            partial.replace(target)
            return True
    finally:
        partial.unlink(missing_ok=True)


def _clear_away(target: Path) -> None:
    """Remove what earlier runs that were killed have left beside a file; what is being written is locked."""
    for partial in target.parent.glob(f".{glob.escape(target.name)}.*.partial"):
        with suppress(OSError), partial.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            partial.unlink()


def _require_replaceable(target: Path, data: bytes | None, *, force: bool) -> None:
    if not target.is_file():  # a device, a pipe, a folder: a file must never take its place
        raise OutputExists(f"{target} exists and is not a file", hint="use another name with -o; -o - is stdout")
    if force:
        return
    if data is None:
        raise OutputExists(
            f"{target} exists; not overwritten",
            hint="if it is of this very command, which was cut short, use it: it is whole; else -o, or --force",
        )
    if target.read_bytes() != data:
        raise OutputExists(f"{target} exists and is different; not overwritten")


def _not_writable(path: str, error: Exception) -> StorageProblem:
    reason = error.strerror if isinstance(error, OSError) else "not a path"
    return StorageProblem(f"cannot write {path}: {reason}", hint="use another place with -o")
