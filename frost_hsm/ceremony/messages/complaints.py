"""What participants say when a share is disputed that only its recipient can read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from frost_hsm.ceremony.messages.message import (
    HASH_LENGTH,
    Message,
    require_hash_list,
    require_hashes,
    require_position,
)
from frost_hsm.forms import oids
from frost_hsm.forms.asn1 import NUMBER, OCTETS


@dataclass(frozen=True, slots=True)
class Complaint(Message):
    """A claim: in this round-2 message there is no good share for me. It proves nothing until the accused answers.

    ceremony: 32 bytes. accused: their position in the roster. round2: the content digest of their message, 32 bytes.
    round1: the content digests of the round-1 messages that it names by one hash, one after the other in the order of
    the roster: so that what is in the envelope is judged by the round 1 of its sender alone, without all others.

    SEQUENCE { version INTEGER (3), ceremony OCTET STRING, accused INTEGER, round2, round1 OCTET STRING }
    """

    version = 3
    content_type = oids.COMPLAINT
    title = "complaint"
    asn1 = (OCTETS, NUMBER, OCTETS, OCTETS)

    ceremony: bytes
    accused: int
    round2: bytes
    round1: bytes

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony, self.round2)
        require_position(self.title, self.accused)
        require_hash_list(self.title, self.round1)

    def is_about(self, accused: int, round2: bytes, round1_hash: bytes) -> bool:
        """Whether it is about this message, and lists what that names by this hash."""
        listed = hashlib.sha256(self.round1).digest()
        return (self.accused, self.round2, listed) == (accused, round2, round1_hash)

    @property
    def round1_of_accused(self) -> bytes:
        """The content digest of the round-1 message that the accused is held to; empty if the list is too short."""
        return self.round1[(self.accused - 1) * HASH_LENGTH : self.accused * HASH_LENGTH]


@dataclass(frozen=True, slots=True)
class Opening(Message):
    """The answer to a complaint: what opens that one envelope of one's own round-2 message, for everybody.

    ceremony: 32 bytes. recipient: the position of the one who complained. seed: the envelope's, 32 bytes; no longer
    secret once this is made.

    SEQUENCE { version INTEGER (2), ceremony OCTET STRING, recipient INTEGER, seed OCTET STRING }
    """

    content_type = oids.OPENING
    title = "opening"
    asn1 = (OCTETS, NUMBER, OCTETS)

    ceremony: bytes
    recipient: int
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony, self.seed)
        require_position(self.title, self.recipient)
