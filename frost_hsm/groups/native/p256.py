"""P-256 on libcrypto, but that the native library takes the square roots, which is most of reading points."""

from __future__ import annotations

from ctypes import c_char

from frost_hsm.groups import Element
from frost_hsm.groups.libcrypto import Libcrypto
from frost_hsm.groups.libcrypto.curves import P256Libcrypto
from frost_hsm.groups.native.library import Library


class P256(P256Libcrypto):
    """The `Group` P-256. What computes with secrets is libcrypto alone."""

    def __init__(self, libcrypto: Libcrypto, library: Library) -> None:
        super().__init__(libcrypto)
        self.backend += f"; square roots by the native library ({library.path})"
        self._ordinates = library.p256_ordinates

    def decode(self, data: bytes, y: bytes | None = None, *, prove: bool = True) -> Element:
        """Read 33 bytes (SEC 1, compressed); libcrypto checks that the point is on the curve, in any case."""
        return super().decode(data, self._solve(data) if y is None and len(data) == self.element_length else y)

    def decode_all(self, data: bytes, y: bytes | None = None, *, prove: bool = True) -> list[Element]:
        """Read elements that follow each other."""
        return super().decode_all(data, self._solve(data) if y is None else y)

    def _solve(self, data: bytes) -> bytes | None:
        """Compute the y of all points; None if one has none: libcrypto will say what is wrong."""
        length = len(data) // self.element_length * self.y_length
        y = (c_char * length)()
        return y.raw if self._ordinates(y, length, data, len(data)) == 0 else None
