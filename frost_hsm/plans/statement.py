"""What one participant's machine states at the end of a ceremony: a file in JSON, in one form."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from frost_hsm.ceremony.people.names import NAME
from frost_hsm.errors import MalformedMessage, NotPossible
from frost_hsm.plans.plan import FILE
from frost_hsm.targets import words

SCHEMA: Final = "frost-hsm/ceremony-statement/1"
MAX_SIZE: Final = 65536
MAX_LINE: Final = 300
MAX_TIME: Final = 60

_WHAT: Final = "a statement of a ceremony"


@dataclass(frozen=True, slots=True)
class SignedFile:
    """A file that was made: its name, its size in bytes, its SHA-256 in hex."""

    file: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Agreed:
    """What all participants have to state alike.

    plan: SHA-256 of the plan's file. key: the encoded group key. ceremony: the id of its making. transcript: the hash
    of all that was said, which the check code is the first half of. package: SHA-256 of the public key package. All
    in hex. confirmed: who has confirmed, in the order of the roster.
    """

    plan: str
    suite: str
    key: str
    ceremony: str
    check_code: str
    transcript: str
    package: str
    confirmed: tuple[str, ...]
    signed: tuple[SignedFile, ...]


@dataclass(frozen=True, slots=True)
class Machine:
    """What one participant worked with, as their machine says of itself. module: what brings the token, and where."""

    program: str
    python: str
    system: str
    module: str
    label: str
    serial: str
    manufacturer: str
    model: str
    is_software: bool


@dataclass(frozen=True, slots=True)
class Statement:
    """All that one participant states. began, ended: as they entered it, one line each, of no form.

    Raises `NotPossible` for what is not one printable line.
    """

    name: str
    fingerprint: str
    agreed: Agreed
    machine: Machine
    began: str
    ended: str

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name) or not all(FILE.fullmatch(each.file) for each in self.agreed.signed):
            raise NotPossible(f"{_WHAT} names somebody, or a file, that is none")
        for text in (self.began, self.ended):
            words.require_line(text, "a time", most=MAX_TIME)
        for part in (self.agreed, self.machine):
            for each in fields(part):
                value = getattr(part, each.name)
                if isinstance(value, str):
                    words.require_line(value, f"the {each.name} of {_WHAT}", most=MAX_LINE)

    def encode(self) -> bytes:
        """Write it, in its one form."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}).encode() + b"\n"


def read(data: bytes) -> Statement:
    """Read what `Statement.encode` wrote. Raises `MalformedMessage` for anything else."""
    if len(data) > MAX_SIZE:
        raise MalformedMessage(f"{_WHAT} is larger than {MAX_SIZE} bytes")
    try:
        document = json.loads(data)
        if document.pop("schema") != SCHEMA:
            raise MalformedMessage(f"{_WHAT} is of another version")
        agreed = document.pop("agreed")
        signed = tuple(SignedFile(**_typed(each)) for each in agreed.pop("signed"))
        confirmed = tuple(str(name) for name in agreed.pop("confirmed"))
        statement = Statement(
            agreed=Agreed(**_typed(agreed), confirmed=confirmed, signed=signed),
            machine=Machine(**_typed(document.pop("machine"))),
            **_typed(document),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, NotPossible) as error:
        raise MalformedMessage(f"this is not {_WHAT}") from error
    if statement.encode() != data:
        raise MalformedMessage(f"{_WHAT} is not written in its one form")
    return statement


def _typed(table: Any) -> dict[str, Any]:
    """Return a table of plain values; what types they have to have, writing it again does not show."""
    kinds: dict[str, type] = {"size": int, "is_software": bool}
    for name, value in table.items():
        if type(value) is not kinds.get(name, str):
            raise TypeError(name)
    return dict(table)


def statement_name(key: str, name: str) -> str:
    """Return what the file of a statement is called."""
    return f"{key}.{name}.statement.json"
