"""What an implementation must show before it is used: that it computes right, and how fast it does."""

from __future__ import annotations

import time
from collections.abc import Iterator

from frost_hsm.errors import FrostHsmError, MalformedElement
from frost_hsm.groups import Element, Group, SecretScalar
from frost_hsm.groups.libcrypto import Libcrypto
from frost_hsm.groups.libcrypto.scalars import BignumScalars
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
    "Ed25519": (
        "5866666666666666666666666666666666666666666666666666666666666666",
        "c9a3f86aae465f0e56513864510f3997561fa2c9e85ea21dc2292309f3cd6022",
    ),
    "ristretto255": (
        "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76",
        "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
    ),
    "Ed448": (
        "14fa30f25b790898adc8d74e2c13bdfdc4397ce61cffd33ad7c2a0051e9c78874098a36c7373ea4b62c7c9563720768824bcb66e71463f69"
        "00",
        "ed8693eacdfbeada6ba0cdd1beb2bcbb98302a3a8365650db8c4d88a726de3b7d74d8835a0d76e03b0c2865020d659b38d04d74a63e905ae"
        "80",
    ),
}
"""G, as SEC 2, RFC 8032 and RFC 9496 give it, and 2·G."""


def computes(group: Group) -> bool:
    """Recompute 2·G four ways, from secret scalars and from public ones, and refuse what is no element."""
    g, double_g = map(bytes.fromhex, _DOUBLED[group.name])
    try:
        ways = [group.encode(way) for way in _double(group, group.decode(g))]
    except (FrostHsmError, RuntimeError):
        return False
    try:
        group.decode(b"\xff" * group.element_length)
    except MalformedElement:
        return all(way == double_g for way in ways)
    return False


def _double(group: Group, generator: Element) -> Iterator[Element]:
    def load(value: int) -> SecretScalar:
        return group.decode_scalar(Secret((value % group.order).to_bytes(group.scalar_length, group.byteorder)))

    doubled = group.copy(generator)
    group.double(doubled)
    yield doubled
    [eleven] = group.evaluate([load(-1), load(3)], [4])
    yield group.multiply_base(group.multiply_add(eleven, load(3), -3))
    yield group.combine_base(1, 1, generator)
    yield group.sum_products([-1, 3], [generator, generator])


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
