"""Files signed for minisign, and for OpenBSD's signify, whose keys and signatures look alike.

minisign's signature is two: one on the digest of the file, one on that signature with the trusted comment behind it.
The second is made of the first, so it is a request of its own: of the file in which the first one ends.

Source: https://jedisct1.github.io/minisign, and signify(1).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final

from frost_hsm.errors import InvalidSignature, MalformedMessage, NotPossible
from frost_hsm.forms.asn1 import OCTETS, TEXT, Form
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets import LARGEST, Given, Option, Target, require_signature, words
from frost_hsm.targets.own_copy import DIGESTED, DigestedFile
from frost_hsm.targets.raw import Message, Raw

SUITES: Final = frozenset({"ed25519"})
HALF: Final = ".half"
"""At the end of the name of what the second request is made of."""

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
    """Return signature, trusted comment and second signature; those two are empty in a file of signify."""
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
    """A file to be signed, and the trusted comment that will be.

    comment: one printable line of up to 1024 characters.

    SEQUENCE { version INTEGER (2), size INTEGER, digest OCTET STRING, contents [0] OCTET STRING OPTIONAL,
    comment UTF8String }
    """

    title = "file for minisign"
    asn1: ClassVar[tuple[Form[Any], ...]] = (*DIGESTED, TEXT)
    algorithm = "blake2b"
    ending = HALF

    comment: str

    def __post_init__(self) -> None:
        super(MinisignFile, self).__post_init__()
        words.require_line(self.comment, "a trusted comment", 1024)

    def to_sign(self, key: VerifyingKey) -> bytes:
        """Return the digest of the file."""
        return self.digest

    def lines(self) -> list[str]:
        """Say which file; the comment is not signed yet."""
        return ["  first    of two signatures for minisign: on the file", *self._told()]

    def _told(self) -> list[str]:
        return [f"  comment  {words.quoted(self.comment)}", *self.file_lines()]

    def finish(self, key: VerifyingKey, signature: bytes) -> bytes:
        """Write what the second request is made of."""
        return MinisignComment(self.size, self.digest, self.contents, self.comment, signature).encode()

    def use(self, file: str) -> str:
        """Ask for the second signature."""
        return f"frost-hsm sign request KEY --as minisign-comment {file}"


class Minisign(Target):
    """A file for minisign, the first of two signatures."""

    name = "minisign"
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
        """Take the second request apart again."""
        half = MinisignComment.decode(finished)
        return MinisignFile(half.size, half.digest, half.contents, half.comment), half.signature


@dataclass(frozen=True, slots=True)
class MinisignComment(MinisignFile):
    """A file that is signed, and the trusted comment to be signed with it.

    signature: 64 bytes, the first.

    SEQUENCE { version INTEGER (2), size INTEGER, digest OCTET STRING, contents [0] OCTET STRING OPTIONAL,
    comment UTF8String, signature OCTET STRING }
    """

    title = "comment for minisign"
    asn1 = (*MinisignFile.asn1, OCTETS)
    ending = ".minisig"

    signature: bytes

    def to_sign(self, key: VerifyingKey) -> bytes:
        """Return first signature and comment. Raises `NotPossible` if that is not the signature on the file."""
        try:
            require_signature(key, self.digest, self.signature)
        except InvalidSignature:
            raise NotPossible("the first of minisign's two signatures is not by this key on this file") from None
        return self.signature + self.comment.encode()

    def lines(self) -> list[str]:
        """Say which comment on which file."""
        return ["  second   of two signatures for minisign: on the file and the trusted comment", *self._told()]

    def finish(self, key: VerifyingKey, signature: bytes) -> bytes:
        """Write the file of minisign."""
        first, second = _encoded(_DIGEST, key, self.signature), base64.b64encode(signature).decode()
        return f"{_UNTRUSTED}\n{first}\ntrusted comment: {self.comment}\n{second}\n".encode()

    def check_own_copy(self, directory: Path, name: str) -> str:
        """Compare the file, whose name comes before the ending of the first signature."""
        return self.file.check(directory, name.removesuffix(HALF))

    def file_name(self, name: str) -> str:
        """Return what minisign looks for beside the file."""
        return f"{name.removesuffix(HALF)}{self.ending}"

    def use(self, file: str) -> str:
        """Verify with minisign."""
        return f"minisign -V -p KEY.pub -x {file} -m FILE"


class MinisignTrustedComment(Target):
    """A trusted comment for minisign, the second of two signatures: of the file that the first ends in."""

    name = "minisign-comment"
    suites = SUITES
    options = ()

    def make(self, given: Given) -> bytes:
        """Take the file that the first signature ended in."""
        data = given.all()
        try:
            MinisignComment.decode(data).to_sign(given.key)
        except MalformedMessage as error:
            raise NotPossible(
                f"this is not what the first signature for minisign ended in: {error}",
                hint=f"first: --as minisign FILE; then --as minisign-comment FILE{HALF}",
            ) from error
        return data

    def read(self, data: bytes) -> MinisignComment:
        """Read the structure."""
        return MinisignComment.decode(data)

    def take_apart(self, finished: bytes, file: BinaryIO) -> tuple[MinisignComment, bytes]:
        """Read comment and signatures."""
        first, comment, second = _read(finished)
        return MinisignComment(*MinisignComment.take(file, is_carried=False), comment, first), second


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
