"""Files that were made of a group's signatures for other tools, verified by the key alone.

Nothing of ceremonies: what a file is, its target says (`frost_hsm.targets`), which is loaded when it is named.
"""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, BinaryIO

from frost_hsm.cli.files import door
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.values import VerifyingKey

if TYPE_CHECKING:
    from frost_hsm.targets import Target, Thing


def load(name: str, suite: Ciphersuite) -> Target:
    """Load a target; raises `NotPossible` for one that is not installed, or takes no signatures of the suite."""
    from frost_hsm import targets

    target = targets.load(name)
    targets.require_suite(target, suite)
    return target


def verify(target: Target, key: VerifyingKey, finished: str, data: bytes, file: str | None) -> Thing:
    """Verify a file that was made of a signature, against the file that was signed where it takes one.

    finished: what errors call it. data: what was read of it. Returns what was signed. Raises `InvalidSignature` and
    `MalformedMessage`.
    """
    from frost_hsm import targets

    with opened(file) as signed, door.naming(finished, data):
        return targets.verify(target, key, data, signed)


def opened(file: str | None) -> AbstractContextManager[BinaryIO]:
    """Open a file that is signed; nothing for None."""
    return io.BytesIO() if file is None else door.opened(file)
