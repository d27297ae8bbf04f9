"""ZcashFoundation's packages in JSON files: read only once it is seen that no more is in them than in any of ours."""

from __future__ import annotations

from typing import Final, TypeVar

from frost_hsm.errors import DeserializationError
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.encoding.json_text import Node, as_map, parse
from frost_hsm.frost.encoding.package import PublicPackage

MAX_PARTICIPANTS: Final = 1024  # as a `Roster` has, whose module takes long to load

P = TypeVar("P", bound=PublicPackage)

_MOST_COMMAS: Final = 6 * MAX_PARTICIPANTS  # a signing package has five for each signer
_MOST_QUOTES: Final = 20 * MAX_PARTICIPANTS  # and eighteen


def members(data: bytes) -> dict[str, Node]:
    """Return the members of a package in JSON. Raises `DeserializationError`, before much is parsed, for too many."""
    if data.count(b",") > _MOST_COMMAS or data.count(b'"') > _MOST_QUOTES:
        raise _too_large()
    found = as_map(parse(memoryview(data)))
    if any(len(value) > MAX_PARTICIPANTS for value in found.values() if isinstance(value, list | dict)):
        raise _too_large()
    return found


def read(kind: type[P], suite: Ciphersuite, data: bytes) -> P:
    """Read a package. Raises `DeserializationError`, also for one of a larger group than can be here."""
    try:
        members(data)
    except DeserializationError as error:
        raise type(error)(f"{kind.title}: {error}") from None
    return kind.from_json(suite, data)


def _too_large() -> DeserializationError:
    return DeserializationError(f"this is no package of a group of at most {MAX_PARTICIPANTS}")
