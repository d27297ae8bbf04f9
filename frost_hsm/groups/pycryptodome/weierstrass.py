"""secp256k1, and P-256 where no libcrypto serves: the curves y² = x³ + ax + b, on pycryptodome."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from Crypto.PublicKey.ECC import EccPoint  # type: ignore[attr-defined]  # documented there

from frost_hsm.errors import InvalidIdentityElement, MalformedElement
from frost_hsm.groups import Element
from frost_hsm.groups.libcrypto import Libcrypto
from frost_hsm.groups.powers import power
from frost_hsm.groups.pycryptodome.curves import PycryptodomeGroup


class WeierstrassGroup(PycryptodomeGroup):
    """A `Group` of prime order over a field of p elements, p = 3 mod 4 and of 256 bits."""

    scalar_length = 32
    byteorder: Literal["big", "little"] = "big"
    element_length = 33
    y_length = 32
    product_in_additions = 60

    _p: int
    _a: int
    _b: int

    def __init__(self, curve: str, generator: tuple[int, int], library: Libcrypto | None) -> None:
        super().__init__(curve, generator, library)
        self._square_root = power((self._p + 1) // 4, self._p, library)  # as p = 3 mod 4

    def decode(self, data: bytes, y: bytes | None = None, *, prove: bool = True) -> Element:
        """Read 33 bytes, 02 or 03 and x below p (SEC 1, compressed)."""
        if len(data) != 33 or data[0] not in (2, 3):
            if not any(data):
                raise InvalidIdentityElement(f"the identity of {self.name} is not accepted")
            raise MalformedElement(f"not a compressed point of {self.name}")
        x = int.from_bytes(data[1:], "big")
        if y is None:
            ordinate = self._ordinate(x, odd=data[0] & 1)
        elif len(y) == 32 and y[31] & 1 == data[0] & 1:
            ordinate = int.from_bytes(y, "big")
        else:
            raise MalformedElement(f"the y coordinate is not that of the {self.name} point")
        return self.at(x, ordinate)

    def at(self, x: int, y: int) -> Element:
        """Return the element with these coordinates. Raises `MalformedElement`."""
        try:
            if x < self._p and 0 < y < self._p:  # (0, 0) is pycryptodome's point at infinity
                return Element(EccPoint(x, y, self._curve))  # checks that it is on the curve
        except ValueError:
            pass
        raise MalformedElement(f"not a point of {self.name}")

    def _ordinate(self, x: int, *, odd: int) -> int:
        """Solve y² = x³ + ax + b, assuming that there is a solution."""
        root = self._square_root((x * x * x + self._a * x + self._b) % self._p)
        return root if root & 1 == odd else self._p - root

    def prove_membership(self, elements: Iterable[Element], encodings: Iterable[bytes]) -> None:
        """Return: every point of the curve is in the group."""

    def encode(self, element: Element) -> bytes:
        """Write 33 bytes (SEC 1, compressed)."""
        x, y = self.affine(element)
        return bytes((2 | y & 1,)) + x.to_bytes(32, "big")

    def y_coordinate(self, element: Element) -> bytes:
        """Return the affine y, 32 bytes big-endian."""
        return self.affine(element)[1].to_bytes(32, "big")


class P256Pycryptodome(WeierstrassGroup):
    """The `Group` P-256 (SP 800-186, section 3.2.1.3)."""

    name = "P-256"
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

    _p = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
    _a = -3
    _b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B

    def __init__(self, library: Libcrypto | None = None) -> None:
        x = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
        y = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5
        super().__init__("P-256", (x, y), library)


class Secp256k1(WeierstrassGroup):
    """The `Group` secp256k1 (SEC 2, section 2.4.1)."""

    name = "secp256k1"
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

    _p = 2**256 - 2**32 - 977
    _a = 0
    _b = 7

    def __init__(self, library: Libcrypto | None = None) -> None:
        x = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798
        y = 0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8
        super().__init__("secp256k1", (x, y), library)
