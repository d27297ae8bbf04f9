"""What an implementation must show before it is used: that it computes right, and how fast it does."""

from __future__ import annotations

import time

from frost_hsm.groups import Group, SecretScalar
from frost_hsm.groups.bignum_scalars import BignumScalars
from frost_hsm.groups.libcrypto import Libcrypto
from frost_hsm.groups.powers import power
from frost_hsm.secret import Secret

_DOUBLED = {
    "P-256": (
        "036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
        "037cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978",
    ),
    "secp256k1": (
        "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
        "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
    ),
}
"""G, as SEC 2 gives it, and 2·G."""


def computes(group: Group) -> bool:
    """Recompute 2·G three ways, on the curves that libcrypto computes."""
    g, double_g = map(bytes.fromhex, _DOUBLED[group.name])
    generator = group.decode(g)
    doubled = group.copy(generator)
    group.double(doubled)
    two = group.decode_scalar(Secret((2).to_bytes(32, "big")))
    ways = (doubled, group.multiply_base(two), group.combine_base(1, 1, generator))
    return all(group.encode(way) == double_g for way in ways)


def computes_modulo_primes(library: Libcrypto) -> bool:
    """Recompute a·b + c, a polynomial and a power by plain integers, for secrets that are none."""
    prime = 2**255 - 19
    field = BignumScalars("the prime 2²⁵⁵ - 19", prime, 32, "little", library)

    def load(value: int) -> SecretScalar:
        return field.decode_scalar(Secret((value % prime).to_bytes(32, "little")))

    a, b, c = (prime // k for k in (3, 5, 7))
    found = (field.multiply_add(load(c), load(a), load(b)), *field.evaluate([load(a), load(b)], [3]))
    expected = (load(a * b + c), load(a + b * 3))
    return power(c, prime, library)(a) == pow(a, c, prime) and all(
        field.encode_scalar(x).equals(field.encode_scalar(y)) for x, y in zip(found, expected, strict=True)
    )


def base_multiplication_seconds(group: Group) -> float:
    """Time the fastest of a few base multiplications: slow ones may only mean a busy machine."""
    scalar = group.random_scalar()
    durations = []
    for _ in range(8):
        start = time.perf_counter()
        group.multiply_base(scalar)
        durations.append(time.perf_counter() - start)
    return min(durations)
