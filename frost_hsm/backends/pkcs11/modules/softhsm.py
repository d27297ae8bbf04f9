"""The files of SoftHSM2, which rewrites one of them in place at each login: ``token.object``.

Who stops the machine in that instant, or has no space left on the disk, leaves the file empty, and SoftHSM2 lists the
token no more. The file holds the token's label, serial and flags, and the key of its other files, encrypted with each
PIN; of keys and records there is nothing in it. So a copy of it brings the token back.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

FILE = "token.object"

_CONFIGURATIONS = ("~/.config/softhsm2/softhsm2.conf", "/etc/softhsm/softhsm2.conf", "/etc/softhsm2.conf")
_GENERATION = 8  # bytes at the beginning that count how often the file was written
_LEAST_SPACE = 65536
_JUST_NOW = 0.5


def token_directory() -> Path | None:
    """Return the directory of all tokens, as SoftHSM2 is configured in this process; None if that is not known."""
    for place in (os.environ.get("SOFTHSM2_CONF"), *_CONFIGURATIONS):
        if place is None:
            continue
        with suppress(OSError, UnicodeDecodeError, RuntimeError):
            for line in Path(place).expanduser().read_text().splitlines():
                name, _, value = line.partition("=")
                if name.strip() == "directories.tokendir":
                    return Path(value.strip())
    return None


def was_just_written() -> bool:
    """Whether a token was written to within the last half second: then another process may have misread it."""
    directory = token_directory()
    for file in directory.glob(f"*/{FILE}") if directory is not None else ():
        with suppress(OSError):
            if abs(time.time() - file.stat().st_mtime) < _JUST_NOW:
                return True
    return False


def lacks_space() -> Path | None:
    """Return the directory of all tokens if the disk it is on is full, so that a login would lose a token."""
    directory = token_directory()
    with suppress(OSError, TypeError):
        disk = os.statvfs(directory or "")
        if disk.f_bavail * disk.f_frsize < _LEAST_SPACE:
            return directory
    return None


def sync(serial: str) -> None:
    """Have the disk know that objects of a token are gone, which SoftHSM2 leaves to the system.

    If the power failed, nonces that served could be there again, for a second state directory to find.
    """
    directory = token_directory()
    for folder in directory.iterdir() if directory is not None and directory.is_dir() else ():
        if folder.name.replace("-", "").endswith(serial):
            with suppress(OSError):  # a file system that cannot: what served is noted in the state directory, too
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)


def copy_of(serial: str) -> tuple[str, bytes] | None:
    """Read the file of a token: the name of its directory, and the contents; None if there is no good one."""
    directory = token_directory()
    for file in directory.glob(f"*/{FILE}") if directory is not None else ():
        with suppress(OSError):
            contents = file.read_bytes()
            if len(contents) > _GENERATION and serial.encode() in contents:
                return file.parent.name, contents
    return None


def is_same(one: bytes, other: bytes) -> bool:
    """Whether two copies differ at most in how often the file was written."""
    return one[_GENERATION:] == other[_GENERATION:]


def damaged(name: str) -> Path | None:
    """Return the file in a token's directory if the directory is there, and the file is empty or missing."""
    directory = token_directory()
    if directory is None or not (directory / name).is_dir():
        return None
    file = directory / name / FILE
    with suppress(OSError):
        if file.stat().st_size > 0:
            return None
    return file
