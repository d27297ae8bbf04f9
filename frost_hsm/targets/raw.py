"""Any bytes, signed as they are: R ‖ z of FROST, which for ed25519 and ed448 is RFC 8032, for secp256k1-tr BIP-340."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from frost_hsm.frost import ciphersuites
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets import Given, Target, Thing, words
from frost_hsm.targets.own_copy import FileDigest
from frost_hsm.targets.recognising import warnings


@dataclass(frozen=True, slots=True)
class Message(Thing):
    """The message itself."""

    contents: bytes = field(repr=False)
    ending = ".sig"

    def to_sign(self, key: VerifyingKey) -> bytes:
        """Return it."""
        return self.contents

    def lines(self) -> list[str]:
        """Say its size, digest and beginning, and what it is to another program."""
        return [*words.contents_lines(self.contents), *warnings(self.contents)]

    def finish(self, key: VerifyingKey, signature: bytes) -> bytes:
        """Return R ‖ z."""
        return signature

    def check_own_copy(self, directory: Path, name: str) -> str:
        """Compare it."""
        return FileDigest.of_contents(self.contents, "sha256").check(directory, name)

    def use(self, file: str) -> str:
        """Verify with this program."""
        return f"frost-hsm verify --key KEY MESSAGE {file}"


class Raw(Target):
    """Any bytes, for every suite."""

    name = "raw"
    own_copy = "file"
    suites = frozenset(suite.name for suite in ciphersuites.ALL)
    options = ()

    def make(self, given: Given) -> bytes:
        """Take all of the file."""
        return given.all()

    def read(self, data: bytes) -> Message:
        """Take any bytes."""
        return Message(data)

    def take_apart(self, finished: bytes, file: BinaryIO) -> tuple[Message, bytes]:
        """Return both."""
        return Message(file.read()), finished
