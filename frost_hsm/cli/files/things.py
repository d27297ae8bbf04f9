"""Things to be signed, as people handle them: what a thing is, its target says, which is loaded when it is named."""

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


def verify(target: Target, key: VerifyingKey, finished: str, file: str | None) -> Thing:
    """Verify a file that was made of a signature, against the file that was signed where it takes one.

    Returns what was signed. Raises `InvalidSignature` and `MalformedMessage`.
    """
    from frost_hsm import targets

    data = door.read(finished)
    with _opened(file) as opened, door.naming(finished, data):
        return targets.verify(target, key, data, opened)


def _opened(file: str | None) -> AbstractContextManager[BinaryIO]:
    return io.BytesIO() if file is None else door.opened(file)
