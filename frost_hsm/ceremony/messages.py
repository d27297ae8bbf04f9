"""What participants say to each other, and how a message is read: signed, by a known sender, in one form.

One class a message. ``encode`` gives the DER that is signed, ``decode`` reads it back; the ASN.1 stands in
each docstring. FROST packages are opaque bytes here, in ZcashFoundation's postcard encoding. What cannot be a
message raises `UsageProblem` when it is made and `MalformedMessage` when it is read. How a message is signed
into a file is in `frost_hsm.ceremony.signed`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar, Final, Protocol, Self, TypeVar

from frost_hsm.ceremony import der, oids
from frost_hsm.ceremony.identity import fingerprint
from frost_hsm.ceremony.names import require_name
from frost_hsm.ceremony.numbering import Numbering
from frost_hsm.ceremony.roster import MAX_PARTICIPANTS, Roster
from frost_hsm.errors import ForeignMessage, InvalidMinSigners, MalformedMessage, NotPossible, UsageProblem

MAX_MESSAGE_TO_SIGN: Final = 8 << 20
MAX_PURPOSE: Final = 1024
MAX_SUITE: Final = 64
HASH_LENGTH: Final = 32

_UNSEEN = re.compile(
    "[\0-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]"
)
"""What could steer a terminal, or hide or turn round what follows it. By number: `str.isprintable` knows the Unicode
of its own Python, and what is a message to one of us has to be one to all."""

VERSION = der.integer(1)
_FROM_NAMES = der.context(0, constructed=False)
_Y_COORDINATES = der.context(0, constructed=False)
_RANDOMIZER_SEED = der.context(0, constructed=False)
_COMMITMENTS = der.context(1)


class Message(Protocol):
    """What all messages have in common."""

    content_type: ClassVar[str]
    title: ClassVar[str]

    def encode(self) -> bytes:
        """Encode in DER."""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote; raises `MalformedMessage` for anything else."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A key to be made. Its content digest is the ceremony's id.

    random: 32 bytes. name: of the key, by the rules of `require_name`. purpose: for people, one line, may be
    empty. suite: the ciphersuite's id. numbering: where identifiers come from. Raises `InvalidMinSigners` or
    `NotPossible`.

    SEQUENCE { version INTEGER (1), random OCTET STRING, name, purpose, suite UTF8String, minSigners INTEGER,
    roster SEQUENCE OF SEQUENCE { sign, agree Certificate, recovery [0] { sign, agree Certificate } OPTIONAL },
    fromNames [0] NULL OPTIONAL }
    """

    content_type: ClassVar[str] = oids.PROPOSAL
    title: ClassVar[str] = "proposal"

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

    def encode(self) -> bytes:
        """Encode in DER."""
        return der.sequence(
            VERSION,
            der.octet_string(self.random),
            der.utf8_string(self.name),
            der.utf8_string(self.purpose),
            der.utf8_string(self.suite),
            der.integer(self.min_signers),
            self.roster.encode(),
            der.element(_FROM_NAMES) if self.numbering is Numbering.NAMES else b"",
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote and verify every certificate; raises `MalformedMessage`."""
        with reading(data, cls.title) as reader:
            message = cls(
                random=reader.octet_string(),
                name=reader.utf8_string(),
                purpose=reader.utf8_string(),
                suite=reader.utf8_string(),
                min_signers=reader.integer(),
                roster=Roster.read(reader),
                numbering=Numbering.NAMES if reader.has(_FROM_NAMES) else Numbering.POSITIONS,
            )
        return same(message, data)


@dataclass(frozen=True, slots=True)
class Round1:
    """The first round of key generation.

    ceremony: 32 bytes. package: a round-1 package. y_coordinates: of the commitment's elements, in their
    order, so that nobody has to take square roots; None where the suite has no use for them.

    SEQUENCE { version INTEGER (1), ceremony, package OCTET STRING, yCoordinates [0] OCTET STRING OPTIONAL }
    """

    content_type: ClassVar[str] = oids.ROUND1
    title: ClassVar[str] = "round-1 message"

    ceremony: bytes
    package: bytes
    y_coordinates: bytes | None = None

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony)

    def encode(self) -> bytes:
        """Encode in DER."""
        return _package(self.ceremony, self.package, self.y_coordinates)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote; raises `MalformedMessage`."""
        with reading(data, cls.title) as reader:
            message = cls(reader.octet_string(), reader.octet_string(), _read_y_coordinates(reader))
        return same(message, data)


@dataclass(frozen=True, slots=True)
class Round2:
    """The second round of key generation.

    round1_hash: `transcript_hash` of all round-1 messages. envelopes: one for every participant in the order
    of the roster, oneself included, each a DER ContentInfo that only its recipient takes apart.

    SEQUENCE { version INTEGER (1), ceremony, round1Hash OCTET STRING, envelopes SEQUENCE OF ContentInfo }
    """

    content_type: ClassVar[str] = oids.ROUND2
    title: ClassVar[str] = "round-2 message"

    ceremony: bytes
    round1_hash: bytes
    envelopes: tuple[bytes, ...] = field(repr=False)

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony, self.round1_hash)
        if not 2 <= len(self.envelopes) <= MAX_PARTICIPANTS:
            raise NotPossible(f"a round-2 message cannot have {len(self.envelopes)} envelopes")

    def encode(self) -> bytes:
        """Encode in DER."""
        return der.sequence(
            VERSION,
            der.octet_string(self.ceremony),
            der.octet_string(self.round1_hash),
            der.sequence(*self.envelopes),
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote; raises `MalformedMessage`. The envelopes stay closed."""
        with reading(data, cls.title) as reader:
            message = cls(reader.octet_string(), reader.octet_string(), read_envelopes(reader))
        return same(message, data)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The end of key generation: all n are equal in everything, or the key is not used.

    round1_hash, round2_hash: `transcript_hash` of each round. public_key_package_hash: SHA-256, 32 bytes,
    over the public key package.

    SEQUENCE { version INTEGER (1), ceremony, round1Hash, round2Hash, publicKeyPackageHash OCTET STRING }
    """

    content_type: ClassVar[str] = oids.CONFIRMATION
    title: ClassVar[str] = "confirmation"

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

    def encode(self) -> bytes:
        """Encode in DER."""
        return der.sequence(VERSION, *map(der.octet_string, self._hashes))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote; raises `MalformedMessage`."""
        with reading(data, cls.title) as reader:
            message = cls(*(reader.octet_string() for _ in range(4)))
        return same(message, data)


@dataclass(frozen=True, slots=True)
class SigningRequest:
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

    content_type: ClassVar[str] = oids.SIGNING_REQUEST
    title: ClassVar[str] = "signing request"

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

    def encode(self) -> bytes:
        """Encode in DER."""
        ahead = map(der.octet_string, self.commitments)
        return der.sequence(
            VERSION,
            der.octet_string(self.ceremony),
            der.octet_string(self.key),
            der.integer(self.epoch),
            der.octet_string(self.random),
            der.octet_string(self.message),
            der.sequence(*map(der.integer, self.signers)),
            der.element(_RANDOMIZER_SEED, self.randomizer_seed) if self.randomizer_seed else b"",
            der.element(_COMMITMENTS, *ahead) if self.commitments else b"",
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote; raises `MalformedMessage`."""
        with reading(data, cls.title) as reader:
            ceremony, key, epoch = reader.octet_string(), reader.octet_string(), reader.integer()
            random, text, signers = reader.octet_string(), reader.octet_string(), read_positions(reader)
            seed = reader.contents(_RANDOMIZER_SEED) if reader.has(_RANDOMIZER_SEED) else b""
            commitments: list[bytes] = []
            if reader.has(_COMMITMENTS):
                ahead = reader.inside(_COMMITMENTS)
                while ahead.more() and len(commitments) <= MAX_PARTICIPANTS:
                    commitments.append(ahead.octet_string())
            message = cls(ceremony, key, epoch, random, text, signers, seed, tuple(commitments))
        return same(message, data)


@dataclass(frozen=True, slots=True)
class Commitment:
    """The first round of signing.

    request: 32 bytes, the request's id. commitments: signing commitments. y_coordinates: as in `Round1`.

    SEQUENCE { version INTEGER (1), request, commitments OCTET STRING, yCoordinates [0] OCTET STRING OPTIONAL
    }
    """

    content_type: ClassVar[str] = oids.COMMITMENT
    title: ClassVar[str] = "commitment"

    request: bytes
    commitments: bytes
    y_coordinates: bytes | None = None

    def __post_init__(self) -> None:
        require_hashes(self.title, self.request)

    def encode(self) -> bytes:
        """Encode in DER."""
        return _package(self.request, self.commitments, self.y_coordinates)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote; raises `MalformedMessage`."""
        with reading(data, cls.title) as reader:
            message = cls(reader.octet_string(), reader.octet_string(), _read_y_coordinates(reader))
        return same(message, data)


@dataclass(frozen=True, slots=True)
class Response:
    """The second round of signing.

    request: the request's id. commitments_hash: `transcript_hash` of the commitments in the order of the
    signers. share: a signature share.

    SEQUENCE { version INTEGER (1), request, commitmentsHash, share OCTET STRING }
    """

    content_type: ClassVar[str] = oids.RESPONSE
    title: ClassVar[str] = "response"

    request: bytes
    commitments_hash: bytes
    share: bytes

    def __post_init__(self) -> None:
        require_hashes(self.title, self.request, self.commitments_hash)

    def encode(self) -> bytes:
        """Encode in DER."""
        return der.sequence(
            VERSION,
            der.octet_string(self.request),
            der.octet_string(self.commitments_hash),
            der.octet_string(self.share),
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote; raises `MalformedMessage`."""
        with reading(data, cls.title) as reader:
            message = cls(*(reader.octet_string() for _ in range(3)))
        return same(message, data)


M = TypeVar("M", bound=Message)


def _package(about: bytes, package: bytes, y_coordinates: bytes | None) -> bytes:
    y = b"" if y_coordinates is None else der.element(_Y_COORDINATES, y_coordinates)
    return der.sequence(VERSION, der.octet_string(about), der.octet_string(package), y)


def _read_y_coordinates(reader: der.Reader) -> bytes | None:
    return reader.contents(_Y_COORDINATES) if reader.has(_Y_COORDINATES) else None


def read_envelopes(reader: der.Reader) -> tuple[bytes, ...]:
    """Read a sequence of envelopes, which stay closed; of more than there can be, no more than shows it."""
    inner = reader.sequence()
    envelopes: list[bytes] = []
    while inner.more() and len(envelopes) <= MAX_PARTICIPANTS:
        envelopes.append(inner.whole(der.SEQUENCE))
    return tuple(envelopes)


def read_positions(reader: der.Reader) -> tuple[int, ...]:
    """Read a sequence of positions; likewise."""
    inner = reader.sequence()
    positions: list[int] = []
    while inner.more() and len(positions) <= MAX_PARTICIPANTS:
        positions.append(inner.integer())
    return tuple(positions)


def require_hashes(title: str, *hashes: bytes) -> None:
    """Raise `NotPossible` unless each is as long as a hash."""
    if any(len(each) != HASH_LENGTH for each in hashes):
        raise NotPossible(f"a {title} names something by other than {HASH_LENGTH} bytes")


@contextmanager
def reading(data: bytes, title: str) -> Iterator[der.Reader]:
    """Lend a reader that stands behind the version; what cannot be sent is malformed when it is received."""
    reader = der.Reader(data, f"a {title}").sequence()
    if (version := reader.integer()) != 1:
        raise ForeignMessage(
            f"a {title} is of version {version}, and this program knows version 1",
            hint="one of you has to update frost-hsm",
        )
    try:
        yield reader
    except UsageProblem as error:
        raise MalformedMessage(f"a {title} is malformed: {error}") from None


def same(message: M, data: bytes) -> M:
    """Return the message if it encodes to what it was read from; raises `MalformedMessage`."""
    der.require_same(message.encode(), data, f"a {message.title}")
    return message
