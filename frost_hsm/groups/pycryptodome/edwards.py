"""Ed25519 and Ed448 on pycryptodome, with a proof that each element read is in the subgroup of prime order L.

Decoding alone gives points of the whole curve, of order h·L, and a point with a component of small order would
pass all sums of the protocol that cancel it. So membership is proven, one of three ways:

- by the point P/h, if it comes beside the encoding (`y_coordinate`): h times any point of the curve is in the
  subgroup;
- one by one, by X25519 or X448, which are several times as fast as L·P = 0;
- many at once, by adding up random subsets of them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import accumulate
from operator import iadd
from typing import Literal

from Crypto.PublicKey.ECC import EccPoint  # type: ignore[attr-defined]  # documented there
from Crypto.Signature import eddsa
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x448 import X448PrivateKey, X448PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from frost_hsm.errors import InvalidIdentityElement, InvalidNonPrimeOrderElement, MalformedElement
from frost_hsm.groups import Element
from frost_hsm.groups.libcrypto import Libcrypto
from frost_hsm.groups.pycryptodome.curves import PycryptodomeGroup
from frost_hsm.groups.weights import Weights

_SOUNDNESS = 64
"""Bits: a batch with an element outside the subgroup passes with probability 2⁻⁶⁴ at most."""

_Ladder = Callable[[bytes], bytes]
"""A multiplication by a fixed number on the Montgomery curve, from u to u. Raises `ValueError` for a multiple of 0."""

_BUCKET = 4
"""What a bucket costs, in additions: to make it, to fold it and to add it up."""


class EdwardsGroup(PycryptodomeGroup):
    """The subgroup of prime order of an Edwards curve over a field of p elements, written as RFC 8032 writes it.

    cofactor: h, a power of two. coordinate_length: bytes of a coordinate.
    """

    byteorder: Literal["big", "little"] = "little"

    cofactor: int
    coordinate_length: int

    _p: int
    _proof_in_additions: int  # what a proof of one element costs, by measurement

    def __init__(
        self, curve: str, generator: tuple[int, int], make_ladder: Callable[[], _Ladder], library: Libcrypto | None
    ) -> None:
        super().__init__(curve, generator, library)
        self._ordinate_mask = (1 << 8 * self.element_length - 1) - 1
        self._ladder: _Ladder | None = None
        with suppress(UnsupportedAlgorithm):  # a cryptography that is limited to FIPS 140
            self._ladder = make_ladder()
        self._cofactor_inverse = pow(self.cofactor, -1, self.order)
        # what `eddsa.import_public_key` calls, without its detour over affine coordinates; private, so not relied on
        self._decode_point = getattr(EccPoint, "_decode_eddsa", _import_point)

    def decode(self, data: bytes, y: bytes | None = None, *, prove: bool = True) -> Element:
        """Read y, little-endian and below p, with the sign of x in the top bit (RFC 8032, 5.1.3 and 5.2.3)."""
        point = self._decode_any(data)
        if y is not None:
            self._check_quotient(point, y)
        elif prove and not self._are_members([point], [self._ordinate(data)]):
            raise self._not_a_member()
        return Element(point)

    def _decode_any(self, data: bytes) -> EccPoint:
        """Read a point of the whole curve but the identity."""
        if len(data) == self.element_length:
            ordinate = self._ordinate(data)
            if ordinate == 1:
                raise InvalidIdentityElement(f"the identity of {self.name} is not accepted")
            if ordinate < self._p:
                try:
                    return self._decode_point(data, self._curve)
                except ValueError:
                    pass
        raise MalformedElement(f"not a point of {self.name} in its one form")

    def _ordinate(self, encoded: bytes) -> int:
        """Return y, without the sign of x."""
        return int.from_bytes(encoded, "little") & self._ordinate_mask

    def _check_quotient(self, point: EccPoint, quotient: bytes) -> None:
        """Check that P is h times P/h."""
        multiple = self._point(*self._read_coordinates(quotient))
        for _ in range(self.cofactor.bit_length() - 1):
            multiple.double()
        if multiple != point:
            raise MalformedElement(f"what came beside the {self.name} point does not belong to it")

    def _read_coordinates(self, coordinates: bytes) -> tuple[int, int]:
        """Read affine x and y, little-endian and below p."""
        length = self.coordinate_length
        x, y = (int.from_bytes(part, "little") for part in (coordinates[:length], coordinates[length:]))
        if len(coordinates) != 2 * length or x >= self._p or y >= self._p:
            raise MalformedElement(f"not the coordinates of a point of {self.name}")
        return x, y

    def _point(self, x: int, y: int) -> EccPoint:
        try:
            return EccPoint(x, y, self._curve)  # checks that it is on the curve
        except ValueError:
            raise MalformedElement(f"not the coordinates of a point of {self.name}") from None

    def encode(self, element: Element) -> bytes:
        """Write y, with the sign of x."""
        x, y = self.affine(element)
        return (y | (x & 1) << 8 * self.element_length - 1).to_bytes(self.element_length, "little")

    def y_coordinate(self, element: Element) -> bytes:
        """Return what shows the reader that the element is in the subgroup: affine x and y of its h-th part."""
        if self.is_identity(element):
            raise InvalidIdentityElement(f"the identity of {self.name} has no encoding")
        return self._coordinates(self._multiply(element.handle, self._cofactor_inverse))

    def _coordinates(self, point: EccPoint) -> bytes:
        return b"".join(int(value).to_bytes(self.coordinate_length, "little") for value in point.xy)

    def prove_membership(self, elements: Iterable[Element], encodings: Iterable[bytes]) -> None:
        """Check that all elements are in the subgroup of prime order. Raises `InvalidNonPrimeOrderElement`.

        Of many, `_SOUNDNESS` random subsets are added up, and their sums are checked. Let one element be outside, and
        the choice be made for all others: then a subset's sum is in the subgroup with it or without it, not both.
        """
        points = [element.handle for element in elements]
        bits = self._subsets_at_once(len(points))
        if bits:
            weights, rounds = Weights(b"membership", encodings), -(-_SOUNDNESS // bits)
            choices = (weights.draw_bytes(len(points)) for _ in range(rounds))
            sums = [total for chosen in choices for total in self._subset_sums(points, bits, chosen)]
            found = self._are_members(sums, [int(total.y) for total in sums])
        else:
            found = self._are_members(points, list(map(self._ordinate, encodings)))
        if not found:
            raise self._not_a_member()

    def _subset_sums(self, points: Sequence[EccPoint], bits: int, choices: bytes) -> list[EccPoint]:
        """Add up ``bits`` subsets, chosen by one random byte a point.

        Each point goes into one of 2ᵇ buckets, whose number in binary says which of the b subsets it is in; a subset
        is then the upper half of the buckets, and folding that onto the lower half leaves those of the others.
        """
        buckets = [self._identity.copy() for _ in range(1 << bits)]
        mask = len(buckets) - 1
        for point, choice in zip(points, choices, strict=True):
            buckets[choice & mask] += point
        sums = []
        while len(buckets) > 1:
            half = len(buckets) // 2
            buckets, upper = buckets[:half], buckets[half:]
            for bucket, folded in zip(buckets, upper, strict=True):
                bucket += folded
            sums.append(functools.reduce(iadd, upper))
        return sums

    def _subsets_at_once(self, count: int) -> int:
        """Choose the b that costs least; 0 for one proof a point."""

        def cost(bits: int) -> int:
            return -(-_SOUNDNESS // bits) * (count + (_BUCKET << bits) + bits * self._proof_in_additions)

        best = min(range(1, 9), key=cost)  # up to 8, since a random byte chooses
        return best if cost(best) < self._proof_in_additions * count else 0

    def _are_members(self, points: Sequence[EccPoint], ordinates: Sequence[int]) -> bool:
        """Say whether each point is in the subgroup. ordinates: their affine y."""
        if self._ladder is None:
            return all(point * self._order == self._identity for point in points)  # type: ignore[operator]
        p, others = self._p, [y for y in ordinates if y != 1]  # all but the identity, which is a member
        fractions = [self._montgomery_u(y) for y in others]
        if any(denominator % p == 0 for _, denominator in fractions):  # of order 2
            return False
        inverses = _invert([denominator for _, denominator in fractions], p)
        for y, (numerator, _), inverse in zip(others, fractions, inverses, strict=True):
            u = numerator * inverse % p
            try:
                multiple = self._ladder(u.to_bytes(self.coordinate_length, "little"))
            except ValueError:  # it is 0: P is of small order
                return False
            if not self._kept(y, u, int.from_bytes(multiple, "little")):
                return False
        return True

    @staticmethod
    def _montgomery_u(y: int) -> tuple[int, int]:
        """Return u on the Montgomery curve for y on this one, as a fraction."""
        raise NotImplementedError

    def _kept(self, y: int, u: int, multiple: int) -> bool:
        """Say whether a point is ± that multiple of itself, of which the ladder gave u."""
        raise NotImplementedError

    def _not_a_member(self) -> InvalidNonPrimeOrderElement:
        return InvalidNonPrimeOrderElement(f"a point of {self.name} is not in the subgroup of prime order")


def _invert(values: Sequence[int], p: int) -> list[int]:
    """Invert many numbers modulo p, none of them zero, by one inversion of their product."""
    products = list(accumulate(values, lambda a, b: a * b % p, initial=1))
    inverse = pow(products.pop(), -1, p)
    inverses = []
    for value, before in zip(reversed(values), reversed(products), strict=True):
        inverses.append(inverse * before % p)
        inverse = inverse * value % p
    return inverses[::-1]


def _import_point(data: bytes, curve: str) -> EccPoint:
    return eddsa.import_public_key(data).pointQ


class Ed25519(EdwardsGroup):
    """The `Group` edwards25519 (RFC 8032, section 5.1)."""

    name = "Ed25519"
    product_in_additions = 150
    several = 2
    many = 128
    order = 2**252 + 27742317777372353535851937790883648493
    scalar_length = 32
    element_length = 32
    y_length = 64

    cofactor = 8
    coordinate_length = 32

    _p = 2**255 - 19
    _proof_in_additions = 75

    def __init__(self, library: Libcrypto | None = None) -> None:
        x = 0x216936D3CD6E53FEC0A4E231FDD6DC5C692CC7609525A7B2C9562D608F25D51A
        y = 0x6666666666666666666666666666666666666666666666666666666666666658
        super().__init__("Ed25519", (x, y), self._make_ladder, library)

    def _make_ladder(self) -> _Ladder:
        """Multiply by k = 5L - 1: a multiple of 8 between 2²⁵⁴ and 2²⁵⁵, as X25519 takes them (RFC 7748, section 5).

        With P = Q + T, Q in the subgroup and T of order 1, 2, 4 or 8, k·P = -Q: its u is that of P if and only if
        T = 0.
        """
        key = X25519PrivateKey.from_private_bytes((5 * self.order - 1).to_bytes(32, "little"))
        return lambda u: key.exchange(X25519PublicKey.from_public_bytes(u))

    @staticmethod
    def _montgomery_u(y: int) -> tuple[int, int]:
        return 1 + y, 1 - y

    def _kept(self, y: int, u: int, multiple: int) -> bool:
        return multiple == u


class Ed448(EdwardsGroup):
    """The `Group` edwards448 (RFC 8032, section 5.2). A scalar's last byte is always 0."""

    name = "Ed448"
    product_in_additions = 150
    several = 4
    many = 160
    order = 2**446 - 13818066809895115352007386748515426880336692474882178609894547503885
    scalar_length = 57
    element_length = 57
    y_length = 112

    cofactor = 4
    coordinate_length = 56

    _p = 2**448 - 2**224 - 1
    _proof_in_additions = 110

    def __init__(self, library: Libcrypto | None = None) -> None:
        x = int(
            "4F1970C66BED0DED221D15A622BF36DA9E146570470F1767EA6DE324"
            "A3D3A46412AE1AF72AB66511433B80E18B00938E2626A82BC70CC05E",
            16,
        )
        y = int(
            "693F46716EB6BC248876203756C9C7624BEA73736CA3984087789C1E"
            "05A0C2D73AD3FF1CE67C39C4FDBD132C4ED7C8AD9808795BF230FA14",
            16,
        )
        super().__init__("Ed448", (x, y), self._make_ladder, library)

    def _make_ladder(self) -> _Ladder:
        """Multiply by k = (11·L - 1)/4: a multiple of 4 between 2⁴⁴⁷ and 2⁴⁴⁸, as X448 takes them (RFC 7748,
        section 5).

        There and back again, by the isogenies of section 4.2, is another multiplication by 4. With P = Q + T, Q in the
        subgroup and T of order 1, 2 or 4, 4·k·P = -Q: its y is that of P if and only if T = 0, since there is no point
        with x = ±y, which is of order 8.
        """
        key = X448PrivateKey.from_private_bytes(((11 * self.order - 1) // 4).to_bytes(56, "little"))
        return lambda u: key.exchange(X448PublicKey.from_public_bytes(u))

    @staticmethod
    def _montgomery_u(y: int) -> tuple[int, int]:
        square = y * y
        return square * (1 + 39081 * square), 1 - square  # y²/x²

    def _kept(self, y: int, u: int, multiple: int) -> bool:
        square = multiple * multiple
        w = square + 156326 * multiple + 1  # v²/u
        numerator = square * square - 2 * square - 4 * multiple * w + 1
        denominator = square * square - 2 * square * w - 2 * square - 2 * w + 1
        return (y * denominator + numerator) % self._p == 0
