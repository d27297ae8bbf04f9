"""What participants say when a share is disputed that only its recipient can read."""

from __future__ import annotations

from dataclasses import field

from frost_hsm.ceremony.messages.message import Message, require_hashes, require_position
from frost_hsm.forms import oids
from frost_hsm.forms.asn1 import NUMBER, OCTETS
from frost_hsm.frozen import frozen


@frozen
class Complaint(Message):
    """A claim: in this round-2 message there is no good share for me. It proves nothing until the accused answers.

    ceremony: 32 bytes. accused: their position in the roster. round2: the content digest of their message, 32 bytes.

    SEQUENCE { version INTEGER (2), ceremony OCTET STRING, accused INTEGER, round2 OCTET STRING }
    """

    content_type = oids.COMPLAINT
    title = "complaint"
    asn1 = (OCTETS, NUMBER, OCTETS)

    ceremony: bytes
    accused: int
    round2: bytes

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony, self.round2)
        require_position(self.title, self.accused)


@frozen
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
