"""A certificate by which OpenSSH lets somebody in, or knows a host; taken by ``sshd`` and shown by ``ssh-keygen -L``.

The thing is the certificate without its signature, in OpenSSH's own encoding. Source: PROTOCOL.certkeys of OpenSSH.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final, Self

from frost_hsm.errors import MalformedMessage, NotPossible
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets import Given, Option, Target, Thing, asked, words
from frost_hsm.targets.ssh import wire as ssh_wire
from frost_hsm.targets.ssh.wire import Reader, string

MAX_SIZE: Final = 1 << 15
FOR_EVER: Final = (1 << 64) - 1
_WHAT: Final = "an SSH certificate"
_NONCE: Final = 32  # bytes
_VERSION: Final = "-cert-v01@openssh.com"

_PARTS: Final = {
    "ssh-ed25519": 1,
    "ssh-rsa": 2,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
    "sk-ssh-ed25519@openssh.com": 2,
    "sk-ecdsa-sha2-nistp256@openssh.com": 3,
}
"""How many strings a public key of each type consists of."""

_KINDS: Final = {"user": 1, "host": 2}
_CRITICAL: Final = ("force-command", "source-address", "verify-required")
_EXTENSIONS: Final = (
    "no-touch-required",
    "permit-X11-forwarding",
    "permit-agent-forwarding",
    "permit-port-forwarding",
    "permit-pty",
    "permit-user-rc",
)
_USUAL: Final = _EXTENSIONS[1:]  # what ssh-keygen puts into a certificate for a user
_WORD: Final = re.compile(r"[!-+\--~]{1,255}")  # no comma, which stands between them
_LINE: Final = re.compile(r"[ -~]{1,255}")


def certified(key_type: str) -> str:
    """Name the type of certificate for a type of key; keys of security keys have their domain at the end."""
    return key_type.removesuffix("@openssh.com") + _VERSION


_KEY_TYPES: Final = {certified(key_type): key_type for key_type in _PARTS}


@dataclass(frozen=True, slots=True)
class SshCertificate(Thing):
    """Who is certified, as what, for how long, and by which key.

    subject: the certified public key, its type and strings. kind: user or host. valid_after, valid_before: seconds
    since 1970. critical: by name, the value empty where there is none. issuer: the encoded key of the group. Raises
    `NotPossible`.
    """

    key_type: str
    nonce: bytes
    subject: tuple[bytes, ...]
    serial: int
    kind: str
    key_id: str
    principals: tuple[str, ...]
    valid_after: int
    valid_before: int
    critical: Mapping[str, str]
    extensions: tuple[str, ...]
    issuer: bytes
    ending = "-cert.pub"

    def __post_init__(self) -> None:
        if len(self.nonce) != _NONCE:
            raise NotPossible(f"the nonce of {_WHAT} has not {_NONCE} bytes")
        if not _LINE.fullmatch(self.key_id):
            raise NotPossible("a key id is 1 to 255 printable ASCII characters")
        if not self.principals or not all(map(_WORD.fullmatch, self.principals)):
            raise NotPossible(
                f"{_WHAT} needs principals, of printable ASCII characters", hint="without one it would be for everybody"
            )
        if not self.valid_after < self.valid_before:
            raise NotPossible(f"{_WHAT} that is never valid")
        if unknown := [name for name in self.critical if name not in _CRITICAL]:
            raise NotPossible(f"no critical option {words.quoted(unknown[0])} is known", hint=", ".join(_CRITICAL))
        if unknown := [name for name in self.extensions if name not in _EXTENSIONS]:
            raise NotPossible(f"no extension {words.quoted(unknown[0])} is known", hint=", ".join(_EXTENSIONS))
        if any((name == "verify-required") == bool(value) for name, value in self.critical.items()):
            raise NotPossible("verify-required has no value, the other critical options have one")
        if not all(_LINE.fullmatch(value) for value in self.critical.values() if value):
            raise NotPossible("the value of a critical option is 1 to 255 printable ASCII characters")
        if self.kind == "host" and (self.critical or self.extensions):
            raise NotPossible("a certificate of a host has no options")

    def encode(self) -> bytes:
        """Write all that is signed."""
        critical = [
            string(name.encode()) + string(string(value.encode()) if value else b"")
            for name, value in sorted(self.critical.items())
        ]
        return b"".join(
            (
                string(certified(self.key_type).encode()),
                string(self.nonce),
                *map(string, self.subject),
                self.serial.to_bytes(8, "big"),
                _KINDS[self.kind].to_bytes(4, "big"),
                string(self.key_id.encode()),
                string(b"".join(string(each.encode()) for each in self.principals)),
                self.valid_after.to_bytes(8, "big"),
                self.valid_before.to_bytes(8, "big"),
                string(b"".join(critical)),
                string(b"".join(string(name.encode()) + string(b"") for name in sorted(self.extensions))),
                string(b""),  # reserved
                string(self.issuer),
            )
        )

    @classmethod
    def take(cls, reader: Reader) -> Self:
        """Read the part that is signed; `encode` shows whether it was in its one form."""
        key_type = _KEY_TYPES.get(_text(reader.string()))
        if key_type is None:
            raise MalformedMessage(f"this is not {_WHAT} of a known type")
        nonce, subject = reader.string(), tuple(reader.string() for _ in range(_PARTS[key_type]))
        serial, number = reader.number(8), reader.number(4)
        kind = {number: kind for kind, number in _KINDS.items()}.get(number)
        if kind is None:
            raise MalformedMessage(f"{_WHAT} is neither for a user nor for a host")
        key_id, principals = _text(reader.string()), _texts(reader.string())
        after, before = reader.number(8), reader.number(8)
        critical, extensions = _pairs(reader.string()), _pairs(reader.string())
        reader.string()  # reserved
        issuer = reader.string()
        values = {name: _text(Reader(value, _WHAT).string()) if value else "" for name, value in critical.items()}
        try:
            return cls(
                key_type,
                nonce,
                subject,
                serial,
                kind,
                key_id,
                principals,
                after,
                before,
                values,
                tuple(extensions),
                issuer,
            )
        except NotPossible as error:
            raise MalformedMessage(f"{_WHAT} is malformed: {error}") from None

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Read a thing. Raises `MalformedMessage` for options that are not known, in another order or twice."""
        if len(data) > MAX_SIZE:
            raise MalformedMessage(f"{_WHAT} is larger than {MAX_SIZE} bytes")
        certificate = cls.take(Reader(data, _WHAT))
        if certificate.encode() != data:
            raise MalformedMessage(f"{_WHAT} is not in its one form")
        return certificate

    def to_sign(self, key: VerifyingKey) -> bytes:
        """Return all of it."""
        if self.issuer != ssh_wire.public_key(key):
            raise NotPossible(f"{_WHAT} that names another issuer than this key")
        return self.encode()

    def lines(self) -> list[str]:
        """Say every field."""
        ends = "for ever" if self.valid_before == FOR_EVER else f"until {words.moment(self.valid_before)}"
        blob = b"".join(map(string, (self.key_type.encode(), *self.subject)))
        application = [f"  token    {words.quoted(_text(self.subject[-1]))}"] if self.key_type.startswith("sk-") else []
        return [
            f"  certifies {self.kind} key {self.key_type} {fingerprint(blob)}",
            *application,
            f"  as       {', '.join(map(words.quoted, self.principals))}",
            f"  key id   {words.quoted(self.key_id)}, serial number {self.serial}",
            f"  valid    from {words.moment(self.valid_after)} {ends}",
            *(
                f"  must     {name}" + (f" {words.quoted(value)}" if value else "")
                for name, value in sorted(self.critical.items())
            ),
            *(f"  may      {name}" for name in sorted(self.extensions)),
            f"  nonce    {self.nonce.hex()}",
        ]

    def finish(self, key: VerifyingKey, signature: bytes) -> bytes:
        """Write the line of a ``-cert.pub`` file."""
        blob = self.encode() + string(ssh_wire.signature_blob(signature))
        return f"{certified(self.key_type)} {base64.b64encode(blob).decode()} {self.key_id}\n".encode()

    def file_name(self, name: str) -> str:
        """Return what ssh looks for beside the key: id_ed25519.pub → id_ed25519-cert.pub."""
        return f"{name.removesuffix('.pub')}{self.ending}"

    def use(self, file: str) -> str:
        """Show it with OpenSSH."""
        return f"ssh-keygen -L -f {file}"


