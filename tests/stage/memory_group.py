"""A 2-of-3 group whose shares are in this process, and tools that judge what it signs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from stage.group_run import Run, Signing

from frost_hsm.frost import ciphersuites, signing
from frost_hsm.frost.packages import KeyPackage
from frost_hsm.frost.values import VerifyingKey

PATH = f"{os.environ['PATH']}:/usr/sbin"


class MemoryGroup:
    """Signs by two of its three participants."""

    def __init__(self, suite: str) -> None:
        key_packages, self.public = Run(ciphersuites.by_name(suite), (1, 2, 3), 2).finish()
        self._signers: list[KeyPackage] = list(key_packages.values())[1:]

    @property
    def key(self) -> VerifyingKey:
        return self.public.verifying_key

    def sign(self, message: bytes) -> bytes:
        session = Signing(self._signers, message)
        return signing.aggregate(session.package, session.shares(), self.public).serialize()


def group(suite: str = "ed25519", which: int = 0) -> MemoryGroup:
    """The group of a suite, made once; another one for each number."""
    return _made(suite, which)


@cache
def _made(suite: str, which: int) -> MemoryGroup:
    return MemoryGroup(suite)


def run(
    *command: str | Path, cwd: Path, stdin: bytes = b"", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a tool without a network, home or terminal of its own."""
    if shutil.which(str(command[0]), path=PATH) is None:
        pytest.skip(f"{command[0]} is not installed")
    variables = {"PATH": PATH, "HOME": str(cwd), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
        env={**variables, **(environment or {})},
    )


def altered(data: bytes, count: int = 8) -> Iterator[bytes]:
    """Copies of ``data`` with one byte changed, spread over all of it, the first and the last among them."""
    for number in range(count):
        place = number * (len(data) - 1) // max(count - 1, 1)
        yield data[:place] + bytes((data[place] ^ 0x01,)) + data[place + 1 :]
