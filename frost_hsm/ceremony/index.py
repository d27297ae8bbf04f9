"""What is in a state directory: an index, so that only what was put there through us is there.

    index.N   what changed, one change a line, each a JSON array
    head      version of the layout, N, length and SHA-256 of that index: one line

A change is first added to the index, then made, then counted by the head. So of all changes at most the last can be in
the one and not in the other: it is *in flight*, and whoever takes the lock next ends it, or strikes it out. When what
was added is half as long as what was written anew the last time, all that is there is written as the one line of index
N + 1: it is read sooner than many lines, and tells of nothing that is no longer there.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from frost_hsm.errors import StorageProblem

VERSION: Final = 3
"""Of the layout; the first had no index."""
HEAD: Final = "head"
LOG: Final = "index."
PARTIAL: Final = "partial"
"""The one file that is being written, by the holder of the lock."""
BATCH: Final = "batch"
"""The one folder of files, by their number, that are being written at once, likewise."""

COMPACT_ABOVE: Final = 1 << 15
"""Bytes that may be added to any index before it is written anew: some hundred changes."""

HINT: Final = (
    "put back what was changed; if you cannot, begin a fresh state directory from a backup: frost-hsm init --home DIR"
)

Tree = dict[str, "str | Tree"]
"""A folder: for each name the SHA-256 of a file, in hexadecimal, or another folder, which is never empty."""


@dataclass(frozen=True, slots=True)
class Change:
    """What stands at a path from now on: a file of this digest, a folder that was at ``source`` before, or nothing.

    With `BATCH` as its source: what stands besides in a folder, files by their paths in it.
    """

    path: str
    contents: str | Tree | None
    source: str = ""

    @classmethod
    def of_many(cls, files: Mapping[str, str]) -> Self:
        """Return the change that puts files of these digests in their places, by their paths, in this order."""
        return cls("", dict(files), BATCH)

    def encode(self) -> bytes:
        """Return its line."""
        return json.dumps([self.path, self.contents, self.source], separators=(",", ":")).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Self:
        """Read its line; raises `ValueError`."""
        [change] = _decode(line)
        return cls(*change)


def _decode(lines: bytes) -> Iterator[tuple[str, str | Tree | None, str]]:
    """Read the lines of changes, all of them at once, which takes a fraction of the time; raises `ValueError`."""
    for path, contents, source in json.loads(b"[%b]" % lines.removesuffix(b"\n").replace(b"\n", b",")):
        if not isinstance(path, str) or not isinstance(contents, str | dict | None) or not isinstance(source, str):
            raise ValueError("no change is written like this")
        yield path, contents, source


@dataclass(frozen=True, slots=True)
class Head:
    """Which index counts, and how much of it. The head of an empty state directory is none."""

    number: int = 0
    length: int = 0
    digest: str = hashlib.sha256().hexdigest()

    def encode(self) -> bytes:
        """Return the one line of the file."""
        return f"frost-hsm {VERSION} {self.number} {self.length} {self.digest}\n".encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the file; raises `ValueError`."""
        _, _, number, length, digest = data.decode("ascii").split()
        head = cls(int(number), int(length), digest)
        if head.encode() != data:
            raise ValueError("no head is written like this")
        return head


