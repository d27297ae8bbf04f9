"""The ciphersuites' hash functions: to scalars and to digests (RFC 9591, section 6; RFC 9380, section 5)."""

from __future__ import annotations

import hashlib
from typing import Protocol

from frost_hsm.groups import Group, SecretScalar
from frost_hsm.secret import Secret


class Hashing(Protocol):
    """How one family of ciphersuites hashes. ``tag`` separates the domains: "rho", "chal", "nonce", …"""

    def to_scalar(self, group: Group, tag: bytes, data: bytes) -> int:
        """Hash public data to a scalar (H1, H2, HDKG, HID)."""

    def to_secret_scalar(self, group: Group, tag: bytes, data: Secret) -> SecretScalar:
        """Hash secret data to a secret scalar (H3)."""

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

    def to_secret_scalar(self, group: Group, tag: bytes, data: Secret) -> SecretScalar:
        """Hash secret data to a secret scalar: the same function, in wiped memory all the way."""
        suffix = self._suffix(tag)
        with (
            Secret.join(self._BLOCK, data, self._LENGTH + b"\0" + suffix) as message,
            Secret.join(bytes(32), b"\1" + suffix) as next_block,
            Secret.zeros(48) as wide,
        ):
            with message.reveal() as source, next_block.reveal() as block, wide.reveal() as uniform:
                chained = block[:32]
                group.digest("sha256", source, chained)  # b0
                group.digest("sha256", block, uniform[:32])  # b1
                for k in range(32):
                    chained[k] ^= uniform[k]
                block[32] = 2
                group.digest("sha256", block, chained)  # b2
                uniform[32:] = chained[:16]
            return group.reduce(wide)

    def digest(self, tag: bytes, data: bytes) -> bytes:
        """Hash public data to 32 bytes."""
        return hashlib.sha256(self._context + tag + data).digest()

    def _suffix(self, tag: bytes) -> bytes:
        domain = self._context + tag
        return domain + bytes((len(domain),))  # DST_prime
