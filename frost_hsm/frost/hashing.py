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

        def sha256(*parts: Secret | bytes) -> Secret:
            with Secret.join(*parts) as joined:
                return group.digest("sha256", joined)

        with sha256(self._BLOCK, data, self._LENGTH + b"\0" + suffix) as b0, sha256(b0, b"\1" + suffix) as b1:
            with Secret.zeros(32) as mixed:
                with mixed.reveal() as target, b0.reveal() as x, b1.reveal() as y:
                    for k in range(32):
                        target[k] = x[k] ^ y[k]
                with (
                    sha256(mixed, b"\2" + suffix) as b2,
                    b2.part(0, 16) as half,
                    Secret.join(b1, half) as wide,
                ):
                    return group.reduce(wide)

    def digest(self, tag: bytes, data: bytes) -> bytes:
        """Hash public data to 32 bytes."""
        return hashlib.sha256(self._context + tag + data).digest()

    def _suffix(self, tag: bytes) -> bytes:
        domain = self._context + tag
        return domain + bytes((len(domain),))  # DST_prime
