"""What participants say to each other, and how a message is read: signed, by a known sender, in one form.

One class a message; its ASN.1 stands in the docstring, and field by field in ``asn1``. FROST packages are opaque
bytes here, in ZcashFoundation's postcard encoding. How a message is signed into a file is in
`frost_hsm.ceremony.messages.signed`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import ClassVar, Final

from frost_hsm.ceremony.people.identity import fingerprint
from frost_hsm.ceremony.people.names import require_name
from frost_hsm.ceremony.people.numbering import Numbering
from frost_hsm.ceremony.people.roster import MAX_PARTICIPANTS, Roster
from frost_hsm.errors import InvalidMinSigners, NotPossible
from frost_hsm.forms import der, oids
from frost_hsm.forms.asn1 import CLOSED, NUMBER, OCTETS, TEXT, Form, Structure, many, null, optional

MAX_MESSAGE_TO_SIGN: Final = 8 << 20
MAX_PURPOSE: Final = 1024
MAX_SUITE: Final = 64
HASH_LENGTH: Final = 32

_UNSEEN = re.compile(
    "[\0-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]"
)
"""What could steer a terminal, or hide or turn round what follows it. By number: `str.isprintable` knows the Unicode
of its own Python, and what is a message to one of us has to be one to all."""

POSITIONS: Final = many(NUMBER, MAX_PARTICIPANTS)
ENVELOPES: Final = many(CLOSED, MAX_PARTICIPANTS)
"""For several people, each an envelope that only its recipient takes apart."""

_ROSTER = Form(der.SEQUENCE, Roster.encode, Roster.read)
_Y_COORDINATES = optional(0, OCTETS, None)
_NUMBERING = optional(0, null(Numbering.NAMES), Numbering.POSITIONS)
_AHEAD = optional(1, many(OCTETS, MAX_PARTICIPANTS), ())


@dataclass(frozen=True, slots=True)
class Message(Structure):
    """What all messages have in common. content_type: by which CMS knows them."""

    content_type: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Proposal(Message):
    """A key to be made. Its content digest is the ceremony's id.

    random: 32 bytes. name: of the key, by the rules of `require_name`. purpose: for people, one line, may be
    empty. suite: the ciphersuite's id. numbering: where identifiers come from. Raises `InvalidMinSigners` or
    `NotPossible`.

    SEQUENCE { version INTEGER (1), random OCTET STRING, name, purpose, suite UTF8String, minSigners INTEGER,
    roster SEQUENCE OF SEQUENCE { sign, agree Certificate, recovery [0] { sign, agree Certificate } OPTIONAL },
    fromNames [0] NULL OPTIONAL }
    """

    content_type = oids.PROPOSAL
    title = "proposal"
    asn1 = (OCTETS, TEXT, TEXT, TEXT, NUMBER, _ROSTER, _NUMBERING)

    random: bytes
    name: str
    purpose: str
    suite: str
    min_signers: int
    roster: Roster
    numbering: Numbering = Numbering.POSITIONS

    def __post_init__(self) -> None:
        require_name(self.name)
        require_hashes(self.title, self.random)
        if _UNSEEN.search(self.purpose) or len(self.purpose) > MAX_PURPOSE:
            raise NotPossible(f"the purpose is not one printable line of up to {MAX_PURPOSE} characters")
        if not (self.suite.isascii() and self.suite.isprintable() and len(self.suite) <= MAX_SUITE):
            raise NotPossible("the suite is not one that could exist")
        if not 2 <= self.min_signers <= len(self.roster):
            raise InvalidMinSigners(f"{self.min_signers} of {len(self.roster)} cannot be a threshold")


@dataclass(frozen=True, slots=True)
class Round1(Message):
    """The first round of key generation.

    ceremony: 32 bytes. package: a round-1 package. y_coordinates: of the commitment's elements, in their
    order, so that nobody has to take square roots; None where the suite has no use for them.

    SEQUENCE { version INTEGER (1), ceremony, package OCTET STRING, yCoordinates [0] OCTET STRING OPTIONAL }
    """

    content_type = oids.ROUND1
    title = "round-1 message"
    asn1 = (OCTETS, OCTETS, _Y_COORDINATES)

    ceremony: bytes
    package: bytes
    y_coordinates: bytes | None = None

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony)


@dataclass(frozen=True, slots=True)
class Round2(Message):
    """The second round of key generation.

    round1_hash: `transcript_hash` of all round-1 messages. envelopes: one for every participant in the order
    of the roster, oneself included, each a DER ContentInfo that only its recipient takes apart.

    SEQUENCE { version INTEGER (1), ceremony, round1Hash OCTET STRING, envelopes SEQUENCE OF ContentInfo }
    """

    content_type = oids.ROUND2
    title = "round-2 message"
    asn1 = (OCTETS, OCTETS, ENVELOPES)

    ceremony: bytes
    round1_hash: bytes
    envelopes: tuple[bytes, ...] = field(repr=False)

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony, self.round1_hash)
        require_envelopes(self.title, self.envelopes)


@dataclass(frozen=True, slots=True)
class Confirmation(Message):
    """The end of key generation: all n are equal in everything, or the key is not used.

    round1_hash, round2_hash: `transcript_hash` of each round. public_key_package_hash: SHA-256, 32 bytes,
    over the public key package.

    SEQUENCE { version INTEGER (1), ceremony, round1Hash, round2Hash, publicKeyPackageHash OCTET STRING }
    """

    content_type = oids.CONFIRMATION
    title = "confirmation"
    asn1 = (OCTETS, OCTETS, OCTETS, OCTETS)

    ceremony: bytes
    round1_hash: bytes
    round2_hash: bytes
    public_key_package_hash: bytes

    def __post_init__(self) -> None:
        require_hashes(self.title, *self._hashes)

    @property
    def _hashes(self) -> tuple[bytes, ...]:
        return self.ceremony, self.round1_hash, self.round2_hash, self.public_key_package_hash

    @property
    def is_dealt(self) -> bool:
        """Whether a dealing stood in place of both rounds, so that they have one hash."""
        return self.round1_hash == self.round2_hash

    @property
    def check_code(self) -> str:
        """What people compare by voice: 128 bits of SHA-256 over the contents."""
        return fingerprint(hashlib.sha256(self.encode()).digest())


@dataclass(frozen=True, slots=True)
class SigningRequest(Message):
    """A message to be signed. Its content digest is the request's id.

    key: the group's verifying key. epoch: how often the key was refreshed. random: 32 bytes. message: what is
    signed, up to 8 MiB, all of it, for every signer to see. signers: roster positions, ascending.
    randomizer_seed: for a signature under a key that is not linked to the group's, as long as a scalar; empty where
    there is none. commitments: signing commitments that the signers made ahead, in their order; empty where each is
    to commit now.

    SEQUENCE { version INTEGER (1), ceremony, key OCTET STRING, epoch INTEGER, random, message OCTET STRING,
    signers SEQUENCE OF INTEGER, randomizerSeed [0] OCTET STRING OPTIONAL,
    commitments [1] SEQUENCE OF OCTET STRING OPTIONAL }
    """

    content_type = oids.SIGNING_REQUEST
    title = "signing request"
    asn1 = (OCTETS, OCTETS, NUMBER, OCTETS, OCTETS, POSITIONS, optional(0, OCTETS, b""), _AHEAD)

    ceremony: bytes
    key: bytes
    epoch: int
    random: bytes
    message: bytes = field(repr=False)
    signers: tuple[int, ...]
    randomizer_seed: bytes = field(default=b"", repr=False)
    commitments: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony, self.random)
        if len(self.message) > MAX_MESSAGE_TO_SIGN:
            raise NotPossible(f"the message is larger than {MAX_MESSAGE_TO_SIGN} bytes")
        ascending = all(one < next_ for one, next_ in zip(self.signers, self.signers[1:], strict=False))
        if len(self.signers) < 2 or self.signers[0] < 1 or self.signers[-1] > MAX_PARTICIPANTS or not ascending:
            raise NotPossible("the signers are not two or more positions in ascending order")
        if self.commitments and len(self.commitments) != len(self.signers):
            raise NotPossible(f"there are {len(self.commitments)} commitments for {len(self.signers)} signers")


@dataclass(frozen=True, slots=True)
class Commitment(Message):
    """The first round of signing.

    request: 32 bytes, the request's id. commitments: signing commitments. y_coordinates: as in `Round1`.

    SEQUENCE { version INTEGER (1), request, commitments OCTET STRING, yCoordinates [0] OCTET STRING OPTIONAL
    }
    """

    content_type = oids.COMMITMENT
    title = "commitment"
    asn1 = (OCTETS, OCTETS, _Y_COORDINATES)

    request: bytes
    commitments: bytes
    y_coordinates: bytes | None = None

    def __post_init__(self) -> None:
        require_hashes(self.title, self.request)


@dataclass(frozen=True, slots=True)
class Response(Message):
    """The second round of signing.

    request: the request's id. commitments_hash: `transcript_hash` of the commitments in the order of the
    signers. share: a signature share.

    SEQUENCE { version INTEGER (1), request, commitmentsHash, share OCTET STRING }
    """

    content_type = oids.RESPONSE
    title = "response"
    asn1 = (OCTETS, OCTETS, OCTETS)

    request: bytes
    commitments_hash: bytes
    share: bytes

    def __post_init__(self) -> None:
        require_hashes(self.title, self.request, self.commitments_hash)


def require_hashes(title: str, *hashes: bytes) -> None:
    """Raise `NotPossible` unless each is as long as a hash."""
    if any(len(each) != HASH_LENGTH for each in hashes):
        raise NotPossible(f"a {title} names something by other than {HASH_LENGTH} bytes")


def require_envelopes(title: str, envelopes: tuple[bytes, ...]) -> None:
    """Raise `NotPossible` unless there are as many as people can be in a group."""
    if not 2 <= len(envelopes) <= MAX_PARTICIPANTS:
        raise NotPossible(f"a {title} cannot have {len(envelopes)} envelopes")
