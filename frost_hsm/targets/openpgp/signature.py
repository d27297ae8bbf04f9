"""A file signed as by ``gpg --detach-sign --armor``, or a text as by ``gpg --clear-sign``; taken by gpg, gpgv, sq, apt.

What is signed is a hash that the file does not stand alone in, so all of it is in the request.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from frost_hsm.errors import MalformedMessage, NotPossible
from frost_hsm.forms.asn1 import NUMBER, OCTETS, Structure
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets import LARGEST, Given, Target, Thing, words
from frost_hsm.targets.openpgp import packets
from frost_hsm.targets.own_copy import FileDigest

_UNSIGNED: Final = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f]|[ \t]$", re.MULTILINE)
"""Control characters, and space at the end of a line, which signatures on text leave out."""

_LONGEST: Final = 19_990
"""Bytes of a line: GnuPG cuts at 20,000, with what escapes and ends a line, and the signature is bad then."""

_SIGNATURE: Final = "SIGNATURE"
_CLEARTEXT: Final = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n"


@dataclass(frozen=True, slots=True)
class OpenPgpFile(Structure, Thing):
    """A file, and when it is signed.

    made: seconds since 1970. contents: all of the file. Raises `NotPossible`.

    SEQUENCE { version INTEGER (2), made INTEGER, contents OCTET STRING }
    """

    title = "file for an OpenPGP signature"
    asn1 = (NUMBER, OCTETS)
    ending = ".asc"

    made: int
    contents: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not packets.KEY_CREATED < self.made <= packets.MAX_TIME:
            raise NotPossible("OpenPGP knows the time from 1970 to 2106, and a group's key is from 2000")
        if len(self.contents) > LARGEST:
            raise NotPossible(f"a file to sign is larger than {LARGEST} bytes", hint="sign a list of digests")

    def to_sign(self, key: VerifyingKey) -> bytes:
        """Return the hash."""
        return packets.to_sign(key, packets.BINARY, self.made, self.contents)

    def lines(self) -> list[str]:
        """Say which file, and when it is signed."""
        return [f"  signed   {words.moment(self.made)}", *words.contents_lines(self.contents)]

    def finish(self, key: VerifyingKey, signature: bytes) -> bytes:
        """Write a detached signature in armour."""
        made = packets.signature(key, packets.BINARY, self.made, self.contents, signature)
        return packets.armoured(_SIGNATURE, made)

    def check_own_copy(self, directory: Path, name: str) -> str:
        """Compare the file."""
        return FileDigest.of_contents(self.contents, "sha256").check(directory, name)

    def use(self, file: str) -> str:
        """Verify with GnuPG."""
        return f"gpg --verify {file} FILE"


class OpenPgp(Target):
    """A file with a detached signature of OpenPGP."""

    name = "openpgp"
    own_copy = "file"
    suites = packets.SUITES
    options = ()

    def make(self, given: Given) -> bytes:
        """Take all of the file."""
        return OpenPgpFile(given.now, given.all()).encode()

    def read(self, data: bytes) -> OpenPgpFile:
        """Read the structure."""
        return OpenPgpFile.decode(data)

    def take_apart(self, finished: bytes, file: BinaryIO) -> tuple[OpenPgpFile, bytes]:
        """Read the time out of the signature."""
        made, signature = _read(finished)
        return OpenPgpFile(made, file.read(LARGEST + 1)), signature


@dataclass(frozen=True, slots=True)
class OpenPgpText(OpenPgpFile):
    """A text, and when it is signed.

    contents: UTF-8, lines ended by a line feed, of up to 19,990 bytes each, without what a signature on text would not
    cover: space at the end of a line, and control characters.

    SEQUENCE { version INTEGER (2), made INTEGER, contents OCTET STRING }
    """

    title = "text for an OpenPGP signature"

    def __post_init__(self) -> None:
        super(OpenPgpText, self).__post_init__()
        try:
            text = self.contents.decode()
        except UnicodeDecodeError:
            raise NotPossible("a text to sign is not UTF-8", hint="--as openpgp takes any file") from None
        if not text.endswith("\n"):
            raise NotPossible("a text to sign does not end with a line feed", hint="--as openpgp takes any file")
        if _UNSIGNED.search(text):
            raise NotPossible(
                "a text to sign has space at the end of a line, or control characters, which would not be signed",
                hint="take them out; --as openpgp takes any file",
            )

        if any(len(line) > _LONGEST for line in self.contents.split(b"\n")):
            raise NotPossible(
                f"a text to sign has a line of more than {_LONGEST} bytes, which GnuPG would cut",
                hint="break it; --as openpgp takes any file",
            )

    @property
    def _canonical(self) -> bytes:
        """As it is hashed: lines ended by CRLF, the last by nothing (§7.1, §5.2.1.2)."""
        return self.contents[:-1].replace(b"\n", b"\r\n")

    def to_sign(self, key: VerifyingKey) -> bytes:
        """Return the hash."""
        return packets.to_sign(key, packets.TEXT, self.made, self._canonical)

    def finish(self, key: VerifyingKey, signature: bytes) -> bytes:
        """Write the text and the signature in one file (§7)."""
        escaped = re.sub(rb"(?m)^-", b"- -", self.contents)
        made = packets.signature(key, packets.TEXT, self.made, self._canonical, signature)
        return _CLEARTEXT + escaped + packets.armoured(_SIGNATURE, made)

    def use(self, file: str) -> str:
        """Verify with GnuPG."""
        return f"gpg --verify {file}"


class OpenPgpCleartext(Target):
    """A text with the signature of OpenPGP behind it, as in InRelease."""

    name = "openpgp-cleartext"
    own_copy = "file"
    stands_alone = True
    suites = packets.SUITES
    options = ()

    def make(self, given: Given) -> bytes:
        """Take all of the text."""
        return OpenPgpText(given.now, given.all()).encode()

    def read(self, data: bytes) -> OpenPgpText:
        """Read the structure."""
        return OpenPgpText.decode(data)

    def take_apart(self, finished: bytes, file: BinaryIO) -> tuple[OpenPgpText, bytes]:
        """Read text and time out of the signed text; the file is not needed."""
        begin = f"-----BEGIN PGP {_SIGNATURE}-----\n".encode()
        head, cut, tail = finished.removeprefix(_CLEARTEXT).rpartition(begin)
        made, signature = _read(cut + tail)
        return OpenPgpText(made, re.sub(rb"(?m)^- ", b"", head)), signature


def _read(armoured: bytes) -> tuple[int, bytes]:
    """Return time and R ‖ S of a signature."""
    for _, body in packets.packets(packets.read_armoured(_SIGNATURE, armoured)):
        made, _, signature = packets.read_signature(body)
        return made, signature
    raise MalformedMessage("there is no signature of OpenPGP in the armour")
