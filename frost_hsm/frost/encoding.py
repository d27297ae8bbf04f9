"""ZcashFoundation's two encodings of packages, postcard and JSON, driven by one list of fields per package.

A package says what it consists of; how that is written and read is said here once. Reading accepts one form:
postcard without trailing bytes, with minimal varints and maps in ascending order; JSON without unknown, missing or
duplicate fields (in any order, maps too, and with hex digits of either case, as ZcashFoundation reads it). Writing
gives lower-case hex, fields in order, no white space.

Whatever is secret is written from and read into wiped memory; a package with secrets serializes to a `Secret`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, ClassVar, Protocol, Self

from frost_hsm.errors import DeserializationError, MalformedElement
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.json_text import (
    Node,
    as_bytes,
    as_integer,
    as_list,
    as_map,
    as_secret,
    parse,
    quoted_hex,
)
from frost_hsm.frost.keeping import Redacted
from frost_hsm.frost.postcard import Reader, varint
from frost_hsm.frost.values import Identifier, VerifiableSecretSharingCommitment
from frost_hsm.secret import Secret

Parts = list[bytes | Secret]
"""An encoding under construction."""

MAX_LENGTH = 32 << 20
"""Bytes of the longest input that is looked at; the longest package without a message, n = 65535, has a fifth."""

_VERSION = 0
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
        count = _capped(reader.count(length))
        data = bytes(reader.take(count * length))
        y = reader.take_y(count * suite.group.y_length)
        return VerifiableSecretSharingCommitment.deserialize_whole(suite, data, y)

    def write_json(self, value: VerifiableSecretSharingCommitment, parts: Parts) -> None:
        length = value.ciphersuite.group.element_length
        encoded = value.encoded
        _write_json_items(
            b"[", [[quoted_hex(encoded[k : k + length])] for k in range(0, len(encoded), length)], b"]", parts
        )

    def read_json(self, suite: Ciphersuite, node: Node) -> VerifiableSecretSharingCommitment:
        items = [as_bytes(item) for item in as_list(node)]
        length = suite.group.element_length
        if any(len(item) != length for item in items):
            raise MalformedElement(f"an element does not have {length} bytes")
        _capped(len(items))
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
        return tuple(self._item.read(suite, reader) for _ in range(_capped(reader.count())))

    def write_json(self, value: Sequence[Any], parts: Parts) -> None:
        _write_json_items(b"[", [_json(self._item, item) for item in value], b"]", parts)

    def read_json(self, suite: Ciphersuite, node: Node) -> tuple[Any, ...]:
        return tuple(self._item.read_json(suite, item) for item in as_list(node))


class MapOf:
    """A map from `Identifier`, ascending as numbers."""

    _key = Fixed(Identifier)

    def __init__(self, item: Codec) -> None:
        self._item = item

    def write(self, value: Mapping[Identifier, Any], parts: Parts) -> None:
        parts.append(varint(len(value)))
        for identifier in sorted(value):
            self._key.write(identifier, parts)
            self._item.write(value[identifier], parts)

    def read(self, suite: Ciphersuite, reader: Reader) -> dict[Identifier, Any]:
        entries: dict[Identifier, Any] = {}
        previous = None
        for _ in range(_capped(reader.count())):
            identifier = self._key.read(suite, reader)
            if previous is not None and not previous < identifier:
                raise DeserializationError("the identifiers are not in ascending order")
            entries[identifier] = self._item.read(suite, reader)
            previous = identifier
        return entries

    def write_json(self, value: Mapping[Identifier, Any], parts: Parts) -> None:
        members = [
            [quoted_hex(identifier.serialize()), b":", *_json(self._item, value[identifier])]
            for identifier in sorted(value)
        ]
        _write_json_items(b"{", members, b"}", parts)

    def read_json(self, suite: Ciphersuite, node: Node) -> dict[Identifier, Any]:
        entries: dict[Identifier, Any] = {}
        for name, item in as_map(node).items():
            identifier = self._key.read_json(suite, memoryview(name.encode()))
            if identifier in entries:  # "0A" and "0a"
                raise DeserializationError(f"the identifier {identifier} is there twice")
            entries[identifier] = self._item.read_json(suite, item)
        return dict(sorted(entries.items()))


class U16:
    """A number of participants."""

    def write(self, value: int, parts: Parts) -> None:
        parts.append(varint(value))

    def read(self, suite: Ciphersuite, reader: Reader) -> int:
        return _capped(reader.varint())

    def write_json(self, value: int, parts: Parts) -> None:
        parts.append(str(value).encode())

    def read_json(self, suite: Ciphersuite, node: Node) -> int:
        return _capped(as_integer(node))


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
        if reader.take(1) != b"\1":
            raise DeserializationError("an optional field is not in its one form")
        return self.item.read(suite, reader)

    def write_json(self, value: Any, parts: Parts) -> None:
        self.item.write_json(value, parts)

    def read_json(self, suite: Ciphersuite, node: Node) -> Any:
        return self.item.read_json(suite, node)


class Header(Enum):
    """Where a package says its version and ciphersuite."""

    BOTH = "both encodings"
    JSON = "JSON only"
    NONE = "neither"


class Package:
    """What every package is: named fields behind a header. Subclasses are what programs use.

    A subclass has the attribute ``ciphersuite`` and one for each field, and is made from those.
    """

    __slots__ = ()

    ciphersuite: Ciphersuite
    fields: ClassVar[dict[str, Codec]]
    header: ClassVar[Header] = Header.BOTH
    title: ClassVar[str]  # in messages

    def write(self, parts: Parts) -> None:
        """Append the postcard form."""
        if self.header is Header.BOTH:
            parts.append(self.ciphersuite.header)
        for name, codec in self.fields.items():
            codec.write(getattr(self, name), parts)

    def write_json(self, parts: Parts) -> None:
        """Append the JSON form."""
        members: list[Parts] = []
        if self.header is not Header.NONE:
            members.append(
                [b'"header":{"version":%d,"ciphersuite":"%s"}' % (_VERSION, self.ciphersuite.id.encode())]
            )
        for name, codec in self.fields.items():
            value = getattr(self, name)
            if value is not None:
                members.append([b'"%s":' % name.encode(), *_json(codec, value)])
        _write_json_items(b"{", members, b"}", parts)

    @classmethod
    def read(cls, suite: Ciphersuite, reader: Reader) -> Self:
        """Read the postcard form. Raises `DeserializationError`."""
        if cls.header is Header.BOTH and reader.take(len(suite.header)) != suite.header:
            raise DeserializationError(f"{cls.title}: not of version {_VERSION} and ciphersuite {suite.id}")
        return cls._gather(suite, lambda name, codec: codec.read(suite, reader))

    @classmethod
    def read_json(cls, suite: Ciphersuite, node: Node) -> Self:
        """Read the JSON form. Raises `DeserializationError`."""
        members = dict(as_map(node))
        if cls.header is not Header.NONE:
            header = as_map(members.pop("header", {}))
            if header != {"version": _VERSION, "ciphersuite": suite.id.encode()}:
                raise DeserializationError(
                    f"{cls.title}: not of version {_VERSION} and ciphersuite {suite.id}"
                )
        for name in members.keys() - cls.fields.keys():
            raise DeserializationError(f'{cls.title}: unknown field "{name[:80]}"')

        def read(name: str, codec: Codec) -> Any:
            if name in members:
                return codec.read_json(suite, members[name])
            if isinstance(codec, OptionalTail):
                return None
            raise DeserializationError("missing")

        return cls._gather(suite, read)

    @classmethod
    def _gather(cls, suite: Ciphersuite, read: Callable[[str, Codec], Any]) -> Self:
        values = {}
        for name, codec in cls.fields.items():
            try:
                values[name] = read(name, codec)
            except DeserializationError as error:
                raise type(error)(f"{cls.title}: {name}: {error}") from None
        return cls(ciphersuite=suite, **values)  # type: ignore[call-arg]  # a dataclass with these fields

    @classmethod
    def _deserialize(cls, suite: Ciphersuite, data: memoryview, y: bytes | None = None) -> Self:
        cls._check_size(data)
        reader = Reader(data, y)
        package = cls.read(suite, reader)
        try:
            reader.finish()
        except DeserializationError as error:
            raise DeserializationError(f"{cls.title}: {error}") from None
        return package

    @classmethod
    def _from_json(cls, suite: Ciphersuite, text: memoryview) -> Self:
        cls._check_size(text)
        return cls.read_json(suite, parse(text))

    @classmethod
    def _check_size(cls, data: memoryview) -> None:
        if len(data) > MAX_LENGTH:
            raise DeserializationError(f"{cls.title}: {len(data)} bytes are more than any package has")


class PublicPackage(Package):
    """A package that anyone may see."""

    __slots__ = ()

    def serialize(self) -> bytes:
        """Write the postcard form."""
        parts: list[Any] = []
        self.write(parts)
        return b"".join(parts)

    @classmethod
    def deserialize(cls, ciphersuite: Ciphersuite, data: bytes) -> Self:
        """Read the postcard form. Raises `DeserializationError`."""
        return cls._deserialize(ciphersuite, memoryview(data))

    def to_json(self) -> str:
        """Write the JSON form."""
        parts: list[Any] = []
        self.write_json(parts)
        return b"".join(parts).decode()

    @classmethod
    def from_json(cls, ciphersuite: Ciphersuite, text: str | bytes) -> Self:
        """Read the JSON form. Raises `DeserializationError`."""
        data = text.encode(errors="replace") if isinstance(text, str) else text
        return cls._from_json(ciphersuite, memoryview(data))


class SecretPackage(Package, Redacted):
    """A package that holds secrets: its encodings are `Secret`."""

    __slots__ = ()

    def serialize(self) -> Secret:
        """Write the postcard form. Raises `SecretConsumed`."""
        parts: Parts = []
        self.write(parts)
        return Secret.join(*parts)

    @classmethod
    def deserialize(cls, ciphersuite: Ciphersuite, data: Secret) -> Self:
        """Read the postcard form. Raises `DeserializationError`."""
        with data.reveal() as view:
            return cls._deserialize(ciphersuite, view)

    def to_json(self) -> Secret:
        """Write the JSON form, in UTF-8. Raises `SecretConsumed`."""
        parts: Parts = []
        self.write_json(parts)
        return Secret.join(*parts)

    @classmethod
    def from_json(cls, ciphersuite: Ciphersuite, text: Secret) -> Self:
        """Read the JSON form, in UTF-8. Raises `DeserializationError`."""
        with text.reveal() as view:
            return cls._from_json(ciphersuite, view)


class Nested:
    """A package inside another."""

    def __init__(self, kind: type[Package]) -> None:
        self._kind = kind

    def write(self, value: Package, parts: Parts) -> None:
        value.write(parts)

    def read(self, suite: Ciphersuite, reader: Reader) -> Package:
        return self._kind.read(suite, reader)

    def write_json(self, value: Package, parts: Parts) -> None:
        value.write_json(parts)

    def read_json(self, suite: Ciphersuite, node: Node) -> Package:
        return self._kind.read_json(suite, node)


def _json(codec: Codec, value: Any) -> Parts:
    parts: Parts = []
    codec.write_json(value, parts)
    return parts


def _write_json_items(opening: bytes, items: Sequence[Parts], closing: bytes, parts: Parts) -> None:
    parts.append(opening)
    for k, item in enumerate(items):
        if k:
            parts.append(b",")
        parts += item
    parts.append(closing)


def _capped(number: int) -> int:
    """Refuse what ZcashFoundation's 16-bit numbers of participants cannot be."""
    if number > _U16:
        raise DeserializationError(f"{number} is more than {_U16}")
    return number
