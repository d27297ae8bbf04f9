"""ZcashFoundation's two encodings of packages, postcard and JSON, driven by one list of fields per package.

A package says what it consists of; how that is written and read is said here once. Reading accepts one form:
postcard without trailing bytes, with minimal varints and maps in ascending order; JSON without unknown,
missing or duplicate fields (in any order, maps too, and with hex digits of either case, as ZcashFoundation
reads it). Writing gives lower-case hex, fields in order, no white space.

Whatever is secret is written from and read into wiped memory; a package with secrets serializes to a
`Secret`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, ClassVar, Self

from frost_hsm.errors import DeserializationError
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.encoding.codecs import Codec, OptionalTail, Parts, json_parts, write_json_items
from frost_hsm.frost.encoding.json_text import Node, as_map, parse
from frost_hsm.frost.encoding.postcard import Reader
from frost_hsm.groups import Element
from frost_hsm.secret import Redacted, Secret

MAX_LENGTH = 32 << 20
"""Bytes of the longest input that is looked at; the longest package without a message, n = 65535, has a
fifth.
"""

_VERSION = 0


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
            members.append([b'"header":{"version":%d,"ciphersuite":"%s"}' % (_VERSION, self.ciphersuite.id.encode())])
        for name, codec in self.fields.items():
            value = getattr(self, name)
            if value is not None:
                members.append([b'"%s":' % name.encode(), *json_parts(codec, value)])
        write_json_items(b"{", members, b"}", parts)

    @classmethod
    def read(cls, suite: Ciphersuite, reader: Reader) -> Self:
        """Read the postcard form. Raises `DeserializationError`."""
        if cls.header is Header.BOTH and reader.take(len(suite.header)) != suite.header:
            raise DeserializationError(f"not of version {_VERSION} and ciphersuite {suite.id}")
        return cls._gather(suite, lambda name, codec: codec.read(suite, reader))

    @classmethod
    def read_json(cls, suite: Ciphersuite, node: Node) -> Self:
        """Read the JSON form. Raises `DeserializationError`."""
        members = dict(as_map(node))
        if cls.header is not Header.NONE:
            header = as_map(members.pop("header", {}))
            if header != {"version": _VERSION, "ciphersuite": suite.id.encode()}:
                raise DeserializationError(f"not of version {_VERSION} and ciphersuite {suite.id}")
        for name in members.keys() - cls.fields.keys():
            raise DeserializationError(f'unknown field "{name[:80]}"')

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
                raise type(error)(f"{name}: {error}") from None
        return cls(ciphersuite=suite, **values)  # type: ignore[call-arg]  # a dataclass with these fields

    @classmethod
    def _deserialize(
        cls,
        suite: Ciphersuite,
        data: memoryview,
        y: bytes | None = None,
        *,
        decodes: bool = True,
        known: Mapping[bytes, Element] = MappingProxyType({}),
    ) -> Self:
        try:
            reader = Reader(cls._capped(data), y, decodes=decodes, known=known)
            package = cls.read(suite, reader)
            reader.finish()
            return package
        except DeserializationError as error:
            raise cls._named(error) from None

    @classmethod
    def _from_json(cls, suite: Ciphersuite, text: memoryview) -> Self:
        try:
            return cls.read_json(suite, parse(cls._capped(text)))
        except DeserializationError as error:
            raise cls._named(error) from None

    @classmethod
    def _capped(cls, data: memoryview) -> memoryview:
        if len(data) > MAX_LENGTH:
            raise DeserializationError(f"{len(data)} bytes are more than any package has")
        return data

    @classmethod
    def _named(cls, error: DeserializationError) -> DeserializationError:
        """Make an error say of what it is."""
        return type(error)(f"{cls.title}: {error}")


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
