"""P-256 on libcrypto: secret scalars stay in BIGNUMs that are cleared, from first to last.

No secret scalar becomes a Python ``int`` or an immutable ``bytes`` here. For secrets only calls are used
whose time does not depend on the value: base multiplication on OpenSSL's P-256 path, Montgomery
multiplication, addition of reduced numbers. Point addition and multi-scalar multiplication are not such
calls: public values only.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterable, Sequence
from ctypes import c_ubyte, c_void_p
from typing import Literal

from frost_hsm.errors import InvalidIdentityElement, MalformedElement, MalformedScalar
from frost_hsm.groups import Element, SecretScalar, draw_scalar
from frost_hsm.groups.libcrypto import Libcrypto
from frost_hsm.secret import Entropy, Secret, system_entropy

_NID_PRIME256V1 = 415
_COMPRESSED, _UNCOMPRESSED = 2, 4
_DIGEST_LENGTHS = {"sha256": 32, "sha512": 64}
_CONSTANT_TIME = 4  # BN_FLG_CONSTTIME
_WORD = 1 << 32  # multipliers below it fit into BN_mul_word everywhere
_PACK_FROM = 12  # coefficients; below, plain Horner is as fast


class _Point(Element):
    """An EC_POINT, freed with its owner."""

    __slots__ = ("_free",)

    def __init__(self, handle: int, free: Callable[[int], None]) -> None:
        self.handle = handle
        self._free = free

    def __del__(self) -> None:
        self._free(self.handle)


class _Scalar(SecretScalar):
    """A BIGNUM that is cleared before it is freed."""

    __slots__ = ("_library",)

    def __init__(self, handle: int, library: Libcrypto) -> None:
        self.handle = handle
        self._library = library

    def wipe(self) -> None:
        self._library.BN_clear(self.handle)

    def __del__(self) -> None:
        self._library.BN_clear_free(self.handle)


class _Context:
    """A BN_CTX for secret computations: freed with its owner at once, which clears what they left in it."""

    __slots__ = ("_free", "handle")

    def __init__(self, library: Libcrypto) -> None:
        self.handle = library.BN_CTX_secure_new()
        self._free = library.BN_CTX_free
        if not self.handle:
            raise MemoryError

    def __del__(self) -> None:
        self._free(self.handle)


class _Workspace:
    """What one thread computes with: a BN_CTX, two BIGNUMs and a buffer, for public values only."""

    def __init__(self, library: Libcrypto) -> None:
        self._library = library
        self.context = library.BN_CTX_secure_new()
        self.a = library.BN_new()
        self.b = library.BN_new()
        self.buffer = (c_ubyte * 65)()

    def __del__(self) -> None:
        self._library.BN_CTX_free(self.context)
        self._library.BN_free(self.a)
        self._library.BN_free(self.b)


class _Workspaces(threading.local):
    """One `_Workspace` a thread, made on the thread's first use and freed when it ends."""

    def __init__(self, library: Libcrypto) -> None:
        self.mine = _Workspace(library)


