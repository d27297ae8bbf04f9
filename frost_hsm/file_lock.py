"""Locks between processes: held by one at a time, and by nobody once its holder is gone.

A lock lies on a file and not on its name. So a lock file that was removed locks nobody out any more, and whoever was
waiting for it has to look again.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

_PAUSE = 0.002  # seconds; a step takes a few milliseconds


def acquire(path: Path, deadline: float | None = None) -> int:
    """Wait for the lock on a file, which is made if it is not there; returns a descriptor: to close it is to let go.

    deadline: on the clock of `time.monotonic`; None waits for ever. Raises `BlockingIOError` when it is over, and any
    other `OSError` of the file.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            wait(descriptor, deadline)
            if is_held(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def is_held(descriptor: int, path: Path) -> bool:
    """Whether what `acquire` returned still is the lock, or was removed since."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def wait(descriptor: int, deadline: float | None = None) -> None:
    """Wait for the lock on an open file; deadline and errors as for `acquire`."""
    if deadline is None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE)
