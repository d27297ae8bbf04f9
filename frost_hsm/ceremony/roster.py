"""The participants of a group, in the order that gives them their identifiers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from frost_hsm.ceremony import der
from frost_hsm.ceremony.identity import PublicIdentity
from frost_hsm.errors import DuplicatedIdentifier, InvalidMaxSigners, NotKnown, UnknownSender

MAX_PARTICIPANTS: Final = 1024


@dataclass(frozen=True, slots=True)
class Roster:
    """Two to 1024 participants; the first has position and FROST identifier 1.

    Raises `InvalidMaxSigners` for another number, `DuplicatedIdentifier` if two share a name or a key,
    whether for the same purpose or not.
    """

    members: tuple[PublicIdentity, ...]
    _positions: dict[str | bytes, int] = field(init=False, repr=False, compare=False)  # by name, by sign key id

    def __post_init__(self) -> None:
        if not 2 <= len(self.members) <= MAX_PARTICIPANTS:
            raise InvalidMaxSigners(f"a group has 2 to {MAX_PARTICIPANTS} participants, not {len(self.members)}")
        seen: set[str | bytes] = set()
        positions: dict[str | bytes, int] = {}
        for position, member in enumerate(self.members, start=1):
            for mark in (member.name, member.sign_key.key_id, member.agree_key.key_id):
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
            raise UnknownSender(f"the signer, key {key_id.hex()}, is not a participant")
        return self.members[self._positions[key_id] - 1]

    def with_member(self, position: int, member: PublicIdentity) -> Roster:
        """Return the roster with somebody else at a position, or with one more at the end. Raises `NotKnown`."""
        if position != len(self.members) + 1:
            self.at(position)
        return Roster((*self.members[: position - 1], member, *self.members[position:]))

    def encode(self) -> bytes:
        """Encode as SEQUENCE OF SEQUENCE { sign Certificate, agree Certificate }, in order."""
        pairs = (der.sequence(each.sign_certificate, each.agree_certificate) for each in self.members)
        return der.sequence(*pairs)

    @property
    def digest(self) -> bytes:
        """SHA-256 over `encode`."""
        return hashlib.sha256(self.encode()).digest()

    @classmethod
    def read(cls, reader: der.Reader) -> Roster:
        """Read what `encode` wrote. Verifies every certificate."""
        pairs = reader.sequence()
        members: list[PublicIdentity] = []
        while pairs.more():
            if len(members) == MAX_PARTICIPANTS:
                raise InvalidMaxSigners(f"a group has at most {MAX_PARTICIPANTS} participants")
            pair = pairs.sequence()
            members.append(PublicIdentity(pair.whole(der.SEQUENCE), pair.whole(der.SEQUENCE)))
        return cls(tuple(members))
