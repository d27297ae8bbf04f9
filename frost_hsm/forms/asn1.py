"""How structures stand in DER: a class lists the forms of its fields, in order, as its ASN.1 does.

So what is written and what is read cannot differ, and a new structure is a list.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final, Generic, Self, TypeVar

from frost_hsm.errors import ForeignMessage, MalformedMessage, UsageProblem
from frost_hsm.forms import der

VERSION: Final = 2

T = TypeVar("T")
A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Form(Generic[T]):
    """How one value is written, as an element with this tag, and read."""

    tag: int
    write: Callable[[T], bytes]
    read: Callable[[der.Reader], T]


OCTETS: Final = Form(der.OCTET_STRING, der.octet_string, der.Reader.octet_string)
NUMBER: Final[Form[int]] = Form(der.INTEGER, der.integer, der.Reader.integer)
TEXT: Final = Form(der.UTF8_STRING, der.utf8_string, der.Reader.utf8_string)
CLOSED: Final[Form[bytes]] = Form(der.SEQUENCE, lambda whole: whole, lambda reader: reader.whole(der.SEQUENCE))
"""A SEQUENCE that is for somebody else to take apart."""


def null(value: T) -> Form[T]:
    """NULL, which stands for one value."""

    def read(reader: der.Reader) -> T:
        reader.contents(der.NULL)
        return value

    return Form(der.NULL, lambda _: der.element(der.NULL), read)


def many(form: Form[T], most: int) -> Form[tuple[T, ...]]:
    """SEQUENCE OF. Of more than ``most``, no more is read than shows it; the structure refuses them."""

    def read(reader: der.Reader) -> tuple[T, ...]:
        inner = reader.sequence()
        values: list[T] = []
        while inner.more() and len(values) <= most:
            values.append(form.read(inner))
        return tuple(values)

    return Form(der.SEQUENCE, lambda values: der.sequence(*map(form.write, values)), read)


def optional(number: int, form: Form[T], absent: A) -> Form[T | A]:
    """``[number] IMPLICIT ... OPTIONAL``; left out for the value ``absent``."""
    tag = der.context(number, constructed=form.tag == der.SEQUENCE)

    def write(value: Any) -> bytes:
        return b"" if value == absent else bytes((tag,)) + form.write(value)[1:]

    def read(reader: der.Reader) -> T | A:
        if not reader.has(tag):
            return absent
        return form.read(der.Reader(der.element(form.tag, reader.contents(tag)), "an optional field"))

    return Form(tag, write, read)


@dataclass(frozen=True, slots=True)
class Structure:
    """SEQUENCE { version INTEGER, and each field of the dataclass in its form }.

    version: 2 but where a class says otherwise. title: what it is called, in sentences after "a". asn1: one form for
    each field. What a class cannot be made of raises `UsageProblem`; the same in what is read is `MalformedMessage`.
    """

    version: ClassVar[int] = VERSION
    title: ClassVar[str]
    asn1: ClassVar[tuple[Form[Any], ...]]

    def encode(self) -> bytes:
        """Encode in DER."""
        values = [getattr(self, each.name) for each in fields(self)]
        written = (form.write(value) for form, value in zip(self.asn1, values, strict=True))
        return der.sequence(der.integer(self.version), *written)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote, certificates verified; raises `MalformedMessage` for anything else.

        Raises `ForeignMessage` for a version that is not known here.
        """
        what = f"a {cls.title}"
        reader = der.Reader(data, what).sequence()
        if (version := reader.integer()) != cls.version:
            raise ForeignMessage(
                f"{what} is of version {version}, and this program knows version {cls.version}",
                hint="one of you has to update frost-hsm",
            )
        make: Callable[..., Self] = cls
        try:
            structure = make(*(form.read(reader) for form in cls.asn1))
        except UsageProblem as error:
            raise MalformedMessage(f"{what} is malformed: {error}") from None
        der.require_same(structure.encode(), data, what)
        return structure
