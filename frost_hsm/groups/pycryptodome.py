"""P-256 on pycryptodome, where no libcrypto serves.

Its C code computes secrets in constant time and wipes its own memory. On the way in and out of it, though, a
scalar is for an instant in an immutable ``bytes``, as a digest by `hashlib` is, which Python does not wipe.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal

import Crypto
from Crypto.Math.Numbers import Integer
from Crypto.PublicKey.ECC import EccPoint  # type: ignore[attr-defined]  # documented there

from frost_hsm.errors import InvalidIdentityElement, MalformedElement, MalformedScalar
from frost_hsm.groups import Element, SecretScalar, draw_scalar
from frost_hsm.secret import Entropy, Secret, system_entropy

_P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF  # SP 800-186, 3.2.1.3
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_GX = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
_GY = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5


class _Scalar(SecretScalar):
    """An `Integer`, whose memory pycryptodome wipes when it is freed."""

    __slots__ = ()

    def wipe(self) -> None:
        self.handle = Integer(0)


class P256Pycryptodome:
    """The `Group` P-256 on pycryptodome."""

    name = "P-256"
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    scalar_length = 32
    byteorder: Literal["big", "little"] = "big"
    element_length = 33
    y_length = 32

    def __init__(self) -> None:
        self.backend = f"pycryptodome {Crypto.__version__}"
        self._order = Integer(self.order, public=True)
        self._p = Integer(_P, public=True)
        self._root = Integer((_P + 1) // 4, public=True)  # p = 3 mod 4: a power gives the square root
        self._generator = EccPoint(_GX, _GY, "P-256")

    # ── secret scalars ──

    def random_scalar(self, entropy: Entropy = system_entropy) -> SecretScalar:
        """Draw a uniform scalar that is not zero."""
        return draw_scalar(self, entropy)

    def decode_scalar(self, data: Secret) -> SecretScalar:
        """Read 32 bytes, big-endian, below the order."""
        if len(data) != self.scalar_length:
            raise MalformedScalar(f"a P-256 scalar has 32 bytes, not {len(data)}")
        value = self._load(data)
        if value >= self._order:
            raise MalformedScalar("the scalar is not below the order of P-256")
        return _Scalar(value)

    def encode_scalar(self, scalar: SecretScalar) -> Secret:
        """Write 32 bytes, big-endian."""
        return Secret(scalar.handle.to_bytes(self.scalar_length))

    def reduce(self, wide: Secret) -> SecretScalar:
        """Read big-endian bytes modulo the order."""
        return _Scalar(self._load(wide) % self._order)

    def digest(self, algorithm: str, source: memoryview, target: memoryview) -> None:
        """Hash with `hashlib`."""
        target[:] = hashlib.new(algorithm, source).digest()

    def is_zero(self, scalar: SecretScalar) -> bool:
        """Say whether a scalar is zero."""
        return bool(scalar.handle == 0)

    def add_scalars(self, scalars: Iterable[SecretScalar]) -> SecretScalar:
        """Add scalars up."""
        total = Integer(0)
        for scalar in scalars:
            total = (total + scalar.handle) % self._order
        return _Scalar(total)

    def multiply_add(self, a: SecretScalar, b: SecretScalar, c: int | SecretScalar) -> SecretScalar:
        """Compute a + b·c."""
        factor = Integer(c % self.order) if isinstance(c, int) else c.handle
        return _Scalar((a.handle + b.handle * factor) % self._order)

    def evaluate(self, coefficients: Sequence[SecretScalar], points: Sequence[int]) -> list[SecretScalar]:
        """Evaluate a polynomial by Horner's rule, reducing seldom where the points are small."""
        seldom = max(1, 512 // max((1, *points)).bit_length())
        top, *lower = (coefficient.handle for coefficient in reversed(coefficients))
        values: list[SecretScalar] = []
        for point in points:
            x, value = Integer(point, public=True), top
            for k, coefficient in enumerate(lower, start=1):
                value = value * x + coefficient
                if k % seldom == 0:
                    value %= self._order
            values.append(_Scalar(value % self._order))
        return values

    def multiply_base(self, scalar: SecretScalar) -> Element:
        """Compute scalar·G in constant time."""
        return Element(self._generator * scalar.handle)

    # ── public elements ──

    def decode(self, data: bytes, y: bytes | None = None) -> Element:
        """Read 33 bytes, 02 or 03 and x below p (SEC 1, compressed)."""
        if len(data) != 33 or data[0] not in (2, 3):
            if not any(data):
                raise InvalidIdentityElement("the identity of P-256 is not accepted")
            raise MalformedElement("not a compressed point of P-256")
        x = int.from_bytes(data[1:], "big")
        if y is None:
            ordinate = self._ordinate(x, odd=data[0] & 1)
        elif len(y) == 32 and y[31] & 1 == data[0] & 1:
            ordinate = int.from_bytes(y, "big")
        else:
            raise MalformedElement("the y coordinate is not that of the P-256 point")
        try:
            if x < _P and ordinate < _P:
                return Element(EccPoint(x, ordinate, "P-256"))  # checks that it is on the curve
        except ValueError:
            pass
        raise MalformedElement("not a compressed point of P-256")

    def _ordinate(self, x: int, *, odd: int) -> int:
        """Solve y² = x³ - 3x + b, assuming that there is a solution."""
        square = Integer((x * x * x - 3 * x + _B) % _P, public=True)
        root = int(pow(square, self._root, self._p))
        return root if root & 1 == odd else _P - root

    def encode(self, element: Element) -> bytes:
        """Write 33 bytes (SEC 1, compressed)."""
        x, y = self._affine(element)
        return bytes((2 | y & 1,)) + x.to_bytes(32, "big")

    def y_coordinate(self, element: Element) -> bytes:
        """Return the affine y, 32 bytes big-endian."""
        return self._affine(element)[1].to_bytes(32, "big")

    def _affine(self, element: Element) -> tuple[int, int]:
        if element.handle.is_point_at_infinity():
            raise InvalidIdentityElement("the identity of P-256 has no encoding")
        x, y = element.handle.xy
        return int(x), int(y)

    def identity(self) -> Element:
        """Make a new identity element."""
        return Element(self._generator.point_at_infinity())

    def is_identity(self, element: Element) -> bool:
        """Say whether an element is the point at infinity."""
        return bool(element.handle.is_point_at_infinity())

    def equal(self, a: Element, b: Element) -> bool:
        """Say whether two elements are the same."""
        return bool(a.handle == b.handle)

    def copy(self, element: Element) -> Element:
        """Make a copy that may be changed in place."""
        return Element(element.handle.copy())

    def accumulate(self, target: Element, element: Element) -> None:
        """Add to ``target`` in place."""
        target.handle += element.handle

    def double(self, target: Element) -> None:
        """Double ``target`` in place."""
        target.handle.double()

    def combine_base(self, a: int, b: int, element: Element) -> Element:
        """Compute a·G + b·element."""
        total = self._multiply(self._generator, a)
        total += self._multiply(element.handle, b)
        return Element(total)

    def sum_products(self, scalars: Sequence[int], elements: Sequence[Element]) -> Element:
        """Compute the sum of scalars[k]·elements[k]."""
        total = self._generator.point_at_infinity()
        for scalar, element in zip(scalars, elements, strict=True):
            total += self._multiply(element.handle, scalar)
        return Element(total)

    def _multiply(self, point: EccPoint, scalar: int) -> EccPoint:
        product: EccPoint = point * Integer(scalar % self.order, public=True)  # type: ignore[operator]
        return product

    def _load(self, data: Secret) -> Integer:
        with data.reveal() as view:
            return Integer.from_bytes(view)
