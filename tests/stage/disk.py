"""A disk that stops between any two system calls, fails at one, or loses power: what was not synced is gone.

It stands behind `os`, so it sees what Python code does, and nothing of a module in C.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

CALLS = ("open", "write", "fsync", "ftruncate", "rename", "replace", "unlink", "mkdir", "rmdir")


class Stopped(BaseException):
    """The process has been killed: whatever it still tries has no effect."""


class Disk(AbstractContextManager["Disk"]):
    """``with Disk(folder, stop=5) as disk: …`` has the fifth call and all later ones not made.

    error: what these calls fail with, in place of the end of the process; for good, or only ``once``. before: called
    before each of them.
    """

    def __init__(
        self,
        folder: Path,
        *,
        stop: int = 0,
        error: int = 0,
        once: bool = False,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        self.calls = 0
        self._folder = folder
        self._stop = stop
        self._error = error
        self._once = once
        self._before = before
        self._real: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in CALLS}
        self._listed: dict[int, dict[str, int]] = {}  # what survives: of folders and of files, by inode
        self._written: dict[int, bytes] = {}
        self._kept_open: list[int] = []  # so that no inode is used twice
        for path in (folder, *folder.rglob("*")):
            self._sync(path)

    def __enter__(self) -> Disk:
        for name, real in self._real.items():
            setattr(os, name, self._around(name, real))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Have calls made as ever from here on."""
        for name, real in self._real.items():
            setattr(os, name, real)
        while self._kept_open:
            os.close(self._kept_open.pop())

    def _around(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if name == "open" and not arguments[1] & os.O_CREAT:
                return real(*arguments, **options)
            self.calls += 1
            self._before()
            if self._stop and (self.calls == self._stop or (self.calls > self._stop and not self._once)):
                raise OSError(self._error, os.strerror(self._error)) if self._error else Stopped
            done = real(*arguments, **options)
            if name == "fsync":
                self._sync(Path(f"/proc/self/fd/{arguments[0]}").readlink())
            return done

        return call

    def _sync(self, path: Path) -> None:
        if not path.exists():
            return
        inode = path.stat().st_ino
        if inode not in self._listed and inode not in self._written:
            self._kept_open.append(self._real["open"](path, os.O_RDONLY))
        if path.is_dir():
            self._listed[inode] = {each.name: each.stat().st_ino for each in path.iterdir()}
            for each in path.iterdir():
                if each.is_dir():
                    self._listed.setdefault(each.stat().st_ino, {})
        else:
            self._written[inode] = path.read_bytes()

    def cut_power(self, *, is_listed: bool) -> None:
        """Have the folder as after a power cut. is_listed: what lies where has come to the disk, contents have not."""
        if is_listed:
            for path in (self._folder, *self._folder.rglob("*")):
                if path.is_dir():
                    self._listed[path.stat().st_ino] = {each.name: each.stat().st_ino for each in path.iterdir()}
        inode = self._folder.stat().st_ino
        shutil.rmtree(self._folder)
        self._restore(self._folder, inode)

    def _restore(self, path: Path, inode: int) -> None:
        if inode in self._listed:
            path.mkdir(mode=0o700)
            for name, below in self._listed[inode].items():
                self._restore(path / name, below)
        else:
            path.write_bytes(self._written.get(inode, b""))
            path.chmod(0o600)