class P256Libcrypto:
    """The `Group` P-256 on one libcrypto.

    points_mul: whether to use EC_POINTs_mul, which is deprecated; without it, or where it is missing, sums of
    products take one multiplication each.
    """

    name = "P-256"
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    scalar_length = 32
    byteorder: Literal["big", "little"] = "big"
    element_length = 33
    y_length = 32

    def __init__(self, library: Libcrypto, *, points_mul: bool = True) -> None:
        self._library = library
        self._points_mul = library.EC_POINTs_mul if points_mul else None
        self._group = library.EC_GROUP_new_by_curve_name(_NID_PRIME256V1)
        if not self._group:
            raise self._failure("this libcrypto has no P-256")
        self._spaces = _Workspaces(library)
        self._order = self._big_number(self.order)
        self._montgomery = library.BN_MONT_CTX_new()
        if not library.BN_MONT_CTX_set(self._montgomery, self._order, self._spaces.mine.context):
            raise self._failure("BN_MONT_CTX_set failed")
        self.backend = f"libcrypto ({library.OpenSSL_version(0).decode('ascii', 'replace')})"

    def __del__(self) -> None:
        if getattr(self, "_montgomery", None):
            self._library.BN_MONT_CTX_free(self._montgomery)
            self._library.BN_free(self._order)
        if getattr(self, "_group", None):
            self._library.EC_GROUP_free(self._group)

    # ── secret scalars ──

    def random_scalar(self, entropy: Entropy = system_entropy) -> SecretScalar:
        """Draw a uniform scalar that is not zero."""
        return draw_scalar(self, entropy)

    def decode_scalar(self, data: Secret) -> SecretScalar:
        """Read 32 bytes, big-endian, below the order."""
        if len(data) != self.scalar_length:
            raise MalformedScalar(f"a P-256 scalar has 32 bytes, not {len(data)}")
        scalar = self._load(data)
        if self._library.BN_cmp(scalar.handle, self._order) >= 0:
            raise MalformedScalar("the scalar is not below the order of P-256")
        return scalar

    def encode_scalar(self, scalar: SecretScalar) -> Secret:
        """Write 32 bytes, big-endian."""
        data = Secret.zeros(self.scalar_length)
        with data.reveal() as view:
            written = self._library.BN_bn2binpad(scalar.handle, (c_ubyte * 32).from_buffer(view), 32)
        if written != self.scalar_length:
            raise self._failure("BN_bn2binpad failed")
        return data

    def reduce(self, wide: Secret) -> SecretScalar:
        """Read big-endian bytes modulo the order."""
        scalar = self._load(wide)
        context = _Context(self._library)
        self._check(self._library.BN_nnmod(scalar.handle, scalar.handle, self._order, context.handle))
        return scalar

    def digest(self, algorithm: str, source: memoryview, target: memoryview) -> None:
        """Hash with EVP_Digest, from one buffer into the other."""
        library = self._library
        kind = library.EVP_get_digestbyname(algorithm.encode())
        if not kind or len(target) != _DIGEST_LENGTHS[algorithm]:
            raise ValueError(f"no digest {algorithm} of {len(target)} bytes")
        self._check(library.EVP_Digest(_array(source), len(source), _array(target), None, kind, None))

    def is_zero(self, scalar: SecretScalar) -> bool:
        """Say whether a scalar is zero."""
        return bool(self._library.BN_is_zero(scalar.handle))

    def add_scalars(self, scalars: Iterable[SecretScalar]) -> SecretScalar:
        """Add scalars up."""
        add, order = self._library.BN_mod_add_quick, self._order
        total = self._new_scalar()
        for scalar in scalars:
            self._check(add(total.handle, total.handle, scalar.handle, order))
        return total

    def multiply_add(self, a: SecretScalar, b: SecretScalar, c: int | SecretScalar) -> SecretScalar:
        """Compute a + b·c by one Montgomery multiplication and one addition."""
        library, context = self._library, _Context(self._library)
        factor = self._new_scalar()  # c in Montgomery form, so that the product leaves it again
        source = self._set(self._spaces.mine.a, c % self.order) if isinstance(c, int) else c.handle
        result = self._new_scalar()
        self._check(
            library.BN_to_montgomery(factor.handle, source, self._montgomery, context.handle)
            and library.BN_mod_mul_montgomery(result.handle, b.handle, factor.handle, self._montgomery, context.handle)
            and library.BN_mod_add_quick(result.handle, result.handle, a.handle, self._order)
        )
        return result

    def evaluate(self, coefficients: Sequence[SecretScalar], points: Sequence[int]) -> list[SecretScalar]:
        """Evaluate a polynomial by Horner's rule, many coefficients to a BIGNUM where that pays."""
        if len(coefficients) >= _PACK_FROM and max(points, default=_WORD) < _WORD:
            return self._evaluate_packed(coefficients, points)
        library, space = self._library, self._spaces.mine
        multiply, add = library.BN_mod_mul_montgomery, library.BN_mod_add_quick
        order, montgomery, secret_context = self._order, self._montgomery, _Context(library)
        context = secret_context.handle
        *lower, top = (coefficient.handle for coefficient in coefficients)
        lower.reverse()
        values: list[SecretScalar] = []
        for point in points:
            value = self._new_scalar()
            handle, x = value.handle, space.b
            self._check(library.BN_copy(handle, top))
            self._check(library.BN_to_montgomery(x, self._set(space.a, point), montgomery, context))
            for coefficient in lower:
                self._check(
                    multiply(handle, handle, x, montgomery, context) and add(handle, handle, coefficient, order)
                )
            values.append(value)
        return values

    def _evaluate_packed(self, coefficients: Sequence[SecretScalar], points: Sequence[int]) -> list[SecretScalar]:
        """Evaluate several blocks of the polynomial by the same steps.

        With t coefficients in ``blocks`` blocks of ``steps``, row r holds coefficients r, r + steps, … in
        slots of one BIGNUM, wide enough that nothing is reduced before the end. Horner's rule over the rows
        evaluates all blocks at once; their values are then joined by powers of x^steps.
        """
        library, space = self._library, self._spaces.mine
        blocks = max(2, round(len(coefficients) ** 0.5 / 2))
        steps = -(-len(coefficients) // blocks)
        slot = -(-(256 + steps * (max(points).bit_length() + 1)) // 64) * 64
        rows = []
        for r in range(steps):
            row = self._new_scalar()
            for k in range(r + steps * ((len(coefficients) - 1 - r) // steps), -1, -steps):
                self._check(
                    library.BN_lshift(row.handle, row.handle, slot)
                    and library.BN_add(row.handle, row.handle, coefficients[k].handle)
                )
            rows.append(row)
        first, *rest = reversed([row.handle for row in rows])
        multiply_word, add = library.BN_mul_word, library.BN_add
        packed, block = self._new_scalar(), self._new_scalar()
        context = _Context(library)
        values: list[SecretScalar] = []
        for point in points:
            handle = packed.handle
            self._check(library.BN_copy(handle, first))
            for row_handle in rest:
                self._check(multiply_word(handle, point) and add(handle, handle, row_handle))
            x = self._set(space.a, pow(point, steps, self.order))
            self._check(library.BN_to_montgomery(space.b, x, self._montgomery, space.context))
            value = self._new_scalar()
            for k in range(blocks - 1, -1, -1):
                self._check(
                    library.BN_rshift(block.handle, handle, k * slot)
                    and library.BN_nnmod(block.handle, block.handle, self._order, context.handle)
                    and library.BN_mod_mul_montgomery(
                        value.handle, value.handle, space.b, self._montgomery, context.handle
                    )
                    and library.BN_mod_add_quick(value.handle, value.handle, block.handle, self._order)
                )
                library.BN_mask_bits(handle, k * slot)  # fails, and changes nothing, if it is shorter
            values.append(value)
        return values

    def multiply_base(self, scalar: SecretScalar) -> Element:
        """Compute scalar·G in constant time."""
        point = self._new_point()
        context = _Context(self._library)
        self._check(self._library.EC_POINT_mul(self._group, point.handle, scalar.handle, None, None, context.handle))
        return point

    # ── public elements ──

    def decode(self, data: bytes, y: bytes | None = None, *, prove: bool = True) -> Element:
        """Read 33 bytes, 02 or 03 and x below p (SEC 1, compressed)."""
        if len(data) != 33 or data[0] not in (2, 3):
            raise self._not_a_point(data)
        if y is not None:
            if len(y) != 32 or y[31] & 1 != data[0] & 1:
                raise MalformedElement("the y coordinate is not that of the P-256 point")
            data = b"\x04" + data[1:] + y
        point = self._new_point()
        decoded = self._library.EC_POINT_oct2point(
            self._group, point.handle, data, len(data), self._spaces.mine.context
        )
        if decoded != 1:
            self._library.ERR_clear_error()
            raise self._not_a_point(data)
        return point

    def prove_membership(self, elements: Sequence[Element]) -> None:
        """Return: every point of the curve is in the group."""

    def encode(self, element: Element) -> bytes:
        """Write 33 bytes (SEC 1, compressed)."""
        return self._octets(element, _COMPRESSED, 33)

    def y_coordinate(self, element: Element) -> bytes:
        """Return the affine y, 32 bytes big-endian."""
        return self._octets(element, _UNCOMPRESSED, 65)[33:]

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

    def _new_scalar(self) -> _Scalar:
        library = self._library
        handle = library.BN_secure_new()
        if not handle:
            raise MemoryError
        library.BN_set_flags(handle, _CONSTANT_TIME)
        return _Scalar(handle, library)

    def _load(self, data: Secret) -> _Scalar:
        scalar = self._new_scalar()
        with data.reveal() as view:
            self._check(self._library.BN_bin2bn(_array(view), len(view), scalar.handle))
        return scalar

    def _big_number(self, value: int) -> int:
        """Make a BIGNUM of a public value; the caller frees it."""
        handle: int | None = self._library.BN_bin2bn(value.to_bytes(32, "big"), 32, None)
        if not handle:
            raise MemoryError
        return handle

    def _set(self, handle: int, value: int) -> int:
        """Give a BIGNUM of the workspace a public value."""
        self._check(self._library.BN_bin2bn(value.to_bytes(32, "big"), 32, handle))
        return handle

    def _octets(self, element: Element, form: int, length: int) -> bytes:
        space = self._spaces.mine
        written = self._library.EC_POINT_point2oct(
            self._group, element.handle, form, space.buffer, length, space.context
        )
        if written != length:
            self._library.ERR_clear_error()
            raise InvalidIdentityElement("the identity of P-256 has no encoding")
        return bytes(space.buffer[:length])

    def _not_a_point(self, data: bytes) -> MalformedElement | InvalidIdentityElement:
        if not any(data):
            return InvalidIdentityElement("the identity of P-256 is not accepted")
        return MalformedElement("not a compressed point of P-256")

    def _check(self, succeeded: object) -> None:
        if not succeeded:
            raise self._failure("libcrypto failed, probably out of memory")

    def _failure(self, what: str) -> MemoryError:
        self._library.ERR_clear_error()  # else it comes up later as a stray error of the ssl module
        return MemoryError(what)


def _array(view: memoryview) -> ctypes.Array[c_ubyte]:
    """Lend a buffer to libcrypto; the view cannot be released before the array is gone."""
    return (c_ubyte * len(view)).from_buffer(view)
