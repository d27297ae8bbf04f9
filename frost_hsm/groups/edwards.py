"""Ed25519 and Ed448 on pycryptodome, with a proof that each element read is in the subgroup of prime order L.

Decoding alone gives points of the whole curve, of order h·L, and a point with a component of small order would
pass all sums of the protocol that cancel it. So membership is proven, one of three ways:

- by the point P/h, if it comes beside the encoding (`y_coordinate`): h times any point of the curve is in the
  subgroup;
- one by one, by L·P = 0, or, on Ed25519, by one X25519, which is five times as fast;
- many at once, by adding them up in random buckets: see `prove_membership`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

from Crypto.PublicKey.ECC import EccPoint  # type: ignore[attr-defined]  # documented there
from Crypto.Signature import eddsa
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from frost_hsm.errors import InvalidIdentityElement, InvalidNonPrimeOrderElement, MalformedElement
from frost_hsm.groups import Element
from frost_hsm.groups.libcrypto import Libcrypto
from frost_hsm.groups.pycryptodome import PycryptodomeGroup

_SOUNDNESS = 64
"""Bits: a batch with an element outside the subgroup passes with probability 2⁻⁶⁴ at most."""


class EdwardsGroup(PycryptodomeGroup):
    """The subgroup of prime order of an Edwards curve over a field of p elements, written as RFC 8032 writes it.

    cofactor: h, a power of two. coordinate_length: bytes of a coordinate.
    """

    byteorder: Literal["big", "little"] = "little"

    cofactor: int
    coordinate_length: int

    _p: int
    _proof_in_additions: int  # what a proof of one element costs, by measurement

    def __init__(self, curve: str, generator: tuple[int, int], library: Libcrypto | None) -> None:
        super().__init__(curve, generator, library)
        self._cofactor_inverse = pow(self.cofactor, -1, self.order)
        # what `eddsa.import_public_key` calls, without its detour over affine coordinates; private, so not relied on
        self._decode_point = getattr(EccPoint, "_decode_eddsa", _import_point)

    def decode(self, data: bytes, y: bytes | None = None, *, prove: bool = True) -> Element:
        """Read y, little-endian and below p, with the sign of x in the top bit (RFC 8032, 5.1.3 and 5.2.3)."""
        if y is not None:
            return self._decode_with_quotient(data, y)
        point = self._decode_any(data)
        if prove and not self._is_member(point):
            raise self._not_a_member()
        return Element(point)

    def _decode_any(self, data: bytes) -> EccPoint:
        """Read a point of the whole curve but the identity."""
        if len(data) == self.element_length:
            top = 1 << 8 * self.element_length - 1
            ordinate = int.from_bytes(data, "little") & ~top
            if ordinate == 1:
                raise InvalidIdentityElement(f"the identity of {self.name} is not accepted")
            if ordinate < self._p:
                try:
                    return self._decode_point(data, self._curve)
                except ValueError:
                    pass
        raise MalformedElement(f"not a point of {self.name} in its one form")

    def _decode_with_quotient(self, data: bytes, quotient: bytes) -> Element:
        """Read P, given P/h: multiply that by h and compare encodings."""
        point = self._point(quotient)
        for _ in range(self.cofactor.bit_length() - 1):
            point.double()
        element = Element(point)
        if self.is_identity(element) or self.encode(element) != data:
            raise MalformedElement(f"what came beside the {self.name} point does not belong to it")
        return element

    def _point(self, coordinates: bytes) -> EccPoint:
        """Read affine x and y, little-endian."""
        length = self.coordinate_length
        x, y = (int.from_bytes(part, "little") for part in (coordinates[:length], coordinates[length:]))
        if len(coordinates) == 2 * length and x < self._p and y < self._p:
            try:
                return EccPoint(x, y, self._curve)  # checks that it is on the curve
            except ValueError:
                pass
        raise MalformedElement(f"not the coordinates of a point of {self.name}")

    def encode(self, element: Element) -> bytes:
        """Write y, with the sign of x."""
        x, y = self._affine(element)
        return (y | (x & 1) << 8 * self.element_length - 1).to_bytes(self.element_length, "little")

    def y_coordinate(self, element: Element) -> bytes:
        """Return what shows the reader that the element is in the subgroup: affine x and y of its h-th part."""
        if self.is_identity(element):
            raise InvalidIdentityElement(f"the identity of {self.name} has no encoding")
        return self._coordinates(self._multiply(element.handle, self._cofactor_inverse))

    def _coordinates(self, point: EccPoint) -> bytes:
        return b"".join(int(value).to_bytes(self.coordinate_length, "little") for value in point.xy)

    def prove_membership(self, elements: Sequence[Element]) -> None:
        """Check that all elements are in the subgroup of prime order. Raises `InvalidNonPrimeOrderElement`.

        Many are added up in 2ᵇ buckets, each in a random one, and all buckets but the first are checked; that
        is repeated until rounds·b is `_SOUNDNESS`. Let one element be outside and all others placed already:
        then at most one choice of its bucket leaves every checked one in the subgroup, so a round fails to see
        it with probability 2⁻ᵇ at most.
        """
        bits = self._bucket_bits(len(elements))
        if bits == 0:
            if not all(self._is_member(element.handle) for element in elements):
                raise self._not_a_member()
            return
        mask = (1 << bits) - 1
        for _ in range(-(-_SOUNDNESS // bits)):
            buckets = [self._identity.copy() for _ in range(mask + 1)]
            for element, choice in zip(elements, os.urandom(len(elements)), strict=True):
                buckets[choice & mask] += element.handle
            if not all(self._is_member(bucket) for bucket in buckets[1:]):
                raise self._not_a_member()

    def _bucket_bits(self, count: int) -> int:
        """Choose the b that costs least; 0 for one proof an element."""

        def cost(bits: int) -> int:
            return -(-_SOUNDNESS // bits) * (count + (self._proof_in_additions << bits))

        best = min(range(1, 9), key=cost)  # up to 8, since a random byte chooses
        return best if cost(best) < self._proof_in_additions * count else 0

    def _is_member(self, point: EccPoint) -> bool:
        """Say whether L·P = 0."""
        return bool(point * self._order == self._identity)  # type: ignore[operator]

    def _not_a_member(self) -> InvalidNonPrimeOrderElement:
        return InvalidNonPrimeOrderElement(f"a point of {self.name} is not in the subgroup of prime order")


def _import_point(data: bytes, curve: str) -> EccPoint:
    return eddsa.import_public_key(data).pointQ


class Ed25519(EdwardsGroup):
    """The `Group` edwards25519 (RFC 8032, section 5.1)."""

    name = "Ed25519"
    many = 20
    order = 2**252 + 27742317777372353535851937790883648493
    scalar_length = 32
    element_length = 32
    y_length = 64

    cofactor = 8
    coordinate_length = 32

    _p = 2**255 - 19
    _proof_in_additions = 60

    def __init__(self, library: Libcrypto | None = None) -> None:
        x = 0x216936D3CD6E53FEC0A4E231FDD6DC5C692CC7609525A7B2C9562D608F25D51A
        y = 0x6666666666666666666666666666666666666666666666666666666666666658
        super().__init__("Ed25519", (x, y), library)
        try:
            self._x25519 = X25519PrivateKey.from_private_bytes((5 * self.order - 1).to_bytes(32, "little"))
        except UnsupportedAlgorithm:  # a cryptography that is limited to FIPS 140
            self._is_member = super()._is_member  # type: ignore[method-assign]

    def _is_member(self, point: EccPoint) -> bool:
        """Say whether P is in the subgroup, by k·P = ±P for k = 5L - 1.

        That k is a multiple of 8 between 2²⁵⁴ and 2²⁵⁵, just what X25519 takes as a private key (RFC 7748,
        section 5) on the Montgomery curve, where u = (1 + y)/(1 - y). With P = Q + T, Q in the subgroup and T of
        order 1, 2, 4 or 8, k·P = -Q: its u is that of P if and only if T = 0.
        """
        _, y = map(int, point.xy)
        if y == 1:  # the identity
            return True
        u = (1 + y) * pow(1 - y, -1, self._p) % self._p
        encoded = u.to_bytes(32, "little")
        try:
            return self._x25519.exchange(X25519PublicKey.from_public_bytes(encoded)) == encoded
        except ValueError:  # k·P = 0: of small order
            return False


class Ed448(EdwardsGroup):
    """The `Group` edwards448 (RFC 8032, section 5.2). A scalar's last byte is always 0."""

    name = "Ed448"
    many = 80
    order = 2**446 - 13818066809895115352007386748515426880336692474882178609894547503885
    scalar_length = 57
    element_length = 57
    y_length = 112

    cofactor = 4
    coordinate_length = 56

    _p = 2**448 - 2**224 - 1
    _proof_in_additions = 150

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
        super().__init__("Ed448", (x, y), library)
