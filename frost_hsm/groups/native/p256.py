"""P-256 on libcrypto, but that the native library takes the square roots, which is most of reading points."""

from __future__ import annotations

from ctypes import c_char

from frost_hsm.errors import MalformedElement
from frost_hsm.groups import Element
from frost_hsm.groups.libcrypto import Libcrypto
from frost_hsm.groups.native.library import MALFORMED, Library
from frost_hsm.groups.openssl import P256Libcrypto


class P256(P256Libcrypto):
    """The `Group` P-256. What computes with secrets is libcrypto alone."""

    def __init__(self, libcrypto: Libcrypto, library: Library) -> None:
        super().__init__(libcrypto)
        self.backend += f"; square roots by the native library ({library.path})"
        self._ordinates = library.p256_ordinates
        self._ordinate = c_char * self.y_length

    def decode(self, data: bytes, y: bytes | None = None, *, prove: bool = True) -> Element:
        """Read 33 bytes (SEC 1, compressed); libcrypto checks that the point is on the curve, in any case."""
        if y is None and len(data) == self.element_length and data[0] in (2, 3):
            ordinate = self._ordinate()
            status = self._ordinates(ordinate, self.y_length, data, len(data))
            if status == MALFORMED:
                raise MalformedElement(f"not a compressed point of {self.name}")
            if status:
                raise RuntimeError(f"the native library failed with status {status}")
            y = ordinate.raw
        return super().decode(data, y)
