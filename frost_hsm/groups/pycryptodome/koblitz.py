"""secp256k1 on libcrypto and pycryptodome, each for what it is faster at.

libcrypto reads, writes and adds points, and adds up many products. For single products it has nothing faster than its
code for any curve, which takes several times as long as pycryptodome's.
"""

from __future__ import annotations

from collections.abc import Sequence

from frost_hsm.groups import Element, SecretScalar
from frost_hsm.groups.libcrypto import Libcrypto
from frost_hsm.groups.libcrypto.curves import UNCOMPRESSED, LibcryptoCurve
from frost_hsm.groups.pycryptodome.weierstrass import Secp256k1

_MANY = 5  # products from which on libcrypto is faster, by measurement


class Secp256k1Libcrypto(LibcryptoCurve):
    """The `Group` secp256k1 on one libcrypto, with products by pycryptodome."""

    product_in_additions = 60

    def __init__(self, library: Libcrypto, *, points_mul: bool = True) -> None:
        super().__init__(library, "secp256k1", 714, Secp256k1.order, points_mul=points_mul)  # NID_secp256k1
        self._multiplier = Secp256k1(library)
        self.backend = self._multiplier.backend

    def multiply_base(self, scalar: SecretScalar) -> Element:
        """Compute scalar·G in constant time."""
        return self._take(self._multiplier.multiply_base(scalar))

    def combine_base(self, a: int, b: int, element: Element) -> Element:
        """Compute a·G + b·element."""
        return self._take(self._multiplier.combine_base(a, b, self._give(element)))

    def sum_products(self, scalars: Sequence[int], elements: Sequence[Element]) -> Element:
        """Compute the sum of scalars[k]·elements[k]."""
        if len(elements) >= _MANY and self._points_mul is not None:
            return super().sum_products(scalars, elements)
        return self._take(self._multiplier.sum_products(scalars, [self._give(element) for element in elements]))

    def _give(self, element: Element) -> Element:
        """Make pycryptodome's point of libcrypto's."""
        if self.is_identity(element):
            return self._multiplier.identity()
        data = self._octets(element, UNCOMPRESSED, 65)
        return self._multiplier.at(int.from_bytes(data[1:33], "big"), int.from_bytes(data[33:], "big"))

    def _take(self, element: Element) -> Element:
        """Make libcrypto's point of pycryptodome's."""
        if self._multiplier.is_identity(element):
            return self.identity()
        x, y = self._multiplier.affine(element)
        return self._read_octets(b"\4" + x.to_bytes(32, "big") + y.to_bytes(32, "big"))
