"""The curves of the native library as groups. Points are opaque bytes, in buffers of ours."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from ctypes import addressof, c_char
from typing import Any, Literal

from frost_hsm.errors import InvalidIdentityElement, InvalidNonPrimeOrderElement, MalformedElement
from frost_hsm.groups import RANDOMNESS, Element, SecretScalar, draws, pieces, threads
from frost_hsm.groups.native.library import IDENTITY, MALFORMED, OUTSIDE, Library
from frost_hsm.groups.native.scalars import Drawn, Gathered, NativeScalars, scalars_in
from frost_hsm.groups.secret_hash import SecretHash
from frost_hsm.groups.weights import Weights
from frost_hsm.secret import Entropy, system_entropy

_RANDOM_BYTES = 16  # for each point of a proof of membership

_PROVEN_TOGETHER = 64
"""Below about this many points no random subsets are cheaper than a proof of each."""

_WORTH_A_THREAD = 200
"""Below about this many points to read a second thread costs more than it saves."""


class NativeCurve(NativeScalars):
    """A `Group` on the native library.

    The handle of an element is a ``bytes``, which takes little memory, or an array once it was changed in place.
    """

    number: int
    """Of the curve, in the library."""

    cofactor: int

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
        return Element(point.raw)

    def prove_membership(self, elements: Iterable[Element], encodings: Iterable[bytes]) -> None:
        """Check that all elements are in the subgroup of prime order: of many, random subsets of them."""
        self._prove(self._join(elements), b"".join(encodings))

    def _prove(self, points: Any, data: bytes) -> None:
        random = Weights(b"membership", (data,)).draw_bytes(len(data) // self.element_length * _RANDOM_BYTES)
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
        self._check(self._library.add(self._curve, self._in_place(target), size, element.handle, size))

    def double(self, target: Element) -> None:
        """Double ``target`` in place."""
        self._check(self._library.double(self._curve, self._in_place(target), self._point_size))

    def negate(self, target: Element) -> None:
        """Negate ``target`` in place."""
        self._check(self._library.negate(self._curve, self._in_place(target), self._point_size))

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
        return self.add_products((), scalars, elements)

    # ── many at once ──

    def commit(self, scalars: Sequence[SecretScalar]) -> tuple[list[Element], bytes]:
        """Multiply each scalar with G, in constant time."""
        count = len(scalars)
        points, encodings = self._points(count), (c_char * (count * self.element_length))()
        with Gathered(scalars) as secrets:
            status = self._library.commit(
                self._curve, points, len(points), encodings, len(encodings), secrets, len(secrets)
            )
        self._check_written(status)
        return self._elements(points), encodings.raw

    def make_nonces(
        self, how: SecretHash, share: SecretScalar, count: int, entropy: Entropy = system_entropy
    ) -> tuple[list[SecretScalar], list[Element], bytes]:
        """Draw nonces and commit to them."""
        function, prefix = self._function("nonces", how)
        length, size = count * self.scalar_length, count * self.element_length
        values, points, encodings = (self._buffer * count)(), self._points(count), (c_char * size)()
        buffers = (values, length, points, len(points), encodings, size, prefix, len(prefix))
        for _ in draws(self):
            with Drawn(count * RANDOMNESS, entropy) as randomness:
                status = function(self._curve, *buffers, randomness, len(randomness), share.handle, self.scalar_length)
            if status != IDENTITY:  # what is zero is drawn again
                self._check(status)
                return scalars_in(values), self._elements(points), encodings.raw
        raise AssertionError("draws() ends only by raising")

    def decode_all(self, data: bytes, y: bytes | None = None, *, prove: bool = True) -> list[Element]:
        """Read elements that follow each other, on two threads where there are many."""
        count, rest = divmod(len(data), self.element_length)
        if rest or (y is not None and len(y) != count * self.y_length):
            raise MalformedElement(f"{len(data)} bytes are not a whole number of {self.name} points with their y")
        points, encodings = self._points(count), (data, self.element_length)
        if y is not None:
            self._read(self._library.read_beside, points, encodings, (y, self.y_length))
        elif prove and (self.cofactor == 1 or count < _PROVEN_TOGETHER):
            self._read(self._library.read_proven, points, encodings)
        else:
            self._read(self._library.read, points, encodings)
            if prove:
                self._prove(points, data)
        return self._elements(points)

    def encode_all(self, elements: Sequence[Element]) -> bytes:
        """Write elements one after the other."""
        points = self._join(elements)
        out = (c_char * (len(elements) * self.element_length))()
        self._check_written(self._library.write(self._curve, out, len(out), points, len(points)))
        return out.raw

    def add_products(self, terms: Sequence[Element], scalars: Sequence[int], elements: Sequence[Element]) -> Element:
        """Compute Σ terms[j] + Σ scalars[k]·elements[k]."""
        total, factors = self._point(), self._public(scalars)
        added, points = self._join(terms), self._join(elements)
        self._check(
            self._library.sum_products(
                self._curve, total, self._point_size, added, len(added), factors, len(factors), points, len(points)
            )
        )
        return Element(total)

    def encode_combinations(
        self, a: Sequence[int], b: Sequence[int], elements: Sequence[Element]
    ) -> list[bytes | None]:
        """Write every a[k]·G + b[k]·elements[k]."""
        count, length = len(elements), self.element_length
        out, written = (c_char * (count * length))(), bytearray(count)
        first, second, points = self._public(a), self._public(b), self._join(elements)
        self._check(
            self._library.write_combinations(
                self._curve,
                *(out, len(out)),
                *((c_char * count).from_buffer(written), count),
                *(first, len(first)),
                *(second, len(second)),
                *(points, len(points)),
            )
        )
        return [each if there else None for each, there in zip(pieces(out.raw, length), written, strict=True)]

    def _write(self, write: Any, element: Element, length: int) -> bytes:
        out = (c_char * length)()
        self._check_written(write(self._curve, out, length, element.handle, self._point_size))
        return out.raw

    def _check_written(self, status: int) -> None:
        if status == IDENTITY:
            raise InvalidIdentityElement(f"the identity of {self.name} has no encoding")
        self._check(status)

    def _points(self, count: int) -> ctypes.Array[c_char]:
        return (c_char * (count * self._point_size))()

    def _elements(self, points: ctypes.Array[c_char]) -> list[Element]:
        return [Element(point) for point in pieces(points.raw, self._point_size)]

    def _in_place(self, element: Element) -> Any:
        """Make the handle an array, and return it."""
        if isinstance(element.handle, bytes):
            element.handle = self._point.from_buffer_copy(element.handle)
        return element.handle

    def _read(self, read: Any, points: ctypes.Array[c_char], *sources: tuple[bytes, int]) -> None:
        """Read into points from what lies side by side in the sources, each with the length of one: on two threads
        where there are many.
        """

        def read_part(first: int, end: int) -> int:
            arguments: list[Any] = [self._curve, addressof(points) + first * size, (end - first) * size]
            for data, length in sources:
                arguments += (data[first * length : end * length], (end - first) * length)
            return int(read(*arguments))

        size = self._point_size
        count = len(points) // size
        if count < _WORTH_A_THREAD or threads() == 1:
            statuses = [read_part(0, count)]
        else:
            from concurrent.futures import ThreadPoolExecutor  # seldom needed, slow to import

            with ThreadPoolExecutor(2) as pool:
                statuses = list(pool.map(read_part, (0, count // 2), (count // 2, count)))
        for status in filter(None, statuses):
            raise self._refusal(status)

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
    cofactor = 8
    product_in_additions = 40


class Ristretto255(Ed25519):
    """The `Group` ristretto255 (RFC 9496)."""

    number = 1
    name = "ristretto255"
    cofactor = 1


class Secp256k1(NativeCurve):
    """The `Group` secp256k1 (SEC 2, section 2.4.1)."""

    number = 2
    name = "secp256k1"
    byteorder: Literal["big", "little"] = "big"
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    cofactor = 1
    product_in_additions = 40

    def _of_wrong_length(self, data: bytes) -> int:
        return MALFORMED if any(data) else IDENTITY  # one byte 0 (SEC 1)


class Ed448(NativeCurve):
    """The `Group` edwards448 (RFC 8032, section 5.2). A scalar's last byte is always 0."""

    number = 3
    name = "Ed448"
    byteorder: Literal["big", "little"] = "little"
    order = 2**446 - 13818066809895115352007386748515426880336692474882178609894547503885
    cofactor = 4
    product_in_additions = 60
