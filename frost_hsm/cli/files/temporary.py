"""A folder for as long as a command runs. One that a killed command has left goes with the next that wants one."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from frost_hsm import file_lock
from frost_hsm.errors import StorageProblem

_NOT_FOR_US: Final = frozenset({errno.ENOENT, errno.EACCES, errno.ENOTDIR, errno.ELOOP, errno.EWOULDBLOCK})
"""What opening and locking say of a folder that is gone, somebody else's, none, or in use."""


@contextmanager
def folder(what_for: str) -> Iterator[Path]:
    """Lend a folder of one's own, which is locked while it is in use. Raises `StorageProblem`."""
    prefix = f"frost-hsm-{what_for}."
    try:
        _clear_away(prefix)
        path, descriptor = _make(prefix)
    except OSError as error:
        raise StorageProblem(f"cannot make a temporary directory: {error.strerror}") from error
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def _make(prefix: str) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=prefix))
        try:
            descriptor = _lock(path)
        except OSError:
            path.rmdir()
            raise
        if descriptor is not None:
            return path, descriptor  # else another run has just taken it for one that was left


def _clear_away(prefix: str) -> None:
    for path in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        descriptor = _lock(path)
        if descriptor is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(descriptor)


def _lock(path: Path) -> int | None:
    """Lock a folder; None if it is somebody else's, in use, or gone. Raises `OSError` where there are no locks."""
    with ExitStack() as opened:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            opened.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _NOT_FOR_US:
                return None
            raise
        if os.fstat(descriptor).st_uid == os.geteuid() and file_lock.is_held(descriptor, path):
            opened.pop_all()
            return descriptor
    return None