class Index:
    """What the index says, followed as it grows; safe for several threads. Whoever changes it holds the lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mutex = threading.Lock()
        self._head_path = folder / HEAD
        self._stamp: tuple[int, ...] | None = None  # of the file that the head was read from
        self._begin_anew(Head())

    def _begin_anew(self, head: Head) -> None:
        self._head, self._log = Head(head.number), self._folder / f"{LOG}{head.number}"
        self._hash = hashlib.sha256()
        self._tree: Tree = {}
        self._anew = 0  # length of the line that this index began with

    @property
    def head(self) -> Head:
        """The head as of the last `load`."""
        return self._head

    # ── What it says ──

    def contents(self, path: str) -> str | Tree | None:
        """Return the digest of a file, or a folder, or None: as of the last `load`. Not for changing."""
        with self._mutex:
            return self._at(path)

    def names(self, folder: str) -> list[str]:
        """List what a folder holds, sorted; nothing if it is not there."""
        with self._mutex:
            found = self._at(folder)
            return sorted(found) if isinstance(found, dict) else []

    def files(self, folder: str) -> list[str]:
        """List every file in a folder and below, by its path, sorted."""
        with self._mutex:
            found = self._at(folder)
            return sorted(name for name, _ in files_of(folder, found)) if isinstance(found, dict) else []

    def _at(self, path: str) -> str | Tree | None:
        found: str | Tree | None = self._tree
        for name in path.split("/"):
            found = found.get(name) if isinstance(found, dict) else None
        return found

    def load(self) -> bool:
        """Follow what is on the disk; returns whether a change is in flight. Raises `StorageProblem`, `OSError`."""
        with self._mutex:
            while True:
                stamp = _stamp(self._head_path)
                if stamp is not None and stamp == self._stamp and self._has_its_length():
                    return False
                head = self._read_head()
                try:
                    is_in_flight = self._follow(head)
                    self._stamp = stamp
                    return is_in_flight
                except FileNotFoundError:
                    if head == Head():
                        return False
                    if head == self._read_head():
                        raise self._refusal(f"the index {self._folder / LOG}{head.number} is gone") from None

    def _has_its_length(self) -> bool:
        try:
            return self._log.stat().st_size == self._head.length
        except FileNotFoundError:  # another one took its place
            return False

    def _read_head(self) -> Head:
        path = self._head_path
        try:
            data = read_private(path)
        except FileNotFoundError:
            return Head()
        try:
            return Head.decode(data)
        except ValueError:
            if data.startswith(b"frost-hsm ") and not data.startswith(b"frost-hsm %d " % VERSION):
                raise StorageProblem(
                    f"{self._folder} was made by another version of this program",
                    hint="use that version, or another directory: frost-hsm init --home DIR",
                ) from None
            raise self._refusal(f"{path} was changed from outside") from None

    def _follow(self, head: Head) -> bool:
        if head.number != self._head.number or head.length < self._head.length:
            self._begin_anew(head)
        if head != self._head:
            added = read_private(self._log, self._head.length, head.length)
            total = self._hash.copy()
            total.update(added)
            if total.hexdigest() != head.digest:
                raise self._refusal(f"{self._log} and {self._folder / HEAD} do not belong together")
            if head.number and not self._head.length:
                self._anew = added.find(b"\n") + 1
            try:
                self._apply(_decode(added))
            except ValueError:
                raise self._damaged() from None
            self._head, self._hash = head, total
        size = self._log.stat().st_size
        if size < head.length:
            raise self._refusal(f"{self._log} was cut short")
        return size > head.length

    def _apply(self, changes: Iterable[tuple[str, str | Tree | None, str]]) -> None:
        folders: dict[str, Tree] = {}  # so that a folder is looked for once and not for each of its files
        for path, contents, source in changes:
            if isinstance(contents, str) and not source:
                folder, _, name = path.rpartition("/")
                if folder not in folders:
                    folders[folder] = self._folder_at(folder)
                folders[folder][name] = contents
                continue
            folders.clear()
            if source == BATCH and isinstance(contents, dict):
                for name, digest in files_of(path, contents):
                    _place(self._tree, name, digest)
                continue
            if source:
                _place(self._tree, source, None)
            if path:
                _place(self._tree, path, contents)
            elif isinstance(contents, dict):
                self._tree = contents

    def _folder_at(self, path: str) -> Tree:
        """Find a folder, or make it for the file that it gets."""
        tree = self._tree
        for name in path.split("/") if path else ():
            inside = tree.get(name)
            if not isinstance(inside, dict):
                inside = tree[name] = {}
            tree = inside
        return tree

    def _damaged(self) -> StorageProblem:
        return self._refusal(f"{self._log} was changed from outside")

    def _refusal(self, sentence: str) -> StorageProblem:
        return StorageProblem(sentence, hint=HINT)

    # ── Changes, by the holder of the lock ──

    def begin(self, change: Change) -> None:
        """Put a change in flight; after `load`, with none there. Raises `OSError`."""
        is_new = not self._log.exists()
        descriptor = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _write_out(descriptor, change.encode())
        if is_new:
            sync_folder(self._folder)

    def in_flight(self) -> Change | None:
        """Return the change that is in flight, if all of it was written. Raises `StorageProblem`, `OSError`."""
        if not self.load():
            return None
        added = read_private(self._log, self._head.length)
        if not added.endswith(b"\n"):
            return None
        if added.count(b"\n") > 1:
            raise self._refusal(f"{self._folder / HEAD} is an older one than {self._log}")
        try:
            return Change.decode(added)
        except ValueError:
            raise self._damaged() from None

    def commit(self, change: Change) -> None:
        """Count the change that was in flight: it is made and synced. Raises `OSError`."""
        with self._mutex:
            total = self._hash.copy()
            total.update(change.encode())
            head = Head(self._head.number, self._head.length + len(change.encode()), total.hexdigest())
            replace(self._folder, self._head_path, head.encode())
            self._apply([(change.path, change.contents, change.source)])
            self._head, self._hash, self._stamp = head, total, _stamp(self._head_path)
            if head.length - self._anew > COMPACT_ABOVE + self._anew // 2:
                self._compact()

    def withdraw(self) -> None:
        """Strike out what is in flight: it was not made. Raises `OSError`."""
        descriptor = os.open(self._log, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, self._head.length)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _compact(self) -> None:
        line = Change("", self._tree).encode()
        head = Head(self._head.number + 1, len(line), hashlib.sha256(line).hexdigest())
        with suppress(OSError):  # the old one serves as well
            replace(self._folder, self._folder / f"{LOG}{head.number}", line)
            replace(self._folder, self._folder / HEAD, head.encode())
            self._head, self._hash, self._anew = head, hashlib.sha256(line), len(line)
            self._log = self._folder / f"{LOG}{head.number}"
            for path in self._folder.glob(f"{LOG}*"):
                if path != self._log:
                    path.unlink()


def _stamp(path: Path) -> tuple[int, ...] | None:
    """Return what tells a file from the one that stood there before; None if there is none.

    It may not tell it from the one before that, written at the same instant. Between the two the index has grown.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_ctime_ns, status.st_mode, status.st_size


