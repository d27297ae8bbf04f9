"""DER, as much of it as our messages need: written canonically, read strictly.

Writers return one whole element (tag, length, contents), so that a structure reads like its ASN.1. A `Reader`
walks a structure from left to right and refuses whatever DER would not write: indefinite or non-minimal
lengths, integers with needless zeros, an element that runs past its parent. Every decoder of this package
ends by encoding what it read and comparing (`require_same`), so a field too many or in another form is
refused as well.

Only tags of one byte are known, and integers are natural numbers. Source: ITU-T X.690.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NoReturn

from frost_hsm.errors import MalformedMessage

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OBJECT_IDENTIFIER: Final = 0x06
UTF8_STRING: Final = 0x0C
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31

_CONTEXT = 0x80
_CONSTRUCTED = 0x20


def context(number: int, *, constructed: bool = True) -> int:
    """Return the context-specific tag ``[number]``."""
    return _CONTEXT | (_CONSTRUCTED if constructed else 0) | number


def element(tag: int, *contents: bytes) -> bytes:
    """Encode one element of the given tag around the concatenated contents."""
    length = sum(map(len, contents))
    if length < 0x80:
        header = bytes((tag, length))
    else:
        size = length.to_bytes((length.bit_length() + 7) // 8, "big")
        header = bytes((tag, 0x80 | len(size))) + size
    return b"".join((header, *contents))


def sequence(*elements: bytes) -> bytes:
    """Encode a SEQUENCE of encoded elements."""
    return element(SEQUENCE, *elements)


def set_of(*elements: bytes) -> bytes:
    """Encode a SET OF encoded elements, in the order that DER demands."""
    return element(SET, *sorted(elements))


def integer(value: int) -> bytes:
    """Encode a natural number."""
    return element(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octet_string(value: bytes) -> bytes:
    """Encode an OCTET STRING."""
    return element(OCTET_STRING, value)


def bit_string(value: bytes, unused: int = 0) -> bytes:
    """Encode a BIT STRING whose last ``unused`` bits do not count."""
    return element(BIT_STRING, bytes((unused,)), value)


def utf8_string(value: str) -> bytes:
    """Encode a UTF8String."""
    return element(UTF8_STRING, value.encode())


@lru_cache(maxsize=128)
def oid(dotted: str) -> bytes:
    """Encode an OBJECT IDENTIFIER given in dotted form."""
    first, second, *rest = map(int, dotted.split("."))
    contents = bytearray()
    for arc in (40 * first + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(0x80 | arc & 0x7F)
        contents += bytes(reversed(groups))
    return element(OBJECT_IDENTIFIER, bytes(contents))


def algorithm(dotted: str, *parameters: bytes) -> bytes:
    """Encode an AlgorithmIdentifier, its parameters absent unless given."""
    return sequence(oid(dotted), *parameters)


def require_same(encoded: bytes, data: bytes, what: str) -> None:
    """Raise `MalformedMessage` unless encoding what was read from ``data`` gave ``data`` again."""
    if encoded != data:
        raise MalformedMessage(f"{what} is not in its one canonical form")


class Reader:
    """Reads the elements inside one stretch of DER, in order. Every method raises `MalformedMessage`.

    what: the name of the thing that is read, for the error's sentence.
    """

    __slots__ = ("_data", "_end", "_position", "_what")

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._position = 0
        self._end = len(data)
        self._what = what

    def has(self, tag: int) -> bool:
        """Tell whether an element with this tag comes next."""
        return self._position < self._end and self._data[self._position] == tag

    def more(self) -> bool:
        """Tell whether anything comes next."""
        return self._position < self._end

    def whole(self, tag: int) -> bytes:
        """Read one element and return all of it, tag and length included."""
        start = self._position
        self._next(tag)
        return self._data[start : self._position]

    def contents(self, tag: int) -> bytes:
        """Read one element and return its contents."""
        start = self._next(tag)
        return self._data[start : self._position]

    def inside(self, tag: int) -> Reader:
        """Read one element and return a reader of what is in it."""
        inner = Reader(self._data, self._what)
        inner._position = self._next(tag)
        inner._end = self._position
        return inner

    def sequence(self) -> Reader:
        """Read a SEQUENCE and return a reader of what is in it."""
        return self.inside(SEQUENCE)

    def octet_string(self) -> bytes:
        """Read an OCTET STRING."""
        return self.contents(OCTET_STRING)

    def integer(self, max_length: int = 8) -> int:
        """Read an INTEGER, which must be natural, minimal and of at most ``max_length`` bytes."""
        contents = self.contents(INTEGER)
        if len(contents) > max_length:
            self._fail("a number is too large")
        value = int.from_bytes(contents, "big")
        if len(contents) != value.bit_length() // 8 + 1:
            self._fail("a number is negative or not minimal")
        return value

    def utf8_string(self) -> str:
        """Read a UTF8String."""
        try:
            return self.contents(UTF8_STRING).decode()
        except UnicodeDecodeError:
            self._fail("a text is not UTF-8")

    def oid(self) -> str:
        """Read an OBJECT IDENTIFIER of at most 64 bytes; returns its dotted form."""
        contents = self.contents(OBJECT_IDENTIFIER)
        if not contents or len(contents) > 64 or contents[-1] & 0x80:
            self._fail("an object identifier is malformed")
        arcs: list[int] = []
        arc = 0
        for byte in contents:
            if arc == 0 and byte == 0x80:
                self._fail("an object identifier is not minimal")
            arc = arc << 7 | byte & 0x7F
            if not byte & 0x80:
                arcs.append(arc)
                arc = 0
        first = min(arcs[0] // 40, 2)
        return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))

    def skip(self) -> None:
        """Read one element of any tag, for its re-encoding to check."""
        if not self.more():
            self._fail("it ends too early")
        self._next(self._data[self._position])

    def _next(self, tag: int) -> int:
        """Step over one element; return where its contents start."""
        data, start = self._data, self._position + 2
        if start > self._end:
            self._fail("it ends too early")
        if data[start - 2] != tag:
            self._fail(f"tag {data[start - 2]:#04x} stands where {tag:#04x} should")
        length = data[start - 1]
        if length >= 0x80:
            size = length - 0x80
            if not 1 <= size <= 4 or start + size > self._end:
                self._fail("a length is indefinite or too large")
            length = int.from_bytes(data[start : start + size], "big")
            if length < 0x80 or length >> (8 * size - 8) == 0:
                self._fail("a length is not minimal")
            start += size
        if start + length > self._end:
            self._fail("it ends too early")
        self._position = start + length
        return start

    def _fail(self, why: str) -> NoReturn:
        raise MalformedMessage(f"{self._what} is malformed: {why}")
