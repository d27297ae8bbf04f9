"""What participants say to each other to keep a key in good order, beside `frost_hsm.ceremony.messages`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from frost_hsm.ceremony import der, oids
from frost_hsm.ceremony.messages import VERSION, reading, require_hashes, same
from frost_hsm.errors import NotPossible


@dataclass(frozen=True, slots=True)
class RefreshProposal:
    """The shares of a key, to be made anew by all. Its content digest is the refresh's id.

    ceremony: that of the key. key: the group's verifying key. epoch: the new one, one more than the present.
    previous: the content digest of the confirmations of the present epoch. roster: `Roster.digest`. random: 32
    bytes.

    SEQUENCE { version INTEGER (1), ceremony, key OCTET STRING, epoch INTEGER, previous, roster, random OCTET
    STRING }
    """

    content_type: ClassVar[str] = oids.REFRESH_PROPOSAL
    title: ClassVar[str] = "refresh proposal"

    ceremony: bytes
    key: bytes
    epoch: int
    previous: bytes
    roster: bytes
    random: bytes

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony, self.previous, self.roster, self.random)
        if self.epoch < 1:
            raise NotPossible("a refresh begins an epoch after the first")

    def encode(self) -> bytes:
        """Encode in DER."""
        return der.sequence(
            VERSION,
            der.octet_string(self.ceremony),
            der.octet_string(self.key),
            der.integer(self.epoch),
            *map(der.octet_string, (self.previous, self.roster, self.random)),
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote; raises `MalformedMessage`."""
        with reading(data, cls.title) as reader:
            ceremony, key, epoch = reader.octet_string(), reader.octet_string(), reader.integer()
            message = cls(ceremony, key, epoch, *(reader.octet_string() for _ in range(3)))
        return same(message, data)
