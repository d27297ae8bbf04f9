"""Secret scalars on libcrypto: in BIGNUMs that are cleared, from first to last.

No secret becomes a Python ``int`` or an immutable ``bytes`` here. For secrets only calls are used whose time does
not depend on the value: Montgomery multiplication, addition of reduced numbers.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from ctypes import c_ubyte
from typing import Any, Literal

from frost_hsm.errors import MalformedScalar
from frost_hsm.groups import RANDOMNESS, SecretScalar, clear_unused_bits, draws
from frost_hsm.groups.libcrypto import Libcrypto, Workspaces
from frost_hsm.groups.libcrypto.hashing import HashRoom, address, digest
from frost_hsm.groups.secret_hash import SecretHash
from frost_hsm.secret import Entropy, Secret, system_entropy

_CONSTANT_TIME = 4  # BN_FLG_CONSTTIME
_WORD = 1 << 32  # multipliers below it fit into BN_mul_word everywhere
_PACK_FROM = 12  # coefficients; below, plain Horner is as fast


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


class SecretContext:
    """A BN_CTX for secret computations: freed with its owner at once, which clears what they left in it."""

    __slots__ = ("_free", "handle")

    def __init__(self, library: Libcrypto) -> None:
        self.handle = library.BN_CTX_secure_new()
        self._free = library.BN_CTX_free
        if not self.handle:
            raise MemoryError

    def __del__(self) -> None:
        self._free(self.handle)


class BignumScalars:
    """The `ScalarField` of integers modulo a prime ``order``, on one libcrypto."""

    def __init__(
        self, name: str, order: int, scalar_length: int, byteorder: Literal["big", "little"], library: Libcrypto
    ) -> None:
        self.name = name
        self.order = order
        self.scalar_length = scalar_length
        self.byteorder = byteorder
        self.backend = f"libcrypto ({library.OpenSSL_version(0).decode('ascii', 'replace')})"
        self._library = library
        self._spaces = Workspaces(library)
        self._order = self._big_number(order)
        self._montgomery = library.BN_MONT_CTX_new()
        if not library.BN_MONT_CTX_set(self._montgomery, self._order, self._spaces.mine.context):
            raise self._failure("BN_MONT_CTX_set failed")

    def __del__(self) -> None:
        if getattr(self, "_montgomery", None):
            self._library.BN_MONT_CTX_free(self._montgomery)
            self._library.BN_free(self._order)

    def random_scalar(self, entropy: Entropy = system_entropy) -> SecretScalar:
        """Draw a uniform scalar that is not zero."""
        data = bytearray(self.scalar_length)
        top_first = 1 if self.byteorder == "big" else -1
        try:
            for _ in draws(self):
                entropy(memoryview(data))
                clear_unused_bits(memoryview(data)[::top_first], self.order)
                scalar = self._new_scalar()
                self._check(self._read(address(data), self.scalar_length, scalar))
                if self._library.BN_cmp(scalar.handle, self._order) < 0 and not self.is_zero(scalar):
                    return scalar
        finally:
            data[:] = bytes(len(data))
        raise AssertionError("draws() ends only by raising")

    def decode_scalar(self, data: Secret) -> SecretScalar:
        """Read ``scalar_length`` bytes, below the order."""
        if len(data) != self.scalar_length:
            raise MalformedScalar(f"a {self.name} scalar has {self.scalar_length} bytes, not {len(data)}")
        scalar = self._load(data)
        if self._library.BN_cmp(scalar.handle, self._order) >= 0:
            raise MalformedScalar(f"the scalar is not below the order of {self.name}")
        return scalar

    def encode_scalar(self, scalar: SecretScalar) -> Secret:
        """Write ``scalar_length`` bytes."""
        data = Secret.zeros(self.scalar_length)
        with data.reveal() as view:
            self._write(scalar, _array(view))
        return data

    def reduce(self, wide: Secret) -> SecretScalar:
        """Read bytes of any number modulo the order."""
        scalar = self._load(wide)
        context = SecretContext(self._library)
        self._check(self._library.BN_nnmod(scalar.handle, scalar.handle, self._order, context.handle))
        return scalar

    def digest(self, algorithm: str, source: memoryview, target: memoryview) -> None:
        """Hash from one buffer into the other."""
        digest(self._library, algorithm, source, target)

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
        library, context = self._library, SecretContext(self._library)
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
        order, montgomery, secret_context = self._order, self._montgomery, SecretContext(library)
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
        slot = -(-(self.order.bit_length() + steps * (max(points).bit_length() + 1)) // 64) * 64
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
        context = SecretContext(library)
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

    def hash_secret(self, how: SecretHash, data: Secret) -> SecretScalar:
        """Hash secret data to a scalar."""
        with HashRoom(self._library, how, len(data)) as room, data.reveal() as view:
            room.data[:] = view
            return self._hash_in(room, SecretContext(self._library))

    def draw_nonces(
        self, how: SecretHash, share: SecretScalar, count: int, entropy: Entropy = system_entropy
    ) -> list[SecretScalar]:
        """Hash fresh randomness with the share, so many times."""
        context, rooms = SecretContext(self._library), self._spaces.mine.rooms
        nonces: list[SecretScalar] = []
        with rooms.pop(how, None) or HashRoom(self._library, how, RANDOMNESS + self.scalar_length) as room:
            self._write(share, room.at_data + RANDOMNESS)
            randomness = room.data[:RANDOMNESS]
            while len(nonces) < count:
                entropy(randomness)
                nonce = self._hash_in(room, context)
                if not self.is_zero(nonce):
                    nonces.append(nonce)
        rooms[how] = room  # for the next time: making one takes as long as a hash
        return nonces

    def _hash_in(self, room: HashRoom, context: SecretContext) -> _Scalar:
        scalar = self._new_scalar()
        handle = scalar.handle
        room.hash()
        self._check(
            self._read(room.at, room.length, scalar)
            and self._library.BN_nnmod(handle, handle, self._order, context.handle)
        )
        return scalar

    def reveal_sum(self, scalars: Sequence[SecretScalar], factors: Sequence[int]) -> int:
        """Compute Σ factors[k]·scalars[k] by one Montgomery multiplication for each factor but 1."""
        library, space, order, montgomery = self._library, self._spaces.mine, self._order, self._montgomery
        secret_context = SecretContext(library)
        context, factor = secret_context.handle, space.b
        total, product = self._new_scalar(), self._new_scalar()
        for scalar, number in zip(scalars, factors, strict=True):
            term = scalar.handle
            if number != 1:
                term = product.handle
                public = self._set(space.a, number % self.order)
                self._check(
                    library.BN_to_montgomery(factor, public, montgomery, space.context)
                    and library.BN_mod_mul_montgomery(term, scalar.handle, factor, montgomery, context)
                )
            self._check(library.BN_mod_add_quick(total.handle, total.handle, term, order))
        length, buffer = self.scalar_length, space.buffer
        self._check(library.BN_bn2binpad(total.handle, buffer, length) == length)
        return int.from_bytes(memoryview(buffer)[:length], "big")

    # ── memory ──

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
            self._check(self._read(_array(view), len(view), scalar))
        return scalar

    def _read(self, source: Any, length: int, scalar: SecretScalar) -> Any:
        read = self._library.BN_bin2bn if self.byteorder == "big" else self._library.BN_lebin2bn
        return read(source, length, scalar.handle)

    def _write(self, scalar: SecretScalar, target: Any) -> None:
        write = self._library.BN_bn2binpad if self.byteorder == "big" else self._library.BN_bn2lebinpad
        self._check(write(scalar.handle, target, self.scalar_length) == self.scalar_length)

    def _big_number(self, value: int) -> int:
        """Make a BIGNUM of a public value; the caller frees it."""
        length = self.scalar_length
        handle: int | None = self._library.BN_bin2bn(value.to_bytes(length, "big"), length, None)
        if not handle:
            raise MemoryError
        return handle

    def _set(self, handle: int, value: int) -> int:
        """Give a BIGNUM of the workspace a public value."""
        length = self.scalar_length
        self._check(self._library.BN_bin2bn(value.to_bytes(length, "big"), length, handle))
        return handle

    def _check(self, succeeded: object) -> None:
        if not succeeded:
            raise self._failure("libcrypto failed, probably out of memory")

    def _failure(self, what: str) -> MemoryError:
        self._library.ERR_clear_error()  # else it comes up later as a stray error of the ssl module
        return MemoryError(what)


def _array(view: memoryview) -> ctypes.Array[c_ubyte]:
    """Lend a buffer to libcrypto; the view cannot be released before the array is gone."""
    return (c_ubyte * len(view)).from_buffer(view)
