"""What OpenSSH's formats are made of: strings with their lengths, keys, and the signature format SSHSIG.

Sources: RFC 4251 §5, RFC 8709, and PROTOCOL.sshsig of OpenSSH.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from frost_hsm.errors import MalformedMessage
from frost_hsm.frost.values import VerifyingKey

SUITES: Final = frozenset({"ed25519"})  # OpenSSH has no Ed448
KEY_TYPE: Final = b"ssh-ed25519"
SIGNATURE_LENGTH: Final = 64

_MAGIC: Final = b"SSHSIG"
_VERSION: Final = (1).to_bytes(4, "big")
_HASH: Final = b"sha512"
_LINE: Final = 70  # as ssh-keygen writes
_BEGIN, _END = b"-----BEGIN SSH SIGNATURE-----\n", b"-----END SSH SIGNATURE-----\n"


def string(value: bytes) -> bytes:
    """Write a string: its length in 4 bytes, then itself."""
    return len(value).to_bytes(4, "big") + value


def public_key(key: VerifyingKey) -> bytes:
    """Write a public key as OpenSSH encodes it."""
    return string(KEY_TYPE) + string(key.serialize())


def signature_blob(signature: bytes) -> bytes:
    """Write a signature, 64 bytes, with the name of its algorithm."""
    return string(KEY_TYPE) + string(signature)


class Reader:
    """Reads what is in a string, from left to right. Every method raises `MalformedMessage`."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._position = 0
        self._what = what

    def take(self, length: int) -> bytes:
        """Read so many bytes."""
        piece = self._data[self._position : self._position + length]
        if len(piece) != length:
            raise MalformedMessage(f"{self._what} ends too early")
        self._position += length
        return piece

    def number(self, length: int) -> int:
        """Read a number of so many bytes."""
        return int.from_bytes(self.take(length), "big")

    def string(self) -> bytes:
        """Read a string."""
        return self.take(self.number(4))

    def more(self) -> bool:
        """Tell whether anything comes next."""
        return self._position < len(self._data)

    def end(self) -> None:
        """Refuse what comes after the end."""
        if self.more():
            raise MalformedMessage(f"{self._what} has something after its end")


def to_sign(namespace: str, digest: bytes) -> bytes:
    """Return the message of an SSHSIG. digest: SHA-512 over what is signed."""
    return _MAGIC + b"".join(map(string, (namespace.encode(), b"", _HASH, digest)))


def read_to_sign(data: bytes) -> tuple[str, bytes]:
    """Return namespace and digest of what `to_sign` wrote. Raises `MalformedMessage` for anything else."""
    what = "the message of an SSH signature"
    reader = Reader(data, what)
    reader.take(len(_MAGIC))
    namespace = reader.string()
    _, algorithm, digest = reader.string(), reader.string(), reader.string()
    if algorithm != _HASH:
        raise MalformedMessage(f"{what} is by another hash than {_HASH.decode()}")
    try:
        found = namespace.decode(), digest
    except UnicodeDecodeError:
        raise MalformedMessage(f"the namespace of {what} is not UTF-8") from None
    if to_sign(*found) != data:
        raise MalformedMessage(f"this is not {what}")
    return found


def is_to_sign(data: bytes) -> bool:
    """Tell whether this begins as `to_sign` does; nothing else that SSH signs does."""
    return data.startswith(_MAGIC)


def armoured(key: VerifyingKey, namespace: str, signature: bytes) -> bytes:
    """Write an SSHSIG as ssh-keygen does."""
    fields = (public_key(key), namespace.encode(), b"", _HASH, signature_blob(signature))
    text = base64.b64encode(_MAGIC + _VERSION + b"".join(map(string, fields)))
    lines = [text[start : start + _LINE] + b"\n" for start in range(0, len(text), _LINE)]
    return b"".join((_BEGIN, *lines, _END))


def read_armoured(data: bytes) -> tuple[str, bytes]:
    """Return namespace and signature of what `armoured` wrote; its key and its lines are not looked at."""
    what = "an SSH signature"
    if not (data.startswith(_BEGIN) and data.endswith(_END)):
        raise MalformedMessage(f"this is not {what}")
    try:
        blob = binascii.a2b_base64(data[len(_BEGIN) : -len(_END)])
    except binascii.Error:
        raise MalformedMessage(f"this is not {what}: not in base64") from None
    reader = Reader(blob, what)
    reader.take(len(_MAGIC) + len(_VERSION))
    reader.string()  # the key
    namespace = reader.string()
    reader.string()  # reserved
    reader.string()  # the hash
    signature = Reader(reader.string(), what)
    signature.string()  # the algorithm
    try:
        return namespace.decode(), signature.string()
    except UnicodeDecodeError:
        raise MalformedMessage(f"the namespace of {what} is not UTF-8") from None


def key_line(key: VerifyingKey, comment: str) -> bytes:
    """Write a public key in one line, as it stands in ``authorized_keys`` and in files that end in ``.pub``."""
    return KEY_TYPE + b" " + base64.b64encode(public_key(key)) + f" {comment}\n".encode()


def allowed_signers(key: VerifyingKey, principal: str) -> bytes:
    """Write a line of an ``allowed_signers`` file, which `ssh-keygen` and git verify by."""
    return f"{principal} ".encode() + KEY_TYPE + b" " + base64.b64encode(public_key(key)) + b"\n"
