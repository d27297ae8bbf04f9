"""OpenPGP, as much of it as a group's signatures need: packets of one exact form, version 4.

The libraries of Python that know OpenPGP have no place for a signer that is not their own, so these few packets are
written here. The form is the one that GnuPG 2.2 and Sequoia read: EdDSA (algorithm 22) over Ed25519, SHA-512, the
signer named by fingerprint. A key of OpenPGP is more than a public key, for its date enters its fingerprint; here that
date is the same for every group, so that a group has one fingerprint whoever writes its certificate.

Source: RFC 9580, and draft-koch-eddsa-for-openpgp for algorithm 22.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from frost_hsm.errors import MalformedMessage
from frost_hsm.frost.values import VerifyingKey

SUITES: Final = frozenset({"ed25519"})
KEY_CREATED: Final = 946684800
"""2000-01-01, in seconds since 1970: when every key of a group says it was made."""

MAX_TIME: Final = (1 << 32) - 1

SIGNATURE, PUBLIC_KEY, USER_ID = 2, 6, 13  # packets (§5)
BINARY, TEXT, CERTIFICATION, REVOCATION = 0x00, 0x01, 0x13, 0x20  # types of signature (§5.2.1)
KEY_EXPIRES, PRIMARY, KEY_FLAGS, REASON, FEATURES = 9, 25, 27, 29, 30  # subpackets (§5.2.3)
_MADE, _ISSUER, _ISSUER_FINGERPRINT = 2, 16, 33

_EDDSA: Final = 22
_SHA512: Final = 10
_CURVE: Final = bytes.fromhex("092b06010401da470f01")  # the OID of Ed25519, with its length
_LINE: Final = 64


def packet(tag: int, body: bytes) -> bytes:
    """Write a packet (§4.2)."""
    return bytes((0xC0 | tag,)) + _length(len(body)) + body


def _length(size: int) -> bytes:
    if size < 192:
        return bytes((size,))
    if size < 8384:
        return (size - 192 + (192 << 8)).to_bytes(2, "big")
    return b"\xff" + size.to_bytes(4, "big")


def subpacket(kind: int, value: bytes) -> bytes:
    """Write a subpacket of a signature."""
    return _length(len(value) + 1) + bytes((kind,)) + value


def number(value: int) -> bytes:
    """Write a time, or a span of it, in seconds."""
    return value.to_bytes(4, "big")


def public_key(key: VerifyingKey) -> bytes:
    """Write the body of the public key packet of a group."""
    return b"\4" + number(KEY_CREATED) + bytes((_EDDSA,)) + _CURVE + _mpi(b"\x40" + key.serialize())


def framed_key(key: VerifyingKey) -> bytes:
    """Write a public key as it is hashed (§5.2.4)."""
    body = public_key(key)
    return b"\x99" + len(body).to_bytes(2, "big") + body


def fingerprint(key: VerifyingKey) -> bytes:
    """Return the fingerprint of a group's key, 20 bytes."""
    return hashlib.sha1(framed_key(key), usedforsecurity=False).digest()


def _mpi(value: bytes) -> bytes:
    trimmed = value.lstrip(b"\0")
    bits = 8 * len(trimmed) - (8 - trimmed[0].bit_length() if trimmed else 0)
    return bits.to_bytes(2, "big") + trimmed


def _head(key: VerifyingKey, kind: int, made: int, extra: bytes) -> bytes:
    hashed = subpacket(_MADE, number(made)) + subpacket(_ISSUER_FINGERPRINT, b"\4" + fingerprint(key)) + extra
    return bytes((4, kind, _EDDSA, _SHA512)) + len(hashed).to_bytes(2, "big") + hashed


def to_sign(key: VerifyingKey, kind: int, made: int, data: bytes, extra: bytes = b"") -> bytes:
    """Return the 64 bytes that are signed: the hash of data, of the signature's own fields and their length (§5.2.4).

    kind: the type of signature. made: seconds since 1970. extra: further subpackets.
    """
    head = _head(key, kind, made, extra)
    return hashlib.sha512(data + head + b"\4\xff" + len(head).to_bytes(4, "big")).digest()


