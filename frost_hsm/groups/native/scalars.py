"""Secret scalars on the native library: in buffers of ours that are wiped, from first to last.

No secret becomes a Python ``int`` or an immutable ``bytes`` here. The library computes with them in constant time,
keeps nothing, and wipes the stack it used.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from ctypes import c_char, c_uint32
from typing import Any, Literal

from frost_hsm.errors import MalformedScalar
from frost_hsm.groups import RANDOMNESS, SecretScalar, draws
from frost_hsm.groups.native.library import MALFORMED, Library
from frost_hsm.groups.secret_hash import ExpandedHash, SecretHash
from frost_hsm.secret import Entropy, Secret, system_entropy

_WIDE = {("sha512", 64): "sha512", ("shake_256", 114): "shake256"}
_ALGORITHMS = {"sha256": (0, 32), "sha512": (1, 64), "shake_256": (2, None)}  # number, digest's length


class _Scalar(SecretScalar):
    """The scalar's encoding, in a buffer."""

    __slots__ = ()

    def wipe(self) -> None:
        self.handle.raw = bytes(len(self.handle))

    def __del__(self) -> None:
        try:
            self.wipe()
        except (AttributeError, TypeError):  # the interpreter is going down
            pass


class NativeScalars:
    """The `ScalarField` of a curve of the native library, by the curve's number there."""

    name: str
    byteorder: Literal["big", "little"]
    order: int

    def __init__(self, library: Library, curve: int) -> None:
        self.backend = f"the native library ({library.path})"
        self._library = library
        self._curve = curve
        sizes = (c_uint32 * 4)()
        self._check(library.sizes(curve, sizes, ctypes.sizeof(sizes)))
        self._point_size, self.scalar_length, self.element_length, self.y_length = sizes
        self._buffer = c_char * self.scalar_length

    def random_scalar(self, entropy: Entropy = system_entropy) -> SecretScalar:
        """Draw a uniform scalar that is not zero."""
        for _ in draws(self):
            drawn = bytearray(self.scalar_length)
            scalar = _Scalar(self._buffer.from_buffer(drawn))
            entropy(memoryview(drawn))
            if self._check(self._library.fit_scalar(self._curve, scalar.handle, self.scalar_length)):
                return scalar
        raise AssertionError("draws() ends only by raising")

    def decode_scalar(self, data: Secret) -> SecretScalar:
        """Read ``scalar_length`` bytes, below the order."""
        length = self.scalar_length
        if len(data) != length:
            raise MalformedScalar(f"a {self.name} scalar has {length} bytes, not {len(data)}")
        scalar = _Scalar(self._buffer())
        with data.reveal() as view:
            status = self._library.read_scalar(self._curve, scalar.handle, length, _array(view), length)
        if status == MALFORMED:
            raise MalformedScalar(f"the scalar is not below the order of {self.name}")
        self._check(status)
        return scalar

    def encode_scalar(self, scalar: SecretScalar) -> Secret:
        """Write ``scalar_length`` bytes."""
        return Secret(memoryview(scalar.handle))

    def reduce(self, wide: Secret) -> SecretScalar:
        """Read bytes of any number modulo the order."""
        scalar = _Scalar(self._buffer())
        with wide.reveal() as view:
            self._check(self._library.reduce(self._curve, scalar.handle, self.scalar_length, _array(view), len(view)))
        return scalar

    def digest(self, algorithm: str, source: memoryview, target: memoryview) -> None:
        """Hash from one buffer into the other."""
        number, length = _ALGORITHMS.get(algorithm, (None, None))
        if number is None or length not in (None, len(target)):
            raise ValueError(f"no digest {algorithm} of {len(target)} bytes")
        self._check(self._library.digest(number, _array(target), len(target), _array(source), len(source)))

    def is_zero(self, scalar: SecretScalar) -> bool:
        """Say whether a scalar is zero."""
        return bool(self._check(self._library.is_zero(self._curve, scalar.handle, self.scalar_length)))

    def add_scalars(self, scalars: Iterable[SecretScalar]) -> SecretScalar:
        """Add scalars up."""
        total = _Scalar(self._buffer())
        with Gathered(scalars) as terms:
            self._check(self._library.add_scalars(self._curve, total.handle, self.scalar_length, terms, len(terms)))
        return total

    def multiply_add(self, a: SecretScalar, b: SecretScalar, c: int | SecretScalar) -> SecretScalar:
        """Compute a + b·c."""
        length = self.scalar_length
        factor = self._public((c,)) if isinstance(c, int) else c.handle
        result = _Scalar(self._buffer())
        self._check(
            self._library.multiply_add(
                self._curve, result.handle, length, a.handle, length, b.handle, length, factor, length
            )
        )
        return result

    def evaluate(self, coefficients: Sequence[SecretScalar], points: Sequence[int]) -> list[SecretScalar]:
        """Evaluate a polynomial by Horner's rule."""
        public = self._public(points)
        values, length = (self._buffer * len(points))(), len(public)
        with Gathered(coefficients) as terms:
            self._check(self._library.evaluate(self._curve, values, length, terms, len(terms), public, length))
        return scalars_in(values)

    def hash_secret(self, how: SecretHash, data: Secret) -> SecretScalar:
        """Hash secret data to a scalar."""
        with data.reveal() as view:
            [scalar] = self._hash(how, 1, _array(view), len(view), b"")
        return scalar

    def draw_nonces(
        self, how: SecretHash, share: SecretScalar, count: int, entropy: Entropy = system_entropy
    ) -> list[SecretScalar]:
        """Hash fresh randomness with the share, so many times."""
        with Drawn(count * RANDOMNESS, entropy) as randomness:
            nonces = self._hash(how, count, randomness, len(randomness), share.handle)
        kept = [nonce for nonce in nonces if not self.is_zero(nonce)]
        return kept if len(kept) == count else kept + self.draw_nonces(how, share, count - len(kept), entropy)

    def _hash(self, how: SecretHash, count: int, data: Any, length: int, rest: Any) -> list[SecretScalar]:
        """Hash ``count`` pieces of data, each of them followed by the rest."""
        function, prefix = self._function("hash", how)
        values, size = (self._buffer * count)(), self.scalar_length * count
        self._check(function(self._curve, values, size, prefix, len(prefix), data, length, rest, len(rest)))
        return scalars_in(values)

    def _function(self, what: str, how: SecretHash) -> tuple[Any, bytes]:
        """Find the function that does something with a hash, and what it puts around the data."""
        if isinstance(how, ExpandedHash):
            return getattr(self._library, f"{what}_expanded"), how.suffix
        return getattr(self._library, f"{what}_{_WIDE[how.algorithm, how.length]}"), how.prefix

    def reveal_sum(self, scalars: Sequence[SecretScalar], factors: Sequence[int]) -> int:
        """Compute Σ factors[k]·scalars[k]."""
        total, public = self._buffer(), self._public(factors)
        with Gathered(scalars) as terms:
            self._check(
                self._library.reveal_sum(self._curve, total, self.scalar_length, terms, len(terms), public, len(public))
            )
        return int.from_bytes(total, self.byteorder)

    def _public(self, values: Iterable[int]) -> bytes:
        """Write public scalars one after the other."""
        order, length, byteorder = self.order, self.scalar_length, self.byteorder
        return b"".join([(value % order).to_bytes(length, byteorder) for value in values])

    def _check(self, status: int) -> int:
        """Return an answer of the library. Raises `RuntimeError` for what is no fault of the data."""
        if status < 0:
            raise RuntimeError(f"the native library failed with status {status}")
        return status


