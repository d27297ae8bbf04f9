"""Reading and writing the few forms of postcard that ZcashFoundation's packages use.

Wire format: https://postcard.jamesmunns.com/wire-format (``u8`` raw, wider integers and counts as LEB128
varints, everything else without names or padding).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from frost_hsm.errors import DeserializationError
from frost_hsm.groups import Element

_VARINT_BYTES = 5  # 32 bits: more than any count here


class Reader:
    """A cursor over one encoding, and over the y coordinates that came beside it, if any did.

    decodes: False where the caller decodes the entries of commitments, many at once. known: elements that were read or
    made before, by their encodings.
    """

    def __init__(
        self,
        data: memoryview,
        y: bytes | None = None,
        *,
        decodes: bool = True,
        known: Mapping[bytes, Element] = MappingProxyType({}),
    ) -> None:
        self._rest = data
        self._y = y
        self.decodes = decodes
        self.known = known

    def take(self, length: int) -> memoryview:
        """Take the next bytes. Raises `DeserializationError` if there are too few."""
        if length > len(self._rest):
            raise DeserializationError("it ends too early")
        taken, self._rest = self._rest[:length], self._rest[length:]
        return taken

    def varint(self) -> int:
        """Take an integer, which must be in its shortest form. Raises `DeserializationError`."""
        value = 0
        for shift in range(0, 7 * _VARINT_BYTES, 7):
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0 and shift:
                    raise DeserializationError("an integer is not in its shortest form")
                return value
        raise DeserializationError("an integer is too large")

    def count(self, item_length: int = 1) -> int:
        """Take a count of items, which must fit into what is left. Raises `DeserializationError`."""
        count = self.varint()
        if count * item_length > len(self._rest):
            raise DeserializationError("it ends too early")
        return count

    def take_y(self, length: int) -> bytes | None:
        """Take the next y coordinates, or None where none came. Raises `DeserializationError`."""
        if self._y is None:
            return None
        if length > len(self._y):
            raise DeserializationError("there are too few y coordinates")
        taken, self._y = self._y[:length], self._y[length:]
        return taken

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        return not self._rest

    def finish(self) -> None:
        """Raise `DeserializationError` if anything is left."""
        if self._rest:
            raise DeserializationError(f"{len(self._rest)} bytes are left over at its end")
        if self._y:
            raise DeserializationError("there are too many y coordinates")


def varint(value: int) -> bytes:
    """Write an integer in its shortest form."""
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)
