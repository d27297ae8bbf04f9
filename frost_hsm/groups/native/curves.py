"""The curves of the native library as groups. Points are opaque bytes, in buffers of ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ctypes import c_char
from typing import Any, Literal

from frost_hsm.errors import InvalidIdentityElement, InvalidNonPrimeOrderElement, MalformedElement
from frost_hsm.groups import Element, SecretScalar
from frost_hsm.groups.native.library import IDENTITY, MALFORMED, OUTSIDE, Library
from frost_hsm.groups.native.scalars import NativeScalars
from frost_hsm.groups.one_by_one import ElementsOneByOne
from frost_hsm.groups.weights import Weights

_RANDOM_BYTES = 16  # for each point of a proof of membership


class NativeCurve(NativeScalars, ElementsOneByOne):
    """A `Group` on the native library."""

    number: int
    """Of the curve, in the library."""

    product_in_additions: int

    def __init__(self, library: Library) -> None:
        super().__init__(library, self.number)
        self._point = c_char * self._point_size

    def multiply_base(self, scalar: SecretScalar) -> Element:
        """Compute scalar·G in constant time."""
        point = self._point()
        self._check(
            self._library.multiply_base(self._curve, point, self._point_size, scalar.handle, self.scalar_length)
        )
        return Element(point)

    # ── public elements ──

    def decode(self, data: bytes, y: bytes | None = None, *, prove: bool = True) -> Element:
        """Read one element."""
        length, point = self.element_length, self._point()
        if len(data) != length:
            raise self._refusal(self._of_wrong_length(data))
        if y is not None and len(y) != self.y_length:
            raise self._refusal(MALFORMED)
        if y is not None:
            status = self._library.read_beside(self._curve, point, self._point_size, data, length, y, len(y))
        else:
            read = self._library.read_proven if prove else self._library.read
            status = read(self._curve, point, self._point_size, data, length)
        if status:
            raise self._refusal(status)
        return Element(point)

    def prove_membership(self, elements: Iterable[Element], encodings: Iterable[bytes]) -> None:
        """Check that all elements are in the subgroup of prime order: of many, random subsets of them."""
        encodings = list(encodings)
        points, data = self._join(elements), b"".join(encodings)
        random = Weights(b"membership", encodings).draw_bytes(len(encodings) * _RANDOM_BYTES)
        status = self._library.prove(self._curve, points, len(points), data, len(data), random, len(random))
        if status:
            raise self._refusal(status)

    def encode(self, element: Element) -> bytes:
        """Write ``element_length`` bytes."""
        return self._write(self._library.write, element, self.element_length)

    def y_coordinate(self, element: Element) -> bytes:
        """Return what `decode` takes beside the encoding: as every other `Group` of the curve does."""
        return self._write(self._library.write_y, element, self.y_length)

    def identity(self) -> Element:
        """Make a new identity element."""
        point = self._point()
        self._check(self._library.identity(self._curve, point, self._point_size))
        return Element(point)

    def is_identity(self, element: Element) -> bool:
        """Say whether an element is the identity."""
        return bool(self._check(self._library.is_identity(self._curve, element.handle, self._point_size)))

    def equal(self, a: Element, b: Element) -> bool:
        """Say whether two elements are the same."""
        size = self._point_size
        return bool(self._check(self._library.equal(self._curve, a.handle, size, b.handle, size)))

    def copy(self, element: Element) -> Element:
        """Make a copy that may be changed in place."""
        return Element(self._point.from_buffer_copy(element.handle))

    def accumulate(self, target: Element, element: Element) -> None:
        """Add to ``target`` in place."""
        size = self._point_size
        self._check(self._library.add(self._curve, target.handle, size, element.handle, size))

    def double(self, target: Element) -> None:
        """Double ``target`` in place."""
        self._check(self._library.double(self._curve, target.handle, self._point_size))

    def negate(self, target: Element) -> None:
        """Negate ``target`` in place."""
        self._check(self._library.negate(self._curve, target.handle, self._point_size))

    def combine_base(self, a: int, b: int, element: Element) -> Element:
        """Compute a·G + b·element."""
        size, length, point = self._point_size, self.scalar_length, self._point()
        first, second = self._public((a,)), self._public((b,))
        self._check(
            self._library.combine_base(self._curve, point, size, first, length, second, length, element.handle, size)
        )
        return Element(point)

    def sum_products(self, scalars: Sequence[int], elements: Sequence[Element]) -> Element:
        """Compute the sum of scalars[k]·elements[k]."""
        factors, points, total = self._public(scalars), self._join(elements), self._point()
        self._check(
            self._library.sum_products(self._curve, total, self._point_size, factors, len(factors), points, len(points))
        )
        return Element(total)

    def _write(self, write: Any, element: Element, length: int) -> bytes:
        out = (c_char * length)()
        status = write(self._curve, out, length, element.handle, self._point_size)
        if status == IDENTITY:
            raise InvalidIdentityElement(f"the identity of {self.name} has no encoding")
        self._check(status)
        return out.raw

    def _join(self, elements: Iterable[Element]) -> bytes:
        return b"".join([element.handle for element in elements])

    def _of_wrong_length(self, data: bytes) -> int:
        return MALFORMED

    def _refusal(self, status: int) -> Exception:
        """Say what is wrong with an encoding."""
        if status == IDENTITY:
            return InvalidIdentityElement(f"the identity of {self.name} is not accepted")
        if status == OUTSIDE:
            return InvalidNonPrimeOrderElement(f"a point of {self.name} is not in the subgroup of prime order")
        if status == MALFORMED:
            return MalformedElement(f"not an element of {self.name} in its one form, or not with this beside it")
        return RuntimeError(f"the native library failed with status {status}")


class Ed25519(NativeCurve):
    """The `Group` edwards25519 (RFC 8032, section 5.1)."""

    number = 0
    name = "Ed25519"
    byteorder: Literal["big", "little"] = "little"
    order = 2**252 + 27742317777372353535851937790883648493
    product_in_additions = 40


class Ristretto255(Ed25519):
    """The `Group` ristretto255 (RFC 9496)."""

    number = 1
    name = "ristretto255"


class Secp256k1(NativeCurve):
    """The `Group` secp256k1 (SEC 2, section 2.4.1)."""

    number = 2
    name = "secp256k1"
    byteorder: Literal["big", "little"] = "big"
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    product_in_additions = 40

    def _of_wrong_length(self, data: bytes) -> int:
        return MALFORMED if any(data) else IDENTITY  # one byte 0 (SEC 1)


class Ed448(NativeCurve):
    """The `Group` edwards448 (RFC 8032, section 5.2). A scalar's last byte is always 0."""

    number = 3
    name = "Ed448"
    byteorder: Literal["big", "little"] = "little"
    order = 2**446 - 13818066809895115352007386748515426880336692474882178609894547503885
    product_in_additions = 60
