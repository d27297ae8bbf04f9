"""What OpenPGP says of the group's key itself: its certificate, for others to import, and its revocation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, Final

from frost_hsm.errors import MalformedMessage, NotPossible
from frost_hsm.forms.asn1 import NUMBER, TEXT, Structure
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets import Given, Option, Target, Thing, asked, words
from frost_hsm.targets.openpgp import packets

_CERTIFIES_AND_SIGNS: Final = b"\x03"
_REASONS: Final = {"unspecified": 0, "superseded": 1, "compromised": 2, "retired": 3}
_REVOCATION: Final = "PUBLIC KEY BLOCK"  # as gpg --gen-revoke has it


@dataclass(frozen=True, slots=True)
class OpenPgpKey(Structure, Thing):
    """A user id for the group's key, and until when the key is valid.

    made, expires: seconds since 1970; expires is 0 for a key that never does. Raises `NotPossible`.

    SEQUENCE { version INTEGER (2), made, expires INTEGER, userId UTF8String }
    """

    title = "certificate of OpenPGP to sign"
    asn1 = (NUMBER, NUMBER, TEXT)
    ending = ".pgp"

    made: int
    expires: int
    user_id: str

    def __post_init__(self) -> None:
        if not packets.KEY_CREATED < self.made <= packets.MAX_TIME or self.expires > packets.MAX_TIME:
            raise NotPossible("OpenPGP knows the time from 1970 to 2106, and a group's key is from 2000")
        if 0 < self.expires <= self.made:
            raise NotPossible("a certificate of OpenPGP that is never valid")
        if not self.user_id:
            raise NotPossible("a user id is missing", hint="Team <team@example.org>")
        words.require_line(self.user_id, "a user id")

    @property
    def _extra(self) -> bytes:
        lasts = [(packets.KEY_EXPIRES, packets.number(self.expires - packets.KEY_CREATED))] if self.expires else []
        always = [(packets.PRIMARY, b"\1"), (packets.KEY_FLAGS, _CERTIFIES_AND_SIGNS), (packets.FEATURES, b"\1")]
        return b"".join(packets.subpacket(kind, value) for kind, value in [*lasts, *always])

    def _data(self, key: VerifyingKey) -> bytes:
        user_id = self.user_id.encode()
        return packets.framed_key(key) + b"\xb4" + packets.number(len(user_id)) + user_id

    def to_sign(self, key: VerifyingKey) -> bytes:
        """Return the hash."""
        return packets.to_sign(key, packets.CERTIFICATION, self.made, self._data(key), self._extra)

    def lines(self) -> list[str]:
        """Say user id and times."""
        return [
            f"  user id  {words.quoted(self.user_id)}",
            f"  signed   {words.moment(self.made)}",
            f"  expires  {words.moment(self.expires) if self.expires else 'never'}",
            "  may      certify and sign; this is its primary user id",
        ]

    def finish(self, key: VerifyingKey, signature: bytes) -> bytes:
        """Write the certificate: key, user id, signature. Not in armour, for gpgv and apt read it so."""
        made = packets.signature(key, packets.CERTIFICATION, self.made, self._data(key), signature, self._extra)
        user_id = packets.packet(packets.USER_ID, self.user_id.encode())
        return packets.packet(packets.PUBLIC_KEY, packets.public_key(key)) + user_id + made

    def use(self, file: str) -> str:
        """Import it."""
        return f"gpg --import {file}"


class OpenPgpCertificate(Target):
    """The certificate of the group's key, with a user id. Another, later, sets another expiry."""

    name = "openpgp-certificate"
    takes_file = False
    stands_alone = True
    suites = packets.SUITES
    options = (
        Option("user-id", "whose key it is: Team <team@example.org>"),
        Option("days", "how long the key is valid from now on; 0 is for ever", "0"),
    )

    def make(self, given: Given) -> bytes:
        """Take user id and days; no file."""
        expires = asked.until(given.now, given.texts["days"], for_ever=0)
        return OpenPgpKey(given.now, expires, given.texts["user-id"]).encode()

    def read(self, data: bytes) -> OpenPgpKey:
        """Read the structure."""
        return OpenPgpKey.decode(data)

    def take_apart(self, finished: bytes, file: BinaryIO) -> tuple[OpenPgpKey, bytes]:
        """Read user id and times out of a certificate; the file is not needed."""
        found = packets.first(finished, 3)
        if [tag for tag, _ in found] != [packets.PUBLIC_KEY, packets.USER_ID, packets.SIGNATURE]:
            raise MalformedMessage("this is not a certificate of OpenPGP with one user id and one signature")
        made, fields, signature = packets.read_signature(found[2][1])
        lasts = int.from_bytes(fields.get(packets.KEY_EXPIRES, b""), "big")
        expires = packets.KEY_CREATED + lasts if lasts else 0
        return OpenPgpKey(made, expires, found[1][1].decode(errors="replace")), signature


