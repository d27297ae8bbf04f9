"""How the fields of packages are written and read: one class for each kind of field, both encodings in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from frost_hsm.errors import DeserializationError, MalformedElement
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.encoding.json_text import Node, as_bytes, as_integer, as_list, as_map, as_secret, quoted_hex
from frost_hsm.frost.encoding.postcard import Reader, varint
from frost_hsm.frost.values import Identifier, VerifiableSecretSharingCommitment, in_order
from frost_hsm.secret import Secret

Parts = list[bytes | Secret]
"""An encoding under construction."""

_U16 = (1 << 16) - 1


class Codec(Protocol):
    """How one kind of field is written and read, in both encodings."""

    def write(self, value: Any, parts: Parts) -> None:
        """Append the postcard form."""

    def read(self, suite: Ciphersuite, reader: Reader) -> Any:
        """Read the postcard form. Raises `DeserializationError`."""

    def write_json(self, value: Any, parts: Parts) -> None:
        """Append the JSON form."""

    def read_json(self, suite: Ciphersuite, node: Node) -> Any:
        """Read the JSON form. Raises `DeserializationError`."""


class Fixed:
    """A value of `values`: its bytes as they are, or after their length; in JSON, hex."""

    def __init__(self, kind: Any, *, counted: bool = False) -> None:
        self._kind = kind
        self._counted = counted

    def write(self, value: Any, parts: Parts) -> None:
        data = value.serialize()
        if self._counted:
            parts.append(varint(len(data)))
        parts.append(data)

    def read(self, suite: Ciphersuite, reader: Reader) -> Any:
        length = self._kind.encoded_length(suite)
        if self._counted and reader.count() != length:
            raise DeserializationError(f"the length is not {length}")
        view = reader.take(length)
        if self._kind.is_secret:
            with Secret(view) as secret:
                return self._kind.deserialize(suite, secret)
        return self._kind.deserialize(suite, bytes(view))

    def write_json(self, value: Any, parts: Parts) -> None:
        parts.append(quoted_hex(value.serialize()))

    def read_json(self, suite: Ciphersuite, node: Node) -> Any:
        if self._kind.is_secret:
            with as_secret(node) as secret:
                return self._kind.deserialize(suite, secret)
        return self._kind.deserialize(suite, as_bytes(node))


class Point(Fixed):
    """An element, whose y coordinate may have come beside the postcard form."""

    def read(self, suite: Ciphersuite, reader: Reader) -> Any:
        data = bytes(reader.take(suite.group.element_length))
        return self._kind.deserialize(suite, data, reader.take_y(suite.group.y_length))


class Commitment:
    """A `VerifiableSecretSharingCommitment`: a list of elements."""

    def write(self, value: VerifiableSecretSharingCommitment, parts: Parts) -> None:
        parts += (varint(len(value)), value.encoded)

    def read(self, suite: Ciphersuite, reader: Reader) -> VerifiableSecretSharingCommitment:
        length = suite.group.element_length
        count = capped(reader.count(length))
        data = bytes(reader.take(count * length))
        y = reader.take_y(count * suite.group.y_length)
        if not reader.decodes:
            return VerifiableSecretSharingCommitment(suite, data, ())
        return VerifiableSecretSharingCommitment.deserialize_whole(suite, data, y)

    def write_json(self, value: VerifiableSecretSharingCommitment, parts: Parts) -> None:
        write_json_items(b"[", [[quoted_hex(encoding)] for encoding in value.encodings()], b"]", parts)

    def read_json(self, suite: Ciphersuite, node: Node) -> VerifiableSecretSharingCommitment:
        items = [as_bytes(item) for item in as_list(node)]
        length = suite.group.element_length
        if any(len(item) != length for item in items):
            raise MalformedElement(f"an element does not have {length} bytes")
        capped(len(items))
        return VerifiableSecretSharingCommitment.deserialize_whole(suite, b"".join(items))


class ListOf:
    """A list of values; returned as a tuple."""

    def __init__(self, item: Codec) -> None:
        self._item = item

    def write(self, value: Sequence[Any], parts: Parts) -> None:
        parts.append(varint(len(value)))
        for item in value:
            self._item.write(item, parts)

    def read(self, suite: Ciphersuite, reader: Reader) -> tuple[Any, ...]:
        return tuple(self._item.read(suite, reader) for _ in range(capped(reader.count())))

    def write_json(self, value: Sequence[Any], parts: Parts) -> None:
        write_json_items(b"[", [json_parts(self._item, item) for item in value], b"]", parts)

    def read_json(self, suite: Ciphersuite, node: Node) -> tuple[Any, ...]:
        return tuple(self._item.read_json(suite, item) for item in as_list(node))


class MapOf:
    """A map from `Identifier`, ascending as numbers."""

    _key = Fixed(Identifier)

    def __init__(self, item: Codec) -> None:
        self._item = item

    def write(self, value: Mapping[Identifier, Any], parts: Parts) -> None:
        parts.append(varint(len(value)))
        for identifier, item in in_order(value).items():
            self._key.write(identifier, parts)
            self._item.write(item, parts)

    def read(self, suite: Ciphersuite, reader: Reader) -> dict[Identifier, Any]:
        entries: dict[Identifier, Any] = {}
        previous = None
        for _ in range(capped(reader.count())):
            identifier = self._key.read(suite, reader)
            if previous is not None and not previous < identifier:
                raise DeserializationError("the identifiers are not in ascending order")
            entries[identifier] = self._item.read(suite, reader)
            previous = identifier
        return entries

    def write_json(self, value: Mapping[Identifier, Any], parts: Parts) -> None:
        members = [
            [quoted_hex(identifier.serialize()), b":", *json_parts(self._item, item)]
            for identifier, item in in_order(value).items()
        ]
        write_json_items(b"{", members, b"}", parts)

    def read_json(self, suite: Ciphersuite, node: Node) -> dict[Identifier, Any]:
        entries: dict[Identifier, Any] = {}
        for name, item in as_map(node).items():
            identifier = self._key.read_json(suite, memoryview(name.encode()))
            if identifier in entries:  # "0A" and "0a"
                raise DeserializationError(f"the identifier {identifier} is there twice")
            entries[identifier] = self._item.read_json(suite, item)
        return in_order(entries)


class U16:
    """A number of participants."""

    def write(self, value: int, parts: Parts) -> None:
        parts.append(varint(value))

    def read(self, suite: Ciphersuite, reader: Reader) -> int:
        return capped(reader.varint())

    def write_json(self, value: int, parts: Parts) -> None:
        parts.append(str(value).encode())

    def read_json(self, suite: Ciphersuite, node: Node) -> int:
        return capped(as_integer(node))


class Bytes:
    """Public bytes of any length."""

    def write(self, value: bytes, parts: Parts) -> None:
        parts += (varint(len(value)), value)

    def read(self, suite: Ciphersuite, reader: Reader) -> bytes:
        return bytes(reader.take(reader.count()))

    def write_json(self, value: bytes, parts: Parts) -> None:
        parts.append(quoted_hex(value))

    def read_json(self, suite: Ciphersuite, node: Node) -> bytes:
        return as_bytes(node)


class OptionalTail:
    """A last field that older versions do not have: None is written as nothing at all."""

    def __init__(self, item: Codec) -> None:
        self.item = item

    def write(self, value: Any, parts: Parts) -> None:
        if value is not None:
            parts.append(b"\1")
            self.item.write(value, parts)

    def read(self, suite: Ciphersuite, reader: Reader) -> Any:
        if reader.at_end:
            return None
        if bytes(reader.take(1)) != b"\1":
            raise DeserializationError("an optional field is not in its one form")
        return self.item.read(suite, reader)

    def write_json(self, value: Any, parts: Parts) -> None:
        self.item.write_json(value, parts)

    def read_json(self, suite: Ciphersuite, node: Node) -> Any:
        return self.item.read_json(suite, node)


class Nested:
    """A package inside another: it reads and writes itself."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind

    def write(self, value: Any, parts: Parts) -> None:
        value.write(parts)

    def read(self, suite: Ciphersuite, reader: Reader) -> Any:
        return self._kind.read(suite, reader)

    def write_json(self, value: Any, parts: Parts) -> None:
        value.write_json(parts)

    def read_json(self, suite: Ciphersuite, node: Node) -> Any:
        return self._kind.read_json(suite, node)


def json_parts(codec: Codec, value: Any) -> Parts:
    """Return the JSON form of one value."""
    parts: Parts = []
    codec.write_json(value, parts)
    return parts


def write_json_items(opening: bytes, items: Sequence[Parts], closing: bytes, parts: Parts) -> None:
    """Append an array or an object, whose members are written already."""
    parts.append(opening)
    for k, item in enumerate(items):
        if k:
            parts.append(b",")
        parts += item
    parts.append(closing)


def capped(number: int) -> int:
    """Refuse what ZcashFoundation's 16-bit numbers of participants cannot be."""
    if number > _U16:
        raise DeserializationError(f"{number} is more than {_U16}")
    return number
