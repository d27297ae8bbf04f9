"""P-256 on libcrypto, and what it does for another curve of its kind.

Secret scalars are computed with as `scalars` does, and multiplied with the generator on OpenSSL's P-256 path,
in constant time. Point addition and multi-scalar multiplication take variable time: public values only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from ctypes import addressof, c_ubyte, c_void_p

from frost_hsm.errors import InvalidIdentityElement, MalformedElement
from frost_hsm.groups import Element, SecretScalar
from frost_hsm.groups.libcrypto import Libcrypto
from frost_hsm.groups.libcrypto.scalars import BignumScalars, SecretContext
from frost_hsm.groups.one_by_one import ElementsOneByOne

COMPRESSED, UNCOMPRESSED = 2, 4


class _Point(Element):
    """An EC_POINT, freed with its owner."""

    __slots__ = ("_free",)

    def __init__(self, handle: int, free: Callable[[int], None]) -> None:
        self.handle = handle
        self._free = free

    def __del__(self) -> None:
        self._free(self.handle)


class LibcryptoCurve(BignumScalars, ElementsOneByOne):
    """A `Group` on one libcrypto: a short Weierstrass curve of 256 bits and prime order, by libcrypto's number.

    points_mul: whether to use EC_POINTs_mul, which is deprecated; without it, or where it is missing, sums of
    products take one multiplication each.
    """

    element_length = 33
    y_length = 32
    product_in_additions = 20

    def __init__(self, library: Libcrypto, name: str, number: int, order: int, *, points_mul: bool = True) -> None:
        super().__init__(name, order, 32, "big", library)
        self._points_mul = library.EC_POINTs_mul if points_mul else None
        self._group = library.EC_GROUP_new_by_curve_name(number)
        if not self._group:
            raise self._failure(f"this libcrypto has no {name}")

    def __del__(self) -> None:
        super().__del__()
        if getattr(self, "_group", None):
            self._library.EC_GROUP_free(self._group)

    def multiply_base(self, scalar: SecretScalar) -> Element:
        """Compute scalar·G in constant time."""
        point = self._new_point()
        context = SecretContext(self._library)
        self._check(self._library.EC_POINT_mul(self._group, point.handle, scalar.handle, None, None, context.handle))
        return point

    # ── public elements ──

    def decode(self, data: bytes, y: bytes | None = None, *, prove: bool = True) -> Element:
        """Read 33 bytes, 02 or 03 and x below p (SEC 1, compressed)."""
        if len(data) != 33 or data[0] not in (2, 3):
            raise self._not_a_point(data)
        if y is not None:
            if len(y) != 32 or y[31] & 1 != data[0] & 1:
                raise MalformedElement(f"the y coordinate is not that of the {self.name} point")
            data = b"\4" + data[1:] + y
        return self._read_octets(data)

    def prove_membership(self, elements: Iterable[Element], encodings: Iterable[bytes]) -> None:
        """Return: every point of the curve is in the group."""

    def encode(self, element: Element) -> bytes:
        """Write 33 bytes (SEC 1, compressed)."""
        return self._octets(element, COMPRESSED, 33)

    def encode_all(self, elements: Sequence[Element]) -> bytes:
        """Write 33 bytes each."""
        write, context = self._library.EC_POINT_point2oct, self._spaces.mine.context
        written = (c_ubyte * (33 * len(elements)))()
        at = addressof(written)
        for element in elements:
            if write(self._group, element.handle, COMPRESSED, at, 33, context) != 33:
                raise self._no_encoding()
            at += 33
        return bytes(written)

    def y_coordinate(self, element: Element) -> bytes:
        """Return the affine y, 32 bytes big-endian."""
        return self._octets(element, UNCOMPRESSED, 65)[33:]

    def identity(self) -> Element:
        """Make a new identity element."""
        return self._new_point()  # EC_POINT_new: the point at infinity

    def is_identity(self, element: Element) -> bool:
        """Say whether an element is the point at infinity."""
        return bool(self._library.EC_POINT_is_at_infinity(self._group, element.handle))

    def equal(self, a: Element, b: Element) -> bool:
        """Say whether two elements are the same."""
        outcome = self._library.EC_POINT_cmp(self._group, a.handle, b.handle, self._spaces.mine.context)
        if outcome < 0:
            raise self._failure("EC_POINT_cmp failed")
        return bool(outcome == 0)

    def copy(self, element: Element) -> Element:
        """Make a copy that may be changed in place."""
        point = self._new_point()
        self._check(self._library.EC_POINT_copy(point.handle, element.handle))
        return point

    def accumulate(self, target: Element, element: Element) -> None:
        """Add to ``target`` in place."""
        handle = target.handle
        if not self._library.EC_POINT_add(self._group, handle, handle, element.handle, self._spaces.mine.context):
            raise self._failure("EC_POINT_add failed")

    def double(self, target: Element) -> None:
        """Double ``target`` in place."""
        handle = target.handle
        if not self._library.EC_POINT_dbl(self._group, handle, handle, self._spaces.mine.context):
            raise self._failure("EC_POINT_dbl failed")

    def negate(self, target: Element) -> None:
        """Negate ``target`` in place."""
        self._check(self._library.EC_POINT_invert(self._group, target.handle, self._spaces.mine.context))

    def combine_base(self, a: int, b: int, element: Element) -> Element:
        """Compute a·G + b·element."""
        space, point = self._spaces.mine, self._new_point()
        first, second = self._set(space.a, a % self.order), self._set(space.b, b % self.order)
        self._check(self._library.EC_POINT_mul(self._group, point.handle, first, element.handle, second, space.context))
        return point

    def sum_products(self, scalars: Sequence[int], elements: Sequence[Element]) -> Element:
        """Compute the sum of scalars[k]·elements[k]."""
        space, total = self._spaces.mine, self._new_point()
        if self._points_mul is None or len(elements) == 1:
            product = self._new_point()
            for scalar, element in zip(scalars, elements, strict=True):
                factor = self._set(space.a, scalar % self.order)
                self._check(
                    self._library.EC_POINT_mul(self._group, product.handle, None, element.handle, factor, space.context)
                )
                self.accumulate(total, product)
            return total
        count = len(elements)
        factors = [self._big_number(scalar % self.order) for scalar in scalars]
        try:
            self._check(
                self._points_mul(
                    self._group,
                    total.handle,
                    None,
                    count,
                    (c_void_p * count)(*[element.handle for element in elements]),
                    (c_void_p * count)(*factors),
                    space.context,
                )
            )
        finally:
            for factor in factors:
                self._library.BN_free(factor)
        return total

    # ── memory ──

    def _new_point(self) -> _Point:
        handle = self._library.EC_POINT_new(self._group)
        if not handle:
            raise MemoryError
        return _Point(handle, self._library.EC_POINT_free)

    def _octets(self, element: Element, form: int, length: int) -> bytes:
        space = self._spaces.mine
        written = self._library.EC_POINT_point2oct(
            self._group, element.handle, form, space.buffer, length, space.context
        )
        if written != length:
            raise self._no_encoding()
        return bytes(memoryview(space.buffer)[:length])

    def _read_octets(self, data: bytes) -> _Point:
        point = self._new_point()
        if self._library.EC_POINT_oct2point(self._group, point.handle, data, len(data), self._spaces.mine.context) != 1:
            self._library.ERR_clear_error()
            raise self._not_a_point(data)
        return point

    def _no_encoding(self) -> InvalidIdentityElement:
        self._library.ERR_clear_error()
        return InvalidIdentityElement(f"the identity of {self.name} has no encoding")

    def _not_a_point(self, data: bytes) -> MalformedElement | InvalidIdentityElement:
        if not any(data):
            return InvalidIdentityElement(f"the identity of {self.name} is not accepted")
        return MalformedElement(f"not a compressed point of {self.name}")


class P256Libcrypto(LibcryptoCurve):
    """The `Group` P-256 (SP 800-186, section 3.2.1.3)."""

    def __init__(self, library: Libcrypto, *, points_mul: bool = True) -> None:
        order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
        super().__init__(library, "P-256", 415, order, points_mul=points_mul)  # NID_X9_62_prime256v1

    def commit(self, scalars: Sequence[SecretScalar]) -> tuple[list[Element], bytes]:
        """Multiply each scalar with G, in constant time."""
        secret_context = SecretContext(self._library)
        multiply, context = self._library.EC_POINT_mul, secret_context.handle
        points: list[Element] = [self._new_point() for _ in scalars]
        for point, scalar in zip(points, scalars, strict=True):
            self._check(multiply(self._group, point.handle, scalar.handle, None, None, context))
        return points, self.encode_all(points)