def scalars_in(values: Iterable[ctypes.Array[c_char]]) -> list[SecretScalar]:
    """Return the scalars that a call wrote into an array of their encodings, each of which wipes its part."""
    return [_Scalar(value) for value in values]


class Gathered:
    """Secret scalars one after the other, in a buffer that is wiped at the end of the block."""

    def __init__(self, scalars: Iterable[SecretScalar]) -> None:
        self._buffer = bytearray().join([scalar.handle for scalar in scalars])

    def __enter__(self) -> Any:
        return _array(memoryview(self._buffer))

    def __exit__(self, *exc: object) -> None:
        self._buffer[:] = bytes(len(self._buffer))


class Drawn:
    """Fresh random bytes for nonces, drawn for one after the other; they are wiped at the end of the block."""

    def __init__(self, length: int, entropy: Entropy) -> None:
        self._buffer = bytearray(length)
        self._entropy = entropy

    def __enter__(self) -> Any:
        view = memoryview(self._buffer)
        for start in range(0, len(view), RANDOMNESS):
            self._entropy(view[start : start + RANDOMNESS])
        return _array(view)

    def __exit__(self, *exc: object) -> None:
        self._buffer[:] = bytes(len(self._buffer))


def _array(view: memoryview) -> ctypes.Array[c_char]:
    """Lend a buffer to the library; the view cannot be released before the array is gone."""
    return (c_char * len(view)).from_buffer(view)
