"""How a ciphersuite hashes secret data to a scalar, said in a form that every foundation can follow (RFC 9591, 6)."""

from __future__ import annotations


class WideHash:
    """One long digest of ``prefix`` and the data, an integer in the byte order of scalars, modulo the order.

    algorithm: "sha512" or "shake_256". length: bytes of the digest.
    """

    __slots__ = ("algorithm", "length", "prefix")

    def __init__(self, algorithm: str, length: int, prefix: bytes) -> None:
        self.algorithm = algorithm
        self.length = length
        self.prefix = prefix


class ExpandedHash:
    """hash_to_field over expand_message_xmd with SHA-256, one element of L = 48 bytes (RFC 9380, 5.2 and 5.3.1).

    domain: DST, at most 255 bytes. What b₀ is the digest of is ``before`` and the data and ``after``; b₁ and b₂ are
    those of 32 bytes, a counter and ``suffix``.
    """

    __slots__ = ("after", "suffix")

    before = bytes(64)
    """Z_pad: one input block of SHA-256."""

    def __init__(self, domain: bytes) -> None:
        self.suffix = domain + bytes((len(domain),))  # DST_prime
        self.after = (48).to_bytes(2, "big") + b"\0" + self.suffix


SecretHash = WideHash | ExpandedHash
