"""``dir:PATH``: a directory that people share, a stick that they hand on, or one that a program synchronises.

Several machines may write into it at once, by network or by copying. So nothing here relies on locks, on times, on
what a listing leaves out, or on a file being whole: a message appears under its name in one rename, and what is not
yet what its name says is looked at again when it has changed. Putting a file in place of another one takes nothing
away, because only the right contents ever go under a name; hard links, which sticks do not have, are not needed.

Anybody may have put anything there: links are not followed, pipes and devices not opened for their contents, large
files not read.
"""

from __future__ import annotations

import os
import secrets
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from frost_hsm.boards import MAX_SIZE, scheme
from frost_hsm.boards.shelf import Lying, Shelf
from frost_hsm.errors import BoardProblem, BoardUnreachable, UsageProblem
from frost_hsm.home_directory import expand

_PARTIAL: Final = ".partial"
_TRIES: Final = 20  # of putting a file there while others change it
_PAUSE: Final = 0.2  # seconds between two looks at the directory
_REST: Final = 10  # times as long as a look takes, where there is much to look at


class DirectoryBoard(Shelf):
    """The directory that ``dir:PATH`` names; it has to be there: a stick that is not plugged in is no empty one."""

    def __init__(self, uri: str, cache: Path, reader: str = "") -> None:
        """Find the directory. cache: not used. Raises `UsageProblem` and `BoardUnreachable`."""
        super().__init__(reader)
        self._partial: list[str] | None = None  # what runs that were killed have left, as of the last look
        path = uri.removeprefix(f"{scheme(uri)}:")
        if not path:
            raise UsageProblem(f'"{uri}" names no directory', hint="it looks like dir:/media/stick")
        self.path = expand(path).absolute()
        if not self.path.is_dir():
            raise BoardUnreachable(f"there is no directory {self.path}", hint="plug it in, mount it, or make it")

    def wait(self, timeout: float) -> bool:
        """Look again and again: what happens on other machines, nobody tells this one."""
        self._require_open()
        begun = time.monotonic()
        deadline = begun + timeout
        while not self._has_news():
            now = time.monotonic()
            if now >= deadline:
                return False
            time.sleep(min(max(_PAUSE, _REST * (now - begun)), deadline - now))
            begun = time.monotonic()
        return True

    def _list(self) -> Iterator[tuple[str, Lying | None]]:
        partial = []
        with self._reaching(), os.scandir(self.path) as entries:
            for entry in entries:
                if entry.name.endswith(_PARTIAL):
                    partial.append(entry.name)
                if self._is_for_others(entry.name):
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                is_file = stat.S_ISREG(status.st_mode)
                stamp = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
                yield entry.name, Lying(status.st_size, stamp) if is_file else None
        self._partial = partial

    def _read(self, name: str) -> bytes | None:
        try:
            # Not to be stopped by a pipe, nor led away by a link, that took the file's place just now.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            descriptor = os.open(self.path / name, flags)
        except OSError:
            return None
        with open(descriptor, "rb") as file, suppress(OSError):  # noqa: PTH123 - a descriptor
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            data = file.read(MAX_SIZE + 1)
            return data if len(data) <= MAX_SIZE else None
        return None

    def _put(self, files: Mapping[str, bytes]) -> None:
        with self._reaching():
            is_new = False
            for name, data in files.items():
                for _ in range(_TRIES):
                    if self._read(name) == data:
                        break
                    self._place(name, data)
                    is_new = True
                else:
                    raise BoardProblem(
                        f"{self.path / name} does not hold what was just written there",
                        hint="may you read what you write there, and does nobody else change it?",
                    )
            if is_new:
                self._sync()
            if self._partial is None:
                self._partial = [each for each in os.listdir(self.path) if each.endswith(_PARTIAL)]  # noqa: PTH208
            begun = tuple(f".{name}." for name in files)
            for left in [each for each in self._partial if each.startswith(begun)]:
                (self.path / left).unlink(missing_ok=True)

    def _place(self, name: str, data: bytes) -> None:
        partial = self.path / f".{name}.{secrets.token_hex(4)}{_PARTIAL}"
        try:
            with partial.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.path / name)
        except FileNotFoundError:  # another run that posts the same has cleared it away
            if not self.path.is_dir():
                raise
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)

    def _sync(self) -> None:
        with suppress(OSError):  # not every file system can
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):
            raise BoardUnreachable(f"{self.path} is not there any more", hint="plug it in or mount it again") from None
        except OSError as error:
            raise BoardProblem(f"cannot use {self.path}: {error.strerror}") from error
