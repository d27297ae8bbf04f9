"""What participants say to make a key, or its shares anew: a proposal, two rounds or a dealing, an end."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from frost_hsm.ceremony.messages.message import (
    ENVELOPES,
    HASHES,
    Y_COORDINATES,
    Enclosing,
    Envelopes,
    Message,
    require_hash_list,
    require_hashes,
    require_line,
)
from frost_hsm.ceremony.people.identity import fingerprint
from frost_hsm.ceremony.people.names import require_name
from frost_hsm.ceremony.people.numbering import Numbering
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.errors import InvalidMinSigners, NotPossible
from frost_hsm.forms import der, oids
from frost_hsm.forms.asn1 import NUMBER, OCTETS, TEXT, Form, null, optional

MAX_SUITE: Final = 64

_ROSTER = Form(der.SEQUENCE, Roster.encode, Roster.read)
_NUMBERING = optional(0, null(Numbering.NAMES), Numbering.POSITIONS)
_PROOFS = optional(1, OCTETS, b"")


@dataclass(frozen=True, slots=True)
class Proposal(Message):
    """A key to be made. Its content digest is the ceremony's id, by which the key is known for good.

    random: 32 bytes. name: of the key, by the rules of `require_name`. purpose: for people, one line, may be
    empty. suite: the ciphersuite's id. author: the roster position of who proposes. numbering: where identifiers come
    from. Raises `InvalidMinSigners` or `NotPossible`.

    SEQUENCE { version INTEGER (2), random OCTET STRING, name, purpose, suite UTF8String, minSigners, author INTEGER,
    roster SEQUENCE OF SEQUENCE { sign, agree Certificate, recovery [0] { sign, agree Certificate } OPTIONAL },
    fromNames [0] NULL OPTIONAL }
    """

    content_type = oids.PROPOSAL
    title = "proposal"
    asn1 = (OCTETS, TEXT, TEXT, TEXT, NUMBER, NUMBER, _ROSTER, _NUMBERING)

    random: bytes
    name: str
    purpose: str
    suite: str
    min_signers: int
    author: int
    roster: Roster
    numbering: Numbering = Numbering.POSITIONS

    def __post_init__(self) -> None:
        require_name(self.name)
        require_hashes(self.title, self.random)
        require_line(self.title, "purpose", self.purpose)
        if not (self.suite.isascii() and self.suite.isprintable() and len(self.suite) <= MAX_SUITE):
            raise NotPossible("the suite is not one that could exist")
        if not 2 <= self.min_signers <= len(self.roster):
            raise InvalidMinSigners(f"{self.min_signers} of {len(self.roster)} cannot be a threshold")
        if not 1 <= self.author <= len(self.roster):
            raise NotPossible("a proposal names an author who is not in its roster")


@dataclass(frozen=True, slots=True)
class RefreshProposal(Message):
    """The shares of a key, to be made anew by all. Its content digest is the refresh's id.

    ceremony: that of the key, 32 bytes. state: the digest of the `State` that it ends, 32 bytes. author: the roster
    position of who proposes. random: 32 bytes.

    SEQUENCE { version INTEGER (2), ceremony, state OCTET STRING, author INTEGER, random OCTET STRING }
    """

    content_type = oids.REFRESH_PROPOSAL
    title = "refresh proposal"
    asn1 = (OCTETS, OCTETS, NUMBER, OCTETS)

    ceremony: bytes
    state: bytes
    author: int
    random: bytes

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony, self.state, self.random)


@dataclass(frozen=True, slots=True)
class Round1(Message):
    """The first round.

    ceremony: 32 bytes, the proposal's id. package: a round-1 package. y_coordinates: of the commitment's elements, in
    their order, so that nobody has to take square roots; None where the suite has no use for them. proofs: of a
    refresh, that its sender knows every coefficient; else empty.

    SEQUENCE { version INTEGER (2), ceremony, package OCTET STRING, yCoordinates [0] OCTET STRING OPTIONAL,
    proofs [1] OCTET STRING OPTIONAL }
    """

    content_type = oids.ROUND1
    is_said_once = True
    title = "round-1 message"
    asn1 = (OCTETS, OCTETS, Y_COORDINATES, _PROOFS)

    ceremony: bytes
    package: bytes
    y_coordinates: bytes | None = None
    proofs: bytes = b""

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony)


@dataclass(frozen=True, slots=True)
class Round2(Enclosing):
    """The second round.

    round1_hash: `transcript_hash` of all round-1 messages. envelopes: one for every participant in the order
    of the roster, oneself included, each a DER ContentInfo that only its recipient takes apart.

    SEQUENCE { version INTEGER (4), ceremony, round1Hash OCTET STRING, envelopes OCTET STRING }
    """

    content_type = oids.ROUND2
    is_said_once = True
    title = "round-2 message"
    asn1 = (OCTETS, OCTETS, ENVELOPES)

    ceremony: bytes
    round1_hash: bytes
    envelopes: Envelopes = field(repr=False)

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony, self.round1_hash)
        require_hash_list(self.title, self.envelopes.hashes)


@dataclass(frozen=True, slots=True)
class Dealing(Enclosing):
    """The shares of a key that its author knows, or what refreshes them, in place of both rounds.

    ceremony: 32 bytes, the id of the proposal. envelopes: a secret share for every participant in the order of the
    roster, the dealer included, each a DER ContentInfo that only its recipient takes apart.

    SEQUENCE { version INTEGER (4), ceremony OCTET STRING, envelopes OCTET STRING }
    """

    content_type = oids.DEALING
    is_said_once = True
    title = "dealing"
    asn1 = (OCTETS, ENVELOPES)

    ceremony: bytes
    envelopes: Envelopes = field(repr=False)

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony)
        require_hash_list(self.title, self.envelopes.hashes)


@dataclass(frozen=True, slots=True)
class Confirmation(Message):
    """The end of a chapter: all who have to confirm it are equal in everything, or nothing comes of it.

    ceremony: the id of what is confirmed, 32 bytes. messages: what was said in it, one hash a step: `transcript_hash`
    of each round, or the content digest of a dealing; of a repair that of its sigmas and the content digest of its end;
    of an abandonment none. public_key_package_hash: SHA-256, 32 bytes, over the public key package from here on.

    It is a vote as well: nobody votes for two successors of one state (`frost_hsm.ceremony.history.rules`).

    SEQUENCE { version INTEGER (2), ceremony OCTET STRING, messages SEQUENCE OF OCTET STRING,
    publicKeyPackageHash OCTET STRING }
    """

    content_type = oids.CONFIRMATION
    is_said_once = True
    title = "confirmation"
    asn1 = (OCTETS, HASHES, OCTETS)

    ceremony: bytes
    messages: tuple[bytes, ...]
    public_key_package_hash: bytes

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony, *self.messages, self.public_key_package_hash)
        if len(self.messages) > 2:
            raise NotPossible("a confirmation is of two steps at the most")

    @property
    def is_dealt(self) -> bool:
        """Whether a dealing stood in place of both rounds."""
        return len(self.messages) == 1

    @property
    def check_code(self) -> str:
        """What people compare by voice: 128 bits of SHA-256 over the contents."""
        return fingerprint(hashlib.sha256(self.encode()).digest())