def fingerprint(blob: bytes) -> str:
    """Write the fingerprint of an encoded public key as ssh-keygen does."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise MalformedMessage(f"a text in {_WHAT} is not UTF-8") from None


def _texts(data: bytes) -> tuple[str, ...]:
    reader, found = Reader(data, _WHAT), []
    while reader.more():
        found.append(_text(reader.string()))
    return tuple(found)


def _pairs(data: bytes) -> dict[str, bytes]:
    reader, found = Reader(data, _WHAT), {}
    while reader.more():
        name = _text(reader.string())
        found[name] = reader.string()
    return found


class SshCert(Target):
    """A certificate of OpenSSH, for the public key in a ``.pub`` file."""

    name = "ssh-cert"
    stands_alone = True
    suites = ssh_wire.SUITES
    options = (
        Option("principals", "whom it lets in as, or the names of the host: alice,root"),
        Option("kind", "user or host", "user"),
        Option("days", "how long it is valid from now on; 0 is for ever", "365"),
        Option("key-id", "what logs call it; else the first principal", ""),
        Option("serial", "its serial number; else a random one", ""),
        Option("force-command", "the only command it may run", ""),
        Option("source-address", "the only addresses it may come from: 192.0.2.0/24,…", ""),
        Option("verify-required", "yes: its security key has to verify the user, say by PIN", "no"),
        Option("extensions", "what a user may; else what ssh-keygen allows", ",".join(_USUAL)),
    )

    def make(self, given: Given) -> bytes:
        """Certify a public key."""
        texts = given.texts
        key_type, subject = _subject(given.all(MAX_SIZE))
        critical = {name: texts[name] for name in ("force-command", "source-address") if texts[name]}
        if texts["verify-required"] == "yes":
            critical["verify-required"] = ""
        serial = texts["serial"]
        principals = tuple(asked.names(texts["principals"]))
        return SshCertificate(
            key_type,
            secrets.token_bytes(_NONCE),
            subject,
            asked.number(serial) if serial else secrets.randbits(63),
            asked.one_of(texts["kind"], _KINDS),
            texts["key-id"] or "".join(principals[:1]),
            principals,
            given.now,
            asked.until(given.now, texts["days"], for_ever=FOR_EVER),
            critical,
            tuple(sorted(set(asked.names(texts["extensions"])))) if texts["kind"] == "user" else (),
            ssh_wire.public_key(given.key),
        ).encode()

    def read(self, data: bytes) -> SshCertificate:
        """Read the part that is signed."""
        return SshCertificate.read(data)

    def take_apart(self, finished: bytes, file: BinaryIO) -> tuple[SshCertificate, bytes]:
        """Read a certificate; the file is not needed."""
        try:
            reader = Reader(binascii.a2b_base64(finished.split(b" ")[1]), _WHAT)
        except (IndexError, binascii.Error):
            raise MalformedMessage(f"this is not {_WHAT}") from None
        certificate = SshCertificate.take(reader)
        signature = Reader(reader.string(), _WHAT)
        reader.end()
        signature.string()  # the algorithm
        return certificate, signature.string()


def _subject(line: bytes) -> tuple[str, tuple[bytes, ...]]:
    """Read a public key of OpenSSH: its type and its strings. Raises `NotPossible`."""
    from cryptography.exceptions import UnsupportedAlgorithm  # here, because signers need none of it
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    try:
        load_ssh_public_key(line.strip())
        reader = Reader(binascii.a2b_base64(line.split()[1]), "a public key")
        key_type = _text(reader.string())
        subject = tuple(reader.string() for _ in range(_PARTS[key_type]))
        reader.end()
    except (ValueError, KeyError, IndexError, UnsupportedAlgorithm, MalformedMessage):
        raise NotPossible("this is not a public key of OpenSSH that can be certified", hint="a file .pub") from None
    return key_type, subject
