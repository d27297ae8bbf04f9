"""ristretto255 on the points of Ed25519 (RFC 9496, section 4): a group of prime order, every encoding in it.

An element is any point of its coset; four points, equal up to one of order 1, 2 or 4, stand for the same.
"""

from __future__ import annotations

from collections.abc import Iterable

from Crypto.PublicKey.ECC import EccPoint  # type: ignore[attr-defined]  # documented there

from frost_hsm.errors import InvalidIdentityElement, MalformedElement
from frost_hsm.groups import Element
from frost_hsm.groups.libcrypto import Libcrypto
from frost_hsm.groups.powers import power
from frost_hsm.groups.pycryptodome.edwards import Ed25519

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_SQRT_M1 = pow(2, (_P - 1) // 4, _P)
_MALFORMED = "not an element of ristretto255 in its one form"


def _absolute(value: int) -> int:
    """Negate what is negative: odd."""
    return _P - value if value & 1 else value


_INVERSE_ROOT_A_MINUS_D = int("786C8905CFAFFCA216C27B91FE01D8409D2F16175A4172BE99C8FDAA805D40EA", 16)


class Ristretto255(Ed25519):
    """The `Group` ristretto255."""

    name = "ristretto255"

    def __init__(self, library: Libcrypto | None = None) -> None:
        super().__init__(library)
        self._power = power((_P - 5) // 8, _P, library)

    def decode(self, data: bytes, y: bytes | None = None, *, prove: bool = True) -> Element:
        """Read 32 bytes (RFC 9496, section 4.3.1)."""
        s = int.from_bytes(data, "little")
        if len(data) != 32 or s >= _P or s & 1:
            raise MalformedElement(_MALFORMED)
        if s == 0:
            raise InvalidIdentityElement("the identity of ristretto255 is not accepted")
        if y is not None:
            return self._decode_with_point(s, y)
        square = s * s % _P
        u1, u2 = 1 - square, 1 + square
        v = (-_D * u1 * u1 - u2 * u2) % _P
        was_square, inverse = self._inverse_square_root(v * u2 * u2 % _P)
        dx = inverse * u2 % _P
        x = _absolute(2 * s * dx % _P)
        ordinate = u1 * inverse * dx * v % _P
        if not was_square or x * ordinate % _P & 1 or ordinate == 0:
            raise MalformedElement(_MALFORMED)
        return Element(EccPoint(x, ordinate, self._curve))

    def _decode_with_point(self, s: int, coordinates: bytes) -> Element:
        """Read what `decode` would compute, and check it.

        On the curve, y = (1 - s²)/(1 + s²) gives x² = 4s²/v, with the v of `decode`: so v is a square, and x is
        one of its two candidates.
        """
        x, y = self._read_coordinates(coordinates)
        square = s * s % _P
        if (y * (1 + square) - 1 + square) % _P or x & 1 or y == 0 or x * y % _P & 1:
            raise MalformedElement("what came beside the ristretto255 element does not belong to it")
        return Element(self._point(x, y))

    def encode(self, element: Element) -> bytes:
        """Write 32 bytes (RFC 9496, section 4.3.2)."""
        x, y = element.handle.xy  # Z = 1
        if x == 0 or y == 0:
            raise InvalidIdentityElement("the identity of ristretto255 has no encoding")
        u1, u2 = (1 - y * y) % _P, x * y % _P
        _, inverse = self._inverse_square_root(u1 * u2 * u2 % _P)
        den1, den2 = inverse * u1 % _P, inverse * u2 % _P
        z_inverse = den1 * den2 * u2 % _P
        if u2 * z_inverse % _P & 1:  # rotate
            x, y, den = y * _SQRT_M1 % _P, x * _SQRT_M1 % _P, den1 * _INVERSE_ROOT_A_MINUS_D % _P
        else:
            den = den2
        if x * z_inverse % _P & 1:
            y = -y
        return _absolute(den * (1 - y) % _P).to_bytes(32, "little")

    def _inverse_square_root(self, value: int) -> tuple[bool, int]:
        """Return whether ``value`` is a square, and the non-negative root of its inverse, or of √-1 times it.

        RFC 9496, section 4.2, SQRT_RATIO_M1(1, value).
        """
        cube = value * value * value % _P
        root = cube * self._power(cube * cube * value % _P) % _P
        check = value * root * root % _P
        if check in (_P - 1, -_SQRT_M1 % _P):
            root = root * _SQRT_M1 % _P
        return check in (1, _P - 1), _absolute(root)

    def y_coordinate(self, element: Element) -> bytes:
        """Return affine x and y of the one point that `decode` chooses."""
        return self._coordinates(self.decode(self.encode(element)).handle)

    def prove_membership(self, elements: Iterable[Element], encodings: Iterable[bytes]) -> None:
        """Return: whatever has an encoding is an element."""

    def is_identity(self, element: Element) -> bool:
        """Say whether an element is the identity: of order 1, 2 or 4 on the curve."""
        return bool(_quadruple(element) == self._identity)

    def equal(self, a: Element, b: Element) -> bool:
        """Say whether two elements are the same: whether they differ by such a point."""
        return bool(_quadruple(a) == _quadruple(b))


def _quadruple(element: Element) -> EccPoint:
    point: EccPoint = element.handle.copy()
    return point.double().double()
