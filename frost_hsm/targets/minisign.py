"""Files signed for minisign, and for OpenBSD's signify, whose keys and signatures look alike.

minisign's signature is two: one on the digest of the file, one on that signature with the trusted comment behind it.
The second is made of the first, so the signers make it once that is there, in the same request.

Source: https://jedisct1.github.io/minisign, and signify(1).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar, Final

from frost_hsm.errors import MalformedMessage
from frost_hsm.forms.asn1 import TEXT, Form
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets import LARGEST, Given, Option, Target, words
from frost_hsm.targets.own_copy import DIGESTED, DigestedFile
from frost_hsm.targets.raw import Message, Raw

SUITES: Final = frozenset({"ed25519"})

SIGNATURE: Final = 64
"""Bytes of one of Ed25519."""

_WHOLE, _DIGEST = b"Ed", b"ED"  # what was signed
_UNTRUSTED: Final = "untrusted comment: signature by a group key"
_FILE: Final = re.compile(rb"untrusted comment: [^\n]*\n([^\n]*)\n(?:trusted comment: ([^\n]*)\n([^\n]*)\n)?")


def public_key(key: VerifyingKey, name: str) -> bytes:
    """Write a public key for both tools."""
    return f"untrusted comment: group key {name}\n{_encoded(_WHOLE, key, key.serialize())}\n".encode()


def _encoded(algorithm: bytes, key: VerifyingKey, value: bytes) -> str:
    """Write a key or a signature. Others draw the eight bytes that name a key at random; here they follow from it."""
    key_id = hashlib.sha256(key.serialize()).digest()[:8]
    return base64.b64encode(algorithm + key_id + value).decode()


def _read(finished: bytes) -> tuple[bytes, str, bytes]:
    """Return signature, trusted comment and second signature; these are empty in a file of signify."""
    found = _FILE.fullmatch(finished)
    try:
        if found is not None:
            first, comment, second = found[1], (found[2] or b"").decode(), found[3] or b""
            return binascii.a2b_base64(first)[10:], comment, binascii.a2b_base64(second)
    except ValueError:  # binascii.Error and UnicodeDecodeError are such
        pass
    raise MalformedMessage("this is not a signature of minisign or signify")


@dataclass(frozen=True, slots=True)
class MinisignFile(DigestedFile):
    """A file to be signed, and the trusted comment that is signed with it.

    comment: one printable line of up to 1024 characters.

    SEQUENCE { version INTEGER (2), size INTEGER, digest OCTET STRING, contents [0] OCTET STRING OPTIONAL,
    comment UTF8String }
    """

    title = "file for minisign"
    asn1: ClassVar[tuple[Form[Any], ...]] = (*DIGESTED, TEXT)
    algorithm = "blake2b"
    ending = ".minisig"

    comment: str

    def __post_init__(self) -> None:
        super(MinisignFile, self).__post_init__()
        words.require_line(self.comment, "a trusted comment", 1024)

    def to_sign(self, key: VerifyingKey) -> bytes:
        """Return the digest of the file."""
        return self.digest

    def to_sign_second(self, key: VerifyingKey, first: bytes) -> bytes:
        """Return the first signature with the comment behind it."""
        return first + self.comment.encode()

    def lines(self) -> list[str]:
        """Say which file, and which comment."""
        said = "two signatures for minisign: on the file; on that signature and the trusted comment"
        return [f"  signed   {said}", f"  comment  {words.quoted(self.comment)}", *self.file_lines()]

    def finish(self, key: VerifyingKey, signature: bytes) -> bytes:
        """Write the file of minisign."""
        first, second = signature[:SIGNATURE], signature[SIGNATURE:]
        lines = (
            _UNTRUSTED,
            _encoded(_DIGEST, key, first),
            f"trusted comment: {self.comment}",
            base64.b64encode(second).decode(),
        )
        return "".join(f"{line}\n" for line in lines).encode()

    def use(self, file: str) -> str:
        """Verify with minisign."""
        return f"minisign -V -p KEY.pub -x {file} -m FILE"


class Minisign(Target):
    """A file for minisign."""

    name = "minisign"
    own_copy = "file"
    is_twice = True
    suites = SUITES
    options = (Option("comment", "the trusted comment; else the time", ""),)

    def make(self, given: Given) -> bytes:
        """Take the file: its contents up to 1 MiB, above that its digest."""
        comment = given.texts["comment"] or f"timestamp:{given.now}"
        return MinisignFile(*MinisignFile.take(given.file), comment).encode()

    def read(self, data: bytes) -> MinisignFile:
        """Read the structure."""
        return MinisignFile.decode(data)

    def take_apart(self, finished: bytes, file: BinaryIO) -> tuple[MinisignFile, bytes]:
        """Read comment and signatures."""
        first, comment, second = _read(finished)
        if len(first) != SIGNATURE:
            raise MalformedMessage("the first signature is not of 64 bytes")
        return MinisignFile(*MinisignFile.take(file, is_carried=False), comment), first + second


@dataclass(frozen=True, slots=True)
class SignifyFile(Message):
    """A file for signify, which signs all of it."""

    def finish(self, key: VerifyingKey, signature: bytes) -> bytes:
        """Write the file of signify."""
        return f"{_UNTRUSTED}\n{_encoded(_WHOLE, key, signature)}\n".encode()

    def use(self, file: str) -> str:
        """Verify with signify."""
        return f"signify -V -p KEY.pub -x {file} -m FILE"


class Signify(Raw):
    """A file for signify."""

    name = "signify"
    suites = SUITES

    def read(self, data: bytes) -> SignifyFile:
        """Take any bytes."""
        return SignifyFile(data)

    def take_apart(self, finished: bytes, file: BinaryIO) -> tuple[SignifyFile, bytes]:
        """Read the signature."""
        return SignifyFile(file.read(LARGEST + 1)), _read(finished)[0]
