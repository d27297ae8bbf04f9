"""What participants say when a share is disputed that only its recipient can read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

from frost_hsm.ceremony import der, oids
from frost_hsm.ceremony.messages import VERSION, reading, require_hashes, same
from frost_hsm.ceremony.roster import MAX_PARTICIPANTS
from frost_hsm.errors import NotPossible


@dataclass(frozen=True, slots=True)
class Complaint:
    """A claim: in this round-2 message there is no good share for me. It proves nothing until the accused answers.

    ceremony: 32 bytes. accused: their position in the roster. round2: the content digest of their message, 32 bytes.

    SEQUENCE { version INTEGER (1), ceremony OCTET STRING, accused INTEGER, round2 OCTET STRING }
    """

    content_type: ClassVar[str] = oids.COMPLAINT
    title: ClassVar[str] = "complaint"

    ceremony: bytes
    accused: int
    round2: bytes

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony, self.round2)
        _require_position(self.accused)

    def encode(self) -> bytes:
        """Encode in DER."""
        return der.sequence(
            VERSION, der.octet_string(self.ceremony), der.integer(self.accused), der.octet_string(self.round2)
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote; raises `MalformedMessage`."""
        with reading(data, cls.title) as reader:
            message = cls(reader.octet_string(), reader.integer(), reader.octet_string())
        return same(message, data)


@dataclass(frozen=True, slots=True)
class Opening:
    """The answer to a complaint: what opens that one envelope of one's own round-2 message, for everybody.

    ceremony: 32 bytes. recipient: the position of the one who complained. seed: the envelope's, 32 bytes; no longer
    secret once this is made.

    SEQUENCE { version INTEGER (1), ceremony OCTET STRING, recipient INTEGER, seed OCTET STRING }
    """

    content_type: ClassVar[str] = oids.OPENING
    title: ClassVar[str] = "opening"

    ceremony: bytes
    recipient: int
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony, self.seed)
        _require_position(self.recipient)

    def encode(self) -> bytes:
        """Encode in DER."""
        return der.sequence(
            VERSION, der.octet_string(self.ceremony), der.integer(self.recipient), der.octet_string(self.seed)
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote; raises `MalformedMessage`."""
        with reading(data, cls.title) as reader:
            message = cls(reader.octet_string(), reader.integer(), reader.octet_string())
        return same(message, data)


def _require_position(position: int) -> None:
    if not 1 <= position <= MAX_PARTICIPANTS:
        raise NotPossible(f"there is no position {position}")
