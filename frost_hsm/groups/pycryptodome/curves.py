"""What the curves of pycryptodome have in common; `weierstrass`, `edwards` and `ristretto` add how points are
written.

Its C code multiplies by a secret in constant time and wipes its own memory. On the way into it the scalar is in a
buffer of ours: its own would be an immutable ``bytes``, which Python does not wipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self, cast

import Crypto
from Crypto.Math.Numbers import Integer
from Crypto.PublicKey.ECC import EccPoint  # type: ignore[attr-defined]  # documented there

from frost_hsm.errors import InvalidIdentityElement
from frost_hsm.groups import Element, ScalarField, SecretScalar
from frost_hsm.groups.libcrypto import Libcrypto
from frost_hsm.groups.libcrypto.scalars import BignumScalars
from frost_hsm.groups.one_by_one import ElementsOneByOne
from frost_hsm.groups.pycryptodome import buckets, windows
from frost_hsm.groups.pycryptodome.scalars import IntegerScalars, require_c_code
from frost_hsm.secret import Secret


class _InPlace(Integer):
    """A secret whose bytes, big-endian, are those of a buffer: what is multiplied by is not copied."""

    _buffer: memoryview

    @classmethod
    def of(cls, buffer: memoryview) -> Self:
        """Make one of a buffer, which its owner wipes."""
        secret = cast(Self, cls.from_bytes(buffer))
        secret._buffer = buffer
        return secret

    def to_bytes(self, block_size: int | None = 0, byteorder: str = "big") -> bytes:
        """Lend the buffer where all of it is asked for."""
        if (block_size, byteorder) == (len(self._buffer), "big"):
            return self._buffer  # type: ignore[return-value]  # it is given to C code
        return super().to_bytes(block_size, byteorder)


class PycryptodomeGroup(ElementsOneByOne):
    """A `Group` on pycryptodome, but for ``decode``, ``encode`` and ``y_coordinate``.

    curve: pycryptodome's name of it. generator: its affine coordinates. library: a libcrypto to compute with secret
    scalars, and what else it is faster at; without one, pycryptodome does everything. Raises `NoConstantTime`.
    """

    name: str
    order: int
    scalar_length: int
    byteorder: Literal["big", "little"]
    element_length: int
    y_length: int
    product_in_additions: int
    several: int = 128  # products from which on `windows` beats multiplying one by one, by measurement
    many: int = 128  # and `buckets` beats both

    def __init__(self, curve: str, generator: tuple[int, int], library: Libcrypto | None = None) -> None:
        require_c_code()  # which multiplies by a secret whoever computes scalars
        scalars = self._make_scalars(library)
        self.random_scalar = scalars.random_scalar
        self.decode_scalar = scalars.decode_scalar
        self.encode_scalar = scalars.encode_scalar
        self.reduce = scalars.reduce
        self.digest = scalars.digest
        self.is_zero = scalars.is_zero
        self.add_scalars = scalars.add_scalars
        self.multiply_add = scalars.multiply_add
        self.evaluate = scalars.evaluate
        self.hash_secret = scalars.hash_secret
        self.draw_nonces = scalars.draw_nonces
        self.reveal_sum = scalars.reveal_sum
        self.backend = f"pycryptodome {Crypto.__version__}" + (f" and {scalars.backend}" if library else "")
        self._curve = curve
        self._order = Integer(self.order, public=True)
        self._generator = EccPoint(*generator, curve)
        self._identity = self._generator.point_at_infinity()
        self._identity_coordinates = self._identity.xy

    def _make_scalars(self, library: Libcrypto | None) -> ScalarField:
        if library is None:
            return IntegerScalars(self.name, self.order, self.scalar_length, self.byteorder)
        return BignumScalars(self.name, self.order, self.scalar_length, self.byteorder, library)

    def multiply_base(self, scalar: SecretScalar) -> Element:
        """Compute scalar·G in constant time."""
        step = 1 if self.byteorder == "big" else -1
        with self.encode_scalar(scalar) as encoded, encoded.reveal() as view, Secret(view[::step]) as ordered:
            with ordered.reveal() as buffer:
                factor = _InPlace.of(buffer[-self._generator.size_in_bytes() :])
                return Element(self._generator * factor)  # type: ignore[operator]

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

    def negate(self, target: Element) -> None:
        """Negate ``target`` in place."""
        target.handle = -target.handle

    def combine_base(self, a: int, b: int, element: Element) -> Element:
        """Compute a·G + b·element."""
        total = self._multiply(self._generator, a)
        total += self._multiply(element.handle, b)
        return Element(total)

    def sum_products(self, scalars: Sequence[int], elements: Sequence[Element]) -> Element:
        """Compute the sum of scalars[k]·elements[k]."""
        reduced = [scalar % self.order for scalar in scalars]
        points = [element.handle for element in elements]
        if len(points) >= self.many:
            return Element(buckets.sum_products(self._identity, reduced, points))
        if len(points) >= self.several:
            return Element(windows.sum_products(self._identity, reduced, points))
        total = self._identity.copy()
        for scalar, point in zip(reduced, points, strict=True):
            total += self._multiply(point, scalar)
        return Element(total)

    def _multiply(self, point: EccPoint, scalar: int) -> EccPoint:
        product: EccPoint = point * Integer(scalar % self.order, public=True)  # type: ignore[operator]
        return product

    def affine(self, element: Element) -> tuple[int, int]:
        """Return x and y. Raises `InvalidIdentityElement`."""
        coordinates: tuple[int, int] = element.handle.xy
        if coordinates == self._identity_coordinates:
            raise InvalidIdentityElement(f"the identity of {self.name} has no encoding")
        return coordinates
