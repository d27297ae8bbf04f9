"""Which FROST identifier each participant of a group has."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.values import Identifier


class Numbering(StrEnum):
    """Where identifiers come from. The proposal of a key decides it, once and for all."""

    POSITIONS = "positions"
    """1, 2, 3, … by the order of the roster: the quickest, and what other programs take unless told otherwise."""

    NAMES = "names"
    """A hash of each name, whatever the order (ZcashFoundation: ``Identifier::derive``). Names have to stay, then."""

    def identifier(self, suite: Ciphersuite, roster: Roster, name: str) -> Identifier:
        """Return the identifier of a participant; raises `NotKnown` if there is none of this name."""
        position = roster.position(name)
        if self is Numbering.NAMES:
            return _of_name(suite, name)
        return Identifier.from_u16(suite, position)


@lru_cache(maxsize=4096)
def _of_name(suite: Ciphersuite, name: str) -> Identifier:
    return Identifier.derive(suite, name.encode())
