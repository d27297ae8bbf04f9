"""What the curves of pycryptodome have in common; `weierstrass`, `edwards` and `ristretto` add how points are
written.

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

from frost_hsm.errors import InvalidIdentityElement, MalformedScalar
from frost_hsm.groups import Element, SecretScalar, buckets, draw_scalar
from frost_hsm.secret import Entropy, Secret, system_entropy


class _Scalar(SecretScalar):
    """An `Integer`, whose memory pycryptodome wipes when it is freed."""

    __slots__ = ()

    def wipe(self) -> None:
        self.handle = Integer(0)


class PycryptodomeGroup:
    """A `Group` on pycryptodome, but for ``decode``, ``encode`` and ``y_coordinate``.

    curve: pycryptodome's name of it. generator: its affine coordinates.
    """

    name: str
    order: int
    scalar_length: int
    byteorder: Literal["big", "little"]
    element_length: int
    y_length: int
    many: int = 128  # products from which on `buckets` beats multiplying one by one, by measurement

    def __init__(self, curve: str, generator: tuple[int, int]) -> None:
        self.backend = f"pycryptodome {Crypto.__version__}"
        self._curve = curve
        self._order = Integer(self.order, public=True)
        self._generator = EccPoint(*generator, curve)
        self._identity = self._generator.point_at_infinity()

    # ── secret scalars ──

    def random_scalar(self, entropy: Entropy = system_entropy) -> SecretScalar:
        """Draw a uniform scalar that is not zero."""
        return draw_scalar(self, entropy)  # type: ignore[arg-type]  # subclasses are groups

    def decode_scalar(self, data: Secret) -> SecretScalar:
        """Read ``scalar_length`` bytes, below the order."""
        if len(data) != self.scalar_length:
            raise MalformedScalar(f"a {self.name} scalar has {self.scalar_length} bytes, not {len(data)}")
        value = self._load(data)
        if value >= self._order:
            raise MalformedScalar(f"the scalar is not below the order of {self.name}")
        return _Scalar(value)

    def encode_scalar(self, scalar: SecretScalar) -> Secret:
        """Write ``scalar_length`` bytes."""
        return Secret(scalar.handle.to_bytes(self.scalar_length, self.byteorder))

    def reduce(self, wide: Secret) -> SecretScalar:
        """Read bytes of any number modulo the order."""
        return _Scalar(self._load(wide) % self._order)

    def digest(self, algorithm: str, source: memoryview, target: memoryview) -> None:
        """Hash with `hashlib`."""
        hashed = hashlib.new(algorithm, source)
        if algorithm == "shake_256":  # as long as wanted
            target[:] = hashed.digest(len(target))  # type: ignore[call-arg]  # of this one
        else:
            target[:] = hashed.digest()

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

    def identity(self) -> Element:
        """Make a new identity element."""
        return Element(self._identity.copy())

    def is_identity(self, element: Element) -> bool:
        """Say whether an element is the identity."""
        return bool(element.handle == self._identity)

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
        if len(elements) >= self.many:
            return buckets.sum_products(self, [scalar % self.order for scalar in scalars], elements)  # type: ignore[arg-type]
        total = self._identity.copy()
        for scalar, element in zip(scalars, elements, strict=True):
            total += self._multiply(element.handle, scalar)
        return Element(total)

    def _multiply(self, point: EccPoint, scalar: int) -> EccPoint:
        product: EccPoint = point * Integer(scalar % self.order, public=True)  # type: ignore[operator]
        return product

    def _affine(self, element: Element) -> tuple[int, int]:
        if self.is_identity(element):
            raise InvalidIdentityElement(f"the identity of {self.name} has no encoding")
        x, y = element.handle.xy
        return int(x), int(y)

    def _load(self, data: Secret) -> Integer:
        with data.reveal() as view:
            return Integer.from_bytes(view, self.byteorder)
