"""Reading JSON in place: strings come as views into the text, so that a secret in hex is never copied.

Only what ZcashFoundation's packages use is known: objects, arrays, strings without escapes, small integers.
"""

from __future__ import annotations

import re

from frost_hsm.errors import DeserializationError
from frost_hsm.secret import Secret

Node = dict[str, "Node"] | list["Node"] | memoryview | int
"""A parsed value: object, array, string (the bytes between its quotes) or integer."""

_TOKEN = re.compile(rb'[ \t\n\r]*+(?:([{}\[\]:,])|"([ !#-\[\]-~]*+)"|(0|[1-9][0-9]{0,4}+)(?![0-9.eE]))')
_BLANK = re.compile(rb"[ \t\n\r]*+")
_DEPTH = 8
_MOST = 1 << 21  # tokens: above what a signing package of 65535 signers has
_DIGITS = b"0123456789abcdef"
_NIBBLES = bytes(int(chr(c), 16) if chr(c) in "0123456789abcdefABCDEF" else 0xFF for c in range(256))


def parse(text: memoryview) -> Node:
    """Parse one JSON value. Raises `DeserializationError` for anything else, duplicate names included."""
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: memoryview) -> None:
        self._text = text
        self._at = 0
        self._left = _MOST

    def whole(self) -> Node:
        node = self._value(self._next(), _DEPTH)
        blank = _BLANK.match(self._text, self._at)
        if blank is None or blank.end() != len(self._text):
            raise self._unexpected()
        return node

    def _next(self) -> Node | str:
        """Take the next token: punctuation as ``str``, everything else as a node."""
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            raise self._unexpected()
        self._left -= 1
        if self._left < 0:
            raise DeserializationError("more JSON than any package has")
        self._at = match.end()
        start, end = match.span(match.lastindex or 0)
        if match.lastindex == 1:
            return chr(self._text[start])
        if match.lastindex == 2:
            return self._text[start:end]
        return int(bytes(self._text[start:end]))

    def _value(self, symbol: Node | str, depth: int) -> Node:
        if not isinstance(symbol, str):
            return symbol
        if depth == 0:
            raise DeserializationError("JSON nested too deeply")
        if symbol == "{":
            return self._object(depth - 1)
        if symbol == "[":
            return self._array(depth - 1)
        raise self._unexpected()

    def _object(self, depth: int) -> dict[str, Node]:
        members: dict[str, Node] = {}
        symbol = self._next()
        if symbol == "}":
            return members
        while True:
            if not isinstance(symbol, memoryview):
                raise self._unexpected()
            name = str(symbol, "ascii")  # the names of fields and identifiers, never a secret
            if name in members:
                raise DeserializationError(f'the JSON field "{name[:80]}" is there twice')
            self._expect(":")
            members[name] = self._value(self._next(), depth)
            if not self._goes_on("}"):
                return members
            symbol = self._next()

    def _array(self, depth: int) -> list[Node]:
        items: list[Node] = []
        symbol = self._next()
        if symbol == "]":
            return items
        while True:
            items.append(self._value(symbol, depth))
            if not self._goes_on("]"):
                return items
            symbol = self._next()

    def _expect(self, punctuation: str) -> None:
        if self._next() != punctuation:
            raise self._unexpected()

    def _goes_on(self, end: str) -> bool:
        symbol = self._next()
        if symbol == ",":
            return True
        if symbol == end:
            return False
        raise self._unexpected()

    def _unexpected(self) -> DeserializationError:
        return DeserializationError(f"not the JSON of a package, near byte {self._at}")


def as_map(node: Node) -> dict[str, Node]:
    """Return an object. Raises `DeserializationError` if it is none."""
    if not isinstance(node, dict):
        raise DeserializationError("not a JSON object")
    return node


def as_list(node: Node) -> list[Node]:
    """Return an array. Raises `DeserializationError` if it is none."""
    if not isinstance(node, list):
        raise DeserializationError("not a JSON array")
    return node


def as_integer(node: Node) -> int:
    """Return an integer. Raises `DeserializationError` if it is none."""
    if not isinstance(node, int):
        raise DeserializationError("not a JSON integer")
    return node


def as_text(node: Node) -> str:
    """Return a public string. Raises `DeserializationError` if it is none."""
    if not isinstance(node, memoryview):
        raise DeserializationError("not a JSON string")
    return str(node, "ascii")


def as_bytes(node: Node) -> bytes:
    """Return the public bytes of a string of hex digits. Raises `DeserializationError`."""
    text = as_text(node)
    try:
        if " " not in text:  # which bytes.fromhex would skip
            return bytes.fromhex(text)
    except ValueError:
        pass
    raise DeserializationError("not a string of hex digits")


def as_secret(node: Node) -> Secret:
    """Return the secret bytes of a string of hex digits, without a copy. Raises `DeserializationError`."""
    if not isinstance(node, memoryview) or len(node) % 2:
        raise DeserializationError("not a string of hex digits")
    secret = Secret.zeros(len(node) // 2)
    with secret.reveal() as view:
        for k in range(len(view)):
            high, low = _NIBBLES[node[2 * k]], _NIBBLES[node[2 * k + 1]]
            if high | low > 0xF:
                raise DeserializationError("not a string of hex digits")
            view[k] = high << 4 | low
    return secret


def quoted_hex(data: bytes | Secret) -> bytes | Secret:
    """Write bytes as a JSON string of lower-case hex digits: secret if they are."""
    if isinstance(data, bytes):
        return b'"' + data.hex().encode() + b'"'
    text = Secret.zeros(2 * len(data) + 2)
    with text.reveal() as target, data.reveal() as source:
        target[0] = target[-1] = ord('"')
        for k, byte in enumerate(source):
            target[2 * k + 1], target[2 * k + 2] = _DIGITS[byte >> 4], _DIGITS[byte & 0xF]
    return text
