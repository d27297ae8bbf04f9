"""The ciphersuites' hash functions: to scalars and to digests (RFC 9591, section 6; RFC 9380, section 5)."""

from __future__ import annotations

import hashlib
from typing import Protocol

from frost_hsm.groups import Group
from frost_hsm.groups.secret_hash import ExpandedHash, SecretHash, WideHash


class Hashing(Protocol):
    """How one family of ciphersuites hashes. ``tag`` separates the domains: "rho", "chal", "nonce", …"""

    def to_scalar(self, group: Group, tag: bytes, data: bytes) -> int:
        """Hash public data to a scalar (H1, HDKG, HID)."""

    def to_challenge(self, group: Group, data: bytes) -> int:
        """Hash public data to a signature challenge (H2): as others hash who know nothing of FROST, if there are."""

    def secret(self, tag: bytes) -> SecretHash:
        """Say how a group hashes secret data to a scalar (H3)."""

    def digest(self, tag: bytes, data: bytes) -> bytes:
        """Hash public data to bytes (H4, H5)."""


class XmdSha256:
    """hash_to_field over expand_message_xmd with SHA-256, one element of L = 48 bytes (RFC 9380, 5.2 and
    5.3.1).
    """

    _LENGTH = (48).to_bytes(2, "big")
    _BLOCK = bytes(64)  # Z_pad, one input block of SHA-256

    def __init__(self, context: bytes) -> None:
        self._context = context

    def to_scalar(self, group: Group, tag: bytes, data: bytes) -> int:
        """Hash public data to a scalar."""
        suffix = self._suffix(tag)
        b0 = hashlib.sha256(b"".join((self._BLOCK, data, self._LENGTH, b"\0", suffix))).digest()
        b1 = hashlib.sha256(b0 + b"\1" + suffix).digest()
        mixed = int.from_bytes(b0, "big") ^ int.from_bytes(b1, "big")
        b2 = hashlib.sha256(mixed.to_bytes(32, "big") + b"\2" + suffix).digest()
        return int.from_bytes(b1 + b2[:16], "big") % group.order

    def to_challenge(self, group: Group, data: bytes) -> int:
        """Hash with the tag "chal"."""
        return self.to_scalar(group, b"chal", data)

    def secret(self, tag: bytes) -> SecretHash:
        """Say how the same is done with secret data."""
        return ExpandedHash(self._context + tag)

    def digest(self, tag: bytes, data: bytes) -> bytes:
        """Hash public data to 32 bytes."""
        return hashlib.sha256(self._context + tag + data).digest()

    def _suffix(self, tag: bytes) -> bytes:
        domain = self._context + tag
        return domain + bytes((len(domain),))  # DST_prime


class XmdSha256Bip340(XmdSha256):
    """The same, but that challenges are those of BIP-340."""

    def to_challenge(self, group: Group, data: bytes) -> int:
        """Hash with the tag of BIP-340."""
        return int.from_bytes(tagged_sha256("BIP0340/challenge", data), "big") % group.order


class LittleEndian:
    """One long digest, read as a little-endian integer modulo the order.

    algorithm: "sha512" or "shake_256". length: bytes of a digest. challenge: what is hashed before a challenge's
    data.
    """

    def __init__(self, context: bytes, algorithm: str, length: int, challenge: bytes) -> None:
        self._context = context
        self._algorithm = algorithm
        self._length = length
        self._challenge = challenge

    def to_scalar(self, group: Group, tag: bytes, data: bytes) -> int:
        """Hash public data to a scalar."""
        return int.from_bytes(self.digest(tag, data), "little") % group.order

    def to_challenge(self, group: Group, data: bytes) -> int:
        """Hash with the prefix of challenges."""
        return int.from_bytes(self._hash(self._challenge + data), "little") % group.order

    def secret(self, tag: bytes) -> SecretHash:
        """Say how the same is done with secret data."""
        return WideHash(self._algorithm, self._length, self._context + tag)

    def digest(self, tag: bytes, data: bytes) -> bytes:
        """Hash public data to ``length`` bytes."""
        return self._hash(self._context + tag + data)

    def _hash(self, data: bytes) -> bytes:
        if self._algorithm == "shake_256":  # as long as wanted
            return hashlib.shake_256(data).digest(self._length)
        return hashlib.sha512(data).digest()


def tagged_sha256(tag: str, data: bytes) -> bytes:
    """Hash as BIP-340 does, with a tag for each use."""
    prefix = hashlib.sha256(tag.encode()).digest()
    return hashlib.sha256(prefix + prefix + data).digest()
