"""The curves in plain integers, straight from the standards: slow, and a judge of the fast ones."""

from __future__ import annotations

import functools
from dataclasses import dataclass

Point = tuple[int, int] | None  # None: the identity of a Weierstrass curve


@dataclass(frozen=True)
class Weierstrass:
    """y² = x³ + ax + b, written as SEC 1 says."""

    p: int
    a: int
    b: int
    order: int
    generator: Point
    identity: Point = None

    def add(self, one: Point, other: Point) -> Point:
        if one is None or other is None:
            return other if one is None else one
        (x1, y1), (x2, y2) = one, other
        if x1 == x2 and (y1 + y2) % self.p == 0:
            return None
        if one == other:
            slope = (3 * x1 * x1 + self.a) * pow(2 * y1, -1, self.p)
        else:
            slope = (y2 - y1) * pow(x2 - x1, -1, self.p)
        x3 = (slope * slope - x1 - x2) % self.p
        return x3, (slope * (x1 - x3) - y1) % self.p

    def encode(self, point: Point) -> bytes:
        assert point is not None
        return bytes((2 | point[1] & 1,)) + point[0].to_bytes(32, "big")


@dataclass(frozen=True)
class Edwards:
    """ax² + y² = 1 + dx²y², written as RFC 8032 says."""

    p: int
    a: int
    d: int
    order: int
    cofactor: int
    generator: tuple[int, int]
    length: int
    identity: tuple[int, int] = (0, 1)

    def add(self, one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
        (x1, y1), (x2, y2) = one, other
        t = self.d * x1 * x2 * y1 * y2
        x3 = (x1 * y2 + y1 * x2) * pow(1 + t, -1, self.p)
        y3 = (y1 * y2 - self.a * x1 * x2) * pow(1 - t, -1, self.p)
        return x3 % self.p, y3 % self.p

    def encode(self, point: tuple[int, int]) -> bytes:
        return (point[1] | (point[0] & 1) << 8 * self.length - 1).to_bytes(self.length, "little")

    def points_at(self, y: int) -> list[tuple[int, int]]:
        """Return the points with an ordinate: none, one or two."""
        denominator = self.a - self.d * y * y
        square = (1 - y * y) * pow(denominator, -1, self.p) % self.p
        root = square_root(square, self.p)
        return [] if root is None else sorted({(root, y), (-root % self.p, y)})

    def small_order_point(self) -> tuple[int, int]:
        """Return a point whose order is the cofactor."""
        for y in range(2, 1000):
            for point in self.points_at(y):
                torsion = multiply(self, self.order, point)
                if multiply(self, self.cofactor // 2, torsion) != self.identity:
                    return torsion
        raise AssertionError


def multiply(curve: Weierstrass | Edwards, k: int, point: Point | None = None) -> Point:
    """Compute k·point, for any k from 0; the generator if none is given."""
    total, power = curve.identity, curve.generator if point is None else point
    while k:
        if k & 1:
            total = curve.add(total, power)  # type: ignore[arg-type]
        power = curve.add(power, power)  # type: ignore[arg-type]
        k >>= 1
    return total


def square_root(value: int, p: int) -> int | None:
    """Find a root modulo p = 3 mod 4 or p = 5 mod 8."""
    root = pow(value, (p + 1) // 4 if p % 4 == 3 else (p + 3) // 8, p)
    if p % 8 == 5 and root * root % p != value % p:
        root = root * pow(2, (p - 1) // 4, p) % p
    return root if root * root % p == value % p else None


P256 = Weierstrass(
    2**256 - 2**224 + 2**192 + 2**96 - 1,
    -3,
    0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    (
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    ),
)
SECP256K1 = Weierstrass(
    2**256 - 2**32 - 977,
    0,
    7,
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
    (
        0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
        0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
    ),
)
_P25519, _P448 = 2**255 - 19, 2**448 - 2**224 - 1
ED25519 = Edwards(
    _P25519,
    -1,
    -121665 * pow(121666, -1, _P25519) % _P25519,
    2**252 + 27742317777372353535851937790883648493,
    8,
    (
        15112221349535400772501151409588531511454012693041857206046113283949847762202,
        46316835694926478169428394003475163141307993866256225615783033603165251855960,
    ),
    32,
)
ED448 = Edwards(
    _P448,
    1,
    -39081,
    2**446 - 13818066809895115352007386748515426880336692474882178609894547503885,
    4,
    (
        int(
            "2245800402959243001876043340998960362467896416325641342461254616869504"
            "15467406032909029192869357953282578032075146446173674602635247710"
        ),
        int(
            "2988192100784814926760179304439306734375440401540802420959282413723315"
            "06189835876003536878655418784733982303233503462500531545062832660"
        ),
    ),
    57,
)


def encode_ristretto(point: tuple[int, int]) -> bytes:
    """Encode a point of Ed25519, whose torsion is of order 4 at most (RFC 9496, section 4.3.2, with Z = 1)."""
    p, root = _P25519, pow(2, (_P25519 - 1) // 4, _P25519)
    x, y = point
    if is_negative(x * y) or x == 0 or y == 0:  # choose among the four that stand for the same
        x, y = y * root % p, x * root % p
    if is_negative(x):
        x, y = -x % p, -y % p
    # s² = (1 - y)/(1 + y), up to the choice of sign
    s = square_root((1 - y) * pow(1 + y, -1, p) % p, p)
    assert s is not None
    return (p - s if s & 1 else s).to_bytes(32, "little")


def is_negative(value: int) -> int:
    return value % _P25519 & 1


CURVES: dict[str, Weierstrass | Edwards] = {
    "P-256": P256,
    "secp256k1": SECP256K1,
    "Ed25519": ED25519,
    "ristretto255": ED25519,
    "Ed448": ED448,
}


@functools.cache
def encode_multiple(name: str, k: int) -> bytes:
    """Encode k·G of the group with this name."""
    curve = CURVES[name]
    point = multiply(curve, k % curve.order)
    assert point is not None
    return encode_ristretto(point) if name == "ristretto255" else curve.encode(point)
