"""Verification of BIP-340 signatures, straight from its text, for 32-byte x-only keys and messages of any length."""

from __future__ import annotations

import hashlib

from stage.plain_curves import SECP256K1, multiply, square_root


def tagged_hash(tag: str, data: bytes) -> bytes:
    prefix = hashlib.sha256(tag.encode()).digest()
    return hashlib.sha256(prefix + prefix + data).digest()


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    p, n = SECP256K1.p, SECP256K1.order
    x, r, s = (int.from_bytes(part, "big") for part in (public_key, signature[:32], signature[32:]))
    if x >= p or r >= p or s >= n or len(signature) != 64 or len(public_key) != 32:
        return False
    y = square_root(x**3 + 7, p)
    if y is None:
        return False
    point = (x, y if y % 2 == 0 else p - y)
    e = int.from_bytes(tagged_hash("BIP0340/challenge", signature[:32] + public_key + message), "big") % n
    found = SECP256K1.add(multiply(SECP256K1, s), multiply(SECP256K1, n - e, point))
    return found is not None and found[1] % 2 == 0 and found[0] == r


def output_key(public_key: bytes, merkle_root: bytes) -> bytes:
    """Tweak an x-only key (BIP-341, "taproot_tweak_pubkey")."""
    x = int.from_bytes(public_key, "big")
    y = square_root(x**3 + 7, SECP256K1.p)
    assert y is not None
    tweak = int.from_bytes(tagged_hash("TapTweak", public_key + merkle_root), "big")
    point = SECP256K1.add((x, y if y % 2 == 0 else SECP256K1.p - y), multiply(SECP256K1, tweak))
    assert point is not None
    return point[0].to_bytes(32, "big")