@dataclass(frozen=True, slots=True)
class OpenPgpRevoked(Structure, Thing):
    """That the group's key is not to be used any more.

    made: seconds since 1970. reason: its number (RFC 9580 §5.2.3.31). comment: one line, may be empty. Raises
    `NotPossible`.

    SEQUENCE { version INTEGER (2), made, reason INTEGER, comment UTF8String }
    """

    title = "revocation of OpenPGP to sign"
    asn1 = (NUMBER, NUMBER, TEXT)
    ending = ".asc"

    made: int
    reason: int
    comment: str

    def __post_init__(self) -> None:
        if not packets.KEY_CREATED < self.made <= packets.MAX_TIME:
            raise NotPossible("OpenPGP knows the time from 1970 to 2106, and a group's key is from 2000")
        if self.reason not in _REASONS.values():
            raise NotPossible("a revocation for an unknown reason", hint=", ".join(_REASONS))
        words.require_line(self.comment, "the comment of a revocation")

    @property
    def _extra(self) -> bytes:
        return packets.subpacket(packets.REASON, bytes((self.reason,)) + self.comment.encode())

    def to_sign(self, key: VerifyingKey) -> bytes:
        """Return the hash."""
        return packets.to_sign(key, packets.REVOCATION, self.made, packets.framed_key(key), self._extra)

    def lines(self) -> list[str]:
        """Say that it is for ever, when and why."""
        (reason,) = (name for name, number in _REASONS.items() if number == self.reason)
        return [
            "  revokes  the key itself, for OpenPGP and for ever: nobody can take it back",
            f"  signed   {words.moment(self.made)}",
            f"  reason   {reason}, {words.quoted(self.comment)}",
        ]

    def finish(self, key: VerifyingKey, signature: bytes) -> bytes:
        """Write the signature in armour, as ``gpg --gen-revoke`` does."""
        data = packets.framed_key(key)
        made = packets.signature(key, packets.REVOCATION, self.made, data, signature, self._extra)
        return packets.armoured(_REVOCATION, made)

    def use(self, file: str) -> str:
        """Import it."""
        return f"gpg --import {file}"


class OpenPgpRevocation(Target):
    """The revocation of the group's key."""

    name = "openpgp-revocation"
    takes_file = False
    stands_alone = True
    suites = packets.SUITES
    options = (
        Option("reason", ", ".join(_REASONS), "unspecified"),
        Option("comment", "why, in one line", ""),
    )

    def make(self, given: Given) -> bytes:
        """Take reason and comment; no file."""
        reason = _REASONS[asked.one_of(given.texts["reason"], _REASONS)]
        return OpenPgpRevoked(given.now, reason, given.texts["comment"]).encode()

    def read(self, data: bytes) -> OpenPgpRevoked:
        """Read the structure."""
        return OpenPgpRevoked.decode(data)

    def take_apart(self, finished: bytes, file: BinaryIO) -> tuple[OpenPgpRevoked, bytes]:
        """Read time, reason and comment out of the signature; the file is not needed."""
        found = packets.first(packets.read_armoured(_REVOCATION, finished), 1)
        if [tag for tag, _ in found] != [packets.SIGNATURE]:
            raise MalformedMessage("this is not a revocation of OpenPGP")
        made, fields, signature = packets.read_signature(found[0][1])
        why = fields.get(packets.REASON, b"")
        return OpenPgpRevoked(made, why[0] if why else 0xFF, why[1:].decode(errors="replace")), signature
