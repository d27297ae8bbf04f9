"""Files that a command is given, and those that it writes: read once, written whole or not at all.

What is around a text does not matter: a byte order mark, white space, the mail that a PEM block came in (RFC 7468,
section 2). What is inside is read strictly, by whoever knows what it is. An output file never takes the place of
another, unless it was said to, and lies on the disk when it is said to be written.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import re
import stat
import string
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

from frost_hsm import file_lock
from frost_hsm.cli.talk.looks import Look, look
from frost_hsm.cli.talk.output import require_open, require_showable
from frost_hsm.cli.talk.text import quoted
from frost_hsm.errors import (
    DeserializationError,
    FileMissing,
    FrostHsmError,
    InputProblem,
    InvalidContents,
    MalformedMessage,
    OutputExists,
    StorageProblem,
    UsageProblem,
)
from frost_hsm.forms import pem
from frost_hsm.secret import Secret

STANDARD = "-"
"""The path that means stdin or stdout."""

LARGEST = 16 << 20
"""Bytes; nothing larger is read into memory."""

_BEGINNING = 1 << 16

T = TypeVar("T")


def read(path: str) -> bytes:
    """Read a file, or stdin, which can be read once; at most 16 MiB."""
    with _reading(path):
        if path == STANDARD:
            data = _stdin()
        else:
            with Path(path).open("rb") as file:
                data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise MalformedMessage(f"{path} is larger than {LARGEST >> 20} MiB", hint="no file that is larger is read")
    return data


def beginning(path: str) -> bytes:
    """Read as much of a file as shows whether it may be a message, with the text that a mail puts before one."""
    with _reading(path), Path(path).open("rb") as file:
        return file.read(_BEGINNING)


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Open a file, however large, for whoever does not have to have all of it in memory; stdin as in `read`."""
    if path == STANDARD:
        yield io.BytesIO(read(path))
        return
    with _reading(path):
        file = Path(path).open("rb")
    with file:
        yield file


@contextmanager
def _reading(path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise FileMissing(f"cannot read {path}: {reason}", hint=_nearby(path)) from error


def _nearby(path: str) -> str:
    """Say which file may have been meant."""
    import difflib  # here, because most files are there

    name, folder = Path(path).name, Path(path).parent
    with suppress(OSError, ValueError):
        there = sorted(each.name for each in folder.iterdir())
        longer = [each for each in there if re.match(re.escape(name) + r"[. ]", each)] if name else []
        close = longer[:3] or difflib.get_close_matches(name, there, 3, 0.5)
        if name not in there and close:
            return f"is it {' or '.join(quoted(str(folder / each)) for each in close)}?"
    return f"see what is there: ls {quoted(str(folder))}"


def _stdin() -> bytes:
    if sys.stdin is None or sys.stdin.closed:
        raise UsageProblem("stdin is closed, or was read already", hint="name a file for one of the two")
    with sys.stdin as stdin:
        return stdin.buffer.read(LARGEST + 1)


def parse(path: str, reader: Callable[[bytes], T]) -> T:
    """Read a file and make something of it; what is wrong with it is said with its name, and what it looks like."""
    data = read(path)
    with naming(path, data):
        return reader(inside(data))


def inside(data: bytes) -> bytes:
    """Return a text without what is around it: of a PEM file its blocks, of JSON the value; other data as it is."""
    text = data.removeprefix(b"\xef\xbb\xbf")
    is_json = text[:_BEGINNING].lstrip().startswith(b"{")
    return text.strip() if is_json else pem.without_surroundings(text)


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
def naming(path: str, data: bytes | None = None, *, is_text: bool = False) -> Iterator[None]:
    """Put the name of a file in front of what is wrong with its contents, and say what ``data`` looks like instead.

    is_text: what is read here is text, so that looking like text says nothing.
    """
    try:
        yield
    except (InputProblem, InvalidContents) as error:
        raise named(error, path, data, is_text=is_text) from error


def named(error: FrostHsmError, path: str, data: bytes | None = None, *, is_text: bool = False) -> FrostHsmError:
    """Return an error with the name of the file that it is about, as `naming` does."""
    seen = None
    if data is not None and isinstance(error, MalformedMessage):
        seen = look(data) if is_text else _seen(data)
    said = f"{path}: {error}" + (f"; it looks like {seen.what}" if seen is not None else "")
    hint = seen.advice if seen is not None else error.hint
    return type(error)(said, hint=hint, culprits=error.culprits, details=error.details)


def _seen(data: bytes) -> Look | None:
    """Say what data looks like instead of what is read here, which begins with a line of PEM, or is JSON."""
    text = data[:_BEGINNING].decode(errors="ignore")
    is_text = bool(text) and all(letter.isprintable() or letter.isspace() for letter in text)
    return look(data) or (Look("text, without a PEM block", "name the file that was sent") if is_text else None)


def list_directory(directory: str) -> Iterable[Path]:
    """List the files of a directory by name, hidden ones left out; what is a pipe, or a loop of links, is no file."""
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in entries if not entry.name.startswith(".") and _is_file(entry)]
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise FileMissing(f"cannot read directory {directory}: {reason}") from error
    return [Path(directory) / name for name in sorted(names)]


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


