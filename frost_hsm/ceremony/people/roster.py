"""The participants of a group, in the order that gives them their identifiers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.errors import DuplicatedIdentifier, InvalidMaxSigners, NotKnown, UnknownSender
from frost_hsm.forms import der

MAX_PARTICIPANTS: Final = 1024


@dataclass(frozen=True, slots=True)
class Roster:
    """Two to 1024 participants; the first has position 1.

    Raises `InvalidMaxSigners` for another number, `DuplicatedIdentifier` if two share a name or a key,
    whether for the same purpose or not, those of second tokens included.
    """

    members: tuple[PublicIdentity, ...]
    _positions: dict[str | bytes, int] = field(init=False, repr=False, compare=False)  # by name, by sign key id

    def __post_init__(self) -> None:
        if not 2 <= len(self.members) <= MAX_PARTICIPANTS:
            raise InvalidMaxSigners(f"a group has 2 to {MAX_PARTICIPANTS} participants, not {len(self.members)}")
        seen: set[str | bytes] = set()
        positions: dict[str | bytes, int] = {}
        for position, member in enumerate(self.members, start=1):
            second = member.recovery
            keys = (member.sign_key, member.agree_key, *((second.sign_key, second.agree_key) if second else ()))
            for mark in (member.name, *(key.key_id for key in keys)):
                if mark in seen:
                    raise DuplicatedIdentifier(f'participant "{member.name}" has the name or a key of another')
                seen.add(mark)
            positions[member.name] = positions[member.sign_key.key_id] = position
        object.__setattr__(self, "_positions", positions)

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[PublicIdentity]:
        return iter(self.members)

    def at(self, position: int) -> PublicIdentity:
        """Return the participant at a position from 1 to n; raises `NotKnown`."""
        if not 1 <= position <= len(self.members):
            raise NotKnown(f"there is no participant {position}; the group has {len(self.members)}")
        return self.members[position - 1]

    def position(self, name: str) -> int:
        """Return the position, from 1 to n, of the participant of this name; raises `NotKnown`."""
        if name not in self._positions:
            raise NotKnown(f'"{name}" is not a participant')
        return self._positions[name]

    def by_signer(self, key_id: bytes) -> PublicIdentity:
        """Return the participant whose sign key has this key identifier; raises `UnknownSender`."""
        if key_id not in self._positions:
            for member in self.members:
                if member.recovery is not None and member.recovery.sign_key.key_id == key_id:
                    raise UnknownSender(
                        f"the signer is the second token of {member.name}, which has not taken the place of the first",
                        hint="take in its two files first: frost-hsm repair confirm",
                    )
            raise UnknownSender(f"the signer, key {key_id.hex()}, is not a participant")
        return self.members[self._positions[key_id] - 1]

    def with_member(self, position: int, member: PublicIdentity) -> Roster:
        """Return the roster with somebody else at a position, or with one more at the end. Raises `NotKnown`."""
        if position != len(self.members) + 1:
            self.at(position)
        return Roster((*self.members[: position - 1], member, *self.members[position:]))

    def encode(self) -> bytes:
        """Encode as SEQUENCE OF SEQUENCE, each as `PublicIdentity.encode` has it, in order."""
        return der.sequence(*(der.sequence(each.encode()) for each in self.members))

    @property
    def digest(self) -> bytes:
        """SHA-256 over `encode`."""
        return hashlib.sha256(self.encode()).digest()

    @classmethod
    def read(cls, reader: der.Reader) -> Roster:
        """Read what `encode` wrote. Verifies every certificate."""
        listed = reader.sequence()
        members: list[PublicIdentity] = []
        while listed.more():
            if len(members) == MAX_PARTICIPANTS:
                raise InvalidMaxSigners(f"a group has at most {MAX_PARTICIPANTS} participants")
            members.append(PublicIdentity.read(listed.sequence()))
        return cls(tuple(members))