def signature(key: VerifyingKey, kind: int, made: int, data: bytes, signed: bytes, extra: bytes = b"") -> bytes:
    """Write a signature packet. signed: R ‖ S, 64 bytes, on what `to_sign` gives for the same."""
    unhashed = subpacket(_ISSUER, fingerprint(key)[-8:])
    left = to_sign(key, kind, made, data, extra)[:2]
    tail = len(unhashed).to_bytes(2, "big") + unhashed + left + _mpi(signed[:32]) + _mpi(signed[32:])
    return packet(SIGNATURE, _head(key, kind, made, extra) + tail)


def read_signature(body: bytes) -> tuple[int, dict[int, bytes], bytes]:
    """Return time, hashed subpackets and R ‖ S of what `signature` wrote, which is to be written again and compared.

    Raises `MalformedMessage`.
    """
    end = 6 + int.from_bytes(body[4:6], "big")
    fields = dict(_subpackets(body[6:end]))
    rest = body[end + 2 + int.from_bytes(body[end : end + 2], "big") + 2 :]
    size = (int.from_bytes(rest[:2], "big") + 7) // 8
    r, s = rest[2 : 2 + size], rest[4 + size :]
    if len(fields.get(_MADE, b"")) != 4 or max(len(r), len(s)) > 32:
        raise MalformedMessage("this is not a signature of OpenPGP by a group")
    return int.from_bytes(fields[_MADE], "big"), fields, r.rjust(32, b"\0") + s.rjust(32, b"\0")


def _subpackets(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        size, data = _take_length(data)
        if not 0 < size <= len(data):
            raise MalformedMessage("a subpacket of OpenPGP ends too early")
        yield data[0], data[1:size]
        data = data[size:]


def packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Read packets, tag and body. Raises `MalformedMessage`."""
    while data:
        tag = data[0] & 0x3F
        size, data = _take_length(data[1:])
        if size > len(data):
            raise MalformedMessage("a packet of OpenPGP ends too early")
        yield tag, data[:size]
        data = data[size:]


def first(data: bytes, count: int) -> list[tuple[int, bytes]]:
    """Read as many packets, or all that there are; one more, if there is one, so that nothing stands behind unseen."""
    return list(islice(packets(data), count + 1))


def _take_length(data: bytes) -> tuple[int, bytes]:
    first = data[0] if data else 0
    if first < 192:
        return first, data[1:]
    if first < 224:
        return int.from_bytes(data[:2], "big") - (192 << 8) + 192, data[2:]
    return int.from_bytes(data[1:5], "big"), data[5:]


def armoured(title: str, data: bytes) -> bytes:
    """Write ASCII armour (§6), with the checksum: GnuPG 2.2 takes none that ends in neither that nor padding."""
    text = base64.b64encode(data).decode()
    lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
    checksum = base64.b64encode(_crc24(data)).decode()
    last = (f"={checksum}", f"-----END PGP {title}-----", "")
    return "\n".join((f"-----BEGIN PGP {title}-----", "", *lines, *last)).encode()


def _crc24(data: bytes) -> bytes:
    """Compute the checksum of §6.1.1."""
    crc = 0xB704CE
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc = crc << 1 ^ (0x1864CFB if crc & 0x800000 else 0)
    return crc.to_bytes(3, "big")


def read_armoured(title: str, data: bytes) -> bytes:
    """Read what `armoured` wrote, which is to be written again and compared. Raises `MalformedMessage`."""
    begin, end = f"-----BEGIN PGP {title}-----\n\n", f"\n-----END PGP {title}-----\n"
    found = re.fullmatch(re.escape(begin.encode()) + b"(.*)\n=.{4}" + re.escape(end.encode()), data, re.DOTALL)
    try:
        return binascii.a2b_base64(found[1] if found else b"=")
    except binascii.Error:
        raise MalformedMessage(f"this is not a {title.lower()} of OpenPGP in armour") from None