def _place(tree: Tree, path: str, contents: str | Tree | None) -> None:
    name, _, below = path.partition("/")
    if below:
        inside = tree.get(name)
        folder: Tree = inside if isinstance(inside, dict) else {}
        _place(folder, below, contents)
        contents = folder
    if contents:
        tree[name] = contents
    else:
        tree.pop(name, None)


def files_of(path: str, tree: Tree) -> Iterator[tuple[str, str]]:
    """List every file in a folder and below with its digest, by its path."""
    before = f"{path}/" if path else ""
    for name, contents in tree.items():
        if isinstance(contents, dict):
            yield from files_of(before + name, contents)
        else:
            yield before + name, contents


# ── The disk: one system call after the other, so that a test can stop between any two ──


def read_private(path: Path, start: int = 0, end: int | None = None) -> bytes:
    """Read a file, or a part of it. Raises `StorageProblem` if others can read it or it is none, and `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # which waits for no pipe
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise StorageProblem(f"{path} is not a file", hint=HINT)
        if mode & 0o077:
            raise StorageProblem(f"{path} is open to other users", hint=f"chmod 600 {path}")
        with open(descriptor, "rb", closefd=False) as file:
            file.seek(start)
            return file.read() if end is None else file.read(end - start)
    finally:
        os.close(descriptor)


def write_partial(folder: Path, data: bytes) -> Path:
    """Write and sync a file that is in nobody's way; returns its path. Raises `OSError`, and then it is gone."""
    partial = folder / PARTIAL
    try:
        _write_out(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), data)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return partial


def write_batch(folder: Path, files: Iterable[bytes]) -> None:
    """Write and sync files that are in nobody's way. Raises `OSError`, and then what there is of them stays."""
    batch = folder / BATCH
    batch.mkdir(mode=0o700)
    for number, data in enumerate(files):
        _write_out(os.open(batch / str(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), data)
    sync_folder(batch)
    sync_folder(folder)


def place_batch(folder: Path, files: Mapping[str, str]) -> bool:
    """Put what is left of a batch in its places, and sync that; returns whether all of it is there.

    files: their digests, in the order of the batch, by their paths in the folder. Raises `OSError`.
    """
    left = {}
    for number, (name, digest) in enumerate(files.items()):
        source, path = folder / BATCH / str(number), folder / name
        if source.exists():
            left[source] = path
        elif not is_written(path, digest):
            return False
    for source, path in left.items():
        source.replace(path)
    for parent in dict.fromkeys((folder / name).parent for name in files):
        sync_folder(parent)
    return True


def is_written(path: Path, digest: object) -> bool:
    """Whether a file is there, with this digest. Raises as `read_private` does."""
    try:
        return hashlib.sha256(read_private(path)).hexdigest() == digest
    except (FileNotFoundError, NotADirectoryError):
        return False


def replace(folder: Path, path: Path, data: bytes) -> None:
    """Write a file in place of what was there, whole or not at all, and synced. Raises `OSError`."""
    partial = write_partial(folder, data)
    try:
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Have what a folder lists survive a power cut. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_out(descriptor: int, data: bytes) -> None:
    """Write and sync all of it, and close."""
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