# ── Outputs ──────────────────────────────────────────────────────────────────────────────────────────────────

_ROOM = 1 << 16
"""Bytes that are asked of a disk before anything is done: what is written mostly has fewer."""

_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK)  # of a file system without links, as of a stick
_PARTIAL = ".frost-hsm."


def check_output(path: str, *, force: bool, again: bytes | None = None, is_text: bool = True) -> None:
    """Refuse early what `write` would refuse late, before anything is changed.

    again: what will be written, if the step was done before.
    """
    if path == STANDARD:
        require_open()
        if not is_text:
            require_showable()
        return
    target = Path(path)
    with _writing(path):
        _clear_away(target.parent)
        if _is_taken(target):
            _require_replaceable(target, again, force=force)
        with _partial(target.parent, 0o600) as (file, _), _where_it_can():
            os.posix_fallocate(file.fileno(), 0, _ROOM)


def make_folder(folder: Path) -> None:
    """Make a folder to write into, unless it is there."""
    with _writing(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)


def write(path: str, data: bytes, *, force: bool = False, is_private: bool = False) -> bytes | None:
    """Write a file; the same contents again are fine, others need ``force``.

    is_private: nobody else may read it, because it is secret or links people. Returns the data when the path is
    ``-``, to be shown on stdout.
    """
    if path == STANDARD:
        return data
    target = Path(path)
    with _writing(path):
        _clear_away(target.parent)
        while not _place(target, data, 0o600 if is_private else 0o666, force=force):
            pass
    return None


def wrote(path: str) -> str:
    """Say where something was written."""
    return "Wrote it to stdout" if path == STANDARD else f"Wrote {path}"


def as_typed(path: str) -> str:
    """Name what was just written as a next step does, which may be pasted: FILE is what went to stdout."""
    return "FILE" if path == STANDARD else quoted(path)


def _place(target: Path, data: bytes, mode: int, *, force: bool) -> bool:
    """Write a file whole, or not at all; False if another run came in between, and all has to be looked at again."""
    if _is_taken(target):
        _require_replaceable(target, data, force=force)
        if _holds(target, data):
            return True
    with _partial(target.parent, mode) as (file, partial):
        fcntl.flock(file, fcntl.LOCK_EX)
        if not file_lock.is_held(file.fileno(), partial):
            return False
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        if force and _is_taken(target):
            partial.replace(target)
        else:
            try:
                _link(partial, target, mode)
            except FileExistsError:
                return False
    _sync(target.parent)
    return True


def _link(partial: Path, target: Path, mode: int) -> None:
    """Give a file its name, which nothing has. Raises `FileExistsError`."""
    try:
        target.hardlink_to(partial)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode))  # now the name is ours
        partial.replace(target)


@contextmanager
def _partial(folder: Path, mode: int) -> Iterator[tuple[BinaryIO, Path]]:
    """Lend a new file with a name that nobody else knows, and remove it."""
    partial = folder / f"{_PARTIAL}{os.urandom(8).hex()}.partial"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor with the right mode
            yield file, partial
    finally:
        partial.unlink(missing_ok=True)


def _clear_away(folder: Path) -> None:
    """Remove what earlier runs that were killed have left; what is being written is locked."""
    for left in folder.glob(f"{_PARTIAL}*.partial"):
        with suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if stat.S_ISREG(os.fstat(descriptor).st_mode):
                    left.unlink()
            finally:
                os.close(descriptor)


def _sync(folder: Path) -> None:
    with suppress(OSError):  # not every file system, nor every folder, lets itself be synced
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _is_taken(target: Path) -> bool:
    try:
        target.lstat()
    except FileNotFoundError:
        return False
    return True


def _holds(target: Path, data: bytes) -> bool:
    """Whether a file has these contents; one of another size is not read."""
    with target.open("rb") as file:
        return os.fstat(file.fileno()).st_size == len(data) and file.read(len(data) + 1) == data


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
    if not _holds(target, data):
        raise OutputExists(f"{target} exists and is different; not overwritten")


@contextmanager
def _writing(path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise StorageProblem(f"cannot write {path}: {reason}", hint="use another place with -o") from error


@contextmanager
def _where_it_can() -> Iterator[None]:
    """Let pass that a file system does not know what was asked of it."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.ENODEV):
            raise
