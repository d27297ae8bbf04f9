"""Secret scalars on pycryptodome, where no libcrypto serves.

Its C code computes in constant time and wipes its own memory. On the way in and out of it, though, a scalar is for
an instant in an immutable ``bytes``, as a digest by `hashlib` is, which Python does not wipe.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal

import Crypto
from Crypto.Math.Numbers import Integer

from frost_hsm.errors import MalformedScalar, NoConstantTime
from frost_hsm.groups import SecretScalar, draw_scalar
from frost_hsm.groups.one_by_one import ScalarsOneByOne
from frost_hsm.secret import Entropy, Secret, system_entropy

_IN_C = "Crypto.Math._IntegerNat"  # where the integers of pycryptodome's C code are defined


def require_c_code() -> None:
    """Raise `NoConstantTime` where pycryptodome has fallen back to Python's integers, which it does silently."""
    if Integer.__module__ != _IN_C:
        raise NoConstantTime(f"pycryptodome {Crypto.__version__} runs without its C code, in variable time")


class _Scalar(SecretScalar):
    """An `Integer`, whose memory pycryptodome wipes when it is freed."""

    __slots__ = ()

    def wipe(self) -> None:
        self.handle = Integer(0)


class IntegerScalars(ScalarsOneByOne):
    """The `ScalarField` of integers modulo a prime ``order``, on pycryptodome. Raises `NoConstantTime`."""

    backend = f"pycryptodome {Crypto.__version__}"

    def __init__(self, name: str, order: int, scalar_length: int, byteorder: Literal["big", "little"]) -> None:
        require_c_code()
        self.name = name
        self.order = order
        self.scalar_length = scalar_length
        self.byteorder = byteorder
        self._order = Integer(order, public=True)

    def random_scalar(self, entropy: Entropy = system_entropy) -> SecretScalar:
        """Draw a uniform scalar that is not zero."""
        return draw_scalar(self, entropy)

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

    def _load(self, data: Secret) -> Integer:
        with data.reveal() as view:
            return Integer.from_bytes(view, self.byteorder)
