"""What participants say to sign with a key: a request of many items, attempts at it, its rounds, and its abort."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from frost_hsm.ceremony.messages.message import (
    POSITIONS,
    Message,
    are_ascending,
    require_hashes,
    require_line,
    require_position,
)
from frost_hsm.ceremony.people.roster import MAX_PARTICIPANTS
from frost_hsm.errors import NotPossible
from frost_hsm.forms import der, oids
from frost_hsm.forms.asn1 import NUMBER, OCTETS, Form, many, optional
from frost_hsm.frost.values import VerifyingKey

MAX_THINGS: Final = 8 << 20
"""Bytes of all things in one request together."""
MAX_ITEMS: Final = 1024
RAW: Final = "raw"

_TARGET = re.compile(r"[a-z0-9-]{1,32}")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to be signed.

    target: what the signature is for (`frost_hsm.targets`), by which the bytes to sign are made of the thing. name:
    what people call the thing, a file name; may be empty. thing: whatever the target takes; of ``raw`` the message
    itself. is_twice: whether it takes two signatures, of which the second is on something made of the first.

    SEQUENCE { target, name UTF8String, thing OCTET STRING, twice NULL OPTIONAL }
    """

    target: str
    name: str
    thing: bytes = field(repr=False)
    is_twice: bool = False

    def __post_init__(self) -> None:
        if not _TARGET.fullmatch(self.target):
            raise NotPossible("a signing request names a target that cannot be")
        require_line("signing request", "name of an item", self.name)

    def encode(self) -> bytes:
        """Encode in DER."""
        twice = [der.element(der.NULL)] if self.is_twice else []
        return der.sequence(
            der.utf8_string(self.target), der.utf8_string(self.name), der.octet_string(self.thing), *twice
        )

    @classmethod
    def read(cls, reader: der.Reader) -> Item:
        """Read what `encode` wrote."""
        item = reader.sequence()
        once = cls(item.utf8_string(), item.utf8_string(), item.octet_string())
        return replace(once, is_twice=not item.contents(der.NULL)) if item.has(der.NULL) else once


def number_of_signatures(items: Sequence[Item]) -> int:
    """Return how many signatures it takes to sign items."""
    return sum(2 if item.is_twice else 1 for item in items)


class Derive(Protocol):
    """Makes the bytes to sign of an item, for a key. Raises `InputProblem` or `UsageProblem` for what is none.

    first: the first signature, encoded, of an item that takes two; without it those of the first are made.
    """

    def __call__(self, item: Item, key: VerifyingKey, first: bytes | None = None, /) -> bytes:
        """Make them."""


def raw(item: Item, key: VerifyingKey, first: bytes | None = None, /) -> bytes:
    """Derive the bytes to sign of a raw item, which is the message itself; raises `NotPossible` for any other."""
    if item.target != RAW or first is not None:
        raise NotPossible(f'what is signed for target "{item.target}" is not known here')
    return item.thing


_ITEMS = many(Form(der.SEQUENCE, Item.encode, Item.read), MAX_ITEMS)
_OF_EACH_ITEM = many(OCTETS, MAX_ITEMS)
_AHEAD = optional(1, many(OCTETS, MAX_PARTICIPANTS * MAX_ITEMS), ())
_Y_OF_EACH_ITEM = optional(0, _OF_EACH_ITEM, ())


@dataclass(frozen=True, slots=True)
class SigningRequest(Message):
    """Things to be signed. Its content digest is the request's id.

    ceremony: that of the key. state: the digest of the key's `State`. author: the roster position of who asks. random:
    32 bytes. items: what is signed, for every signer to see, 8 MiB at the most; it takes 1 to 1024 signatures. signers:
    roster positions, ascending. randomizer_seed: for signatures under a key that is not linked to the group's, as long
    as a scalar; empty where there is none. commitments: signing commitments that the signers made ahead, for one
    signature after the other in the order of the signers; empty where each is to commit now. needed: how many of the
    signers it takes, chosen by `Attempt` among those who are there; 0 where it takes all of them.

    SEQUENCE { version INTEGER (2), ceremony, state OCTET STRING, author INTEGER, random OCTET STRING,
    items SEQUENCE OF SEQUENCE { target, name UTF8String, thing OCTET STRING, twice NULL OPTIONAL },
    signers SEQUENCE OF INTEGER, randomizerSeed [0] OCTET STRING OPTIONAL,
    commitments [1] SEQUENCE OF OCTET STRING OPTIONAL, needed [2] INTEGER OPTIONAL }
    """

    content_type = oids.SIGNING_REQUEST
    title = "signing request"
    asn1 = (OCTETS, OCTETS, NUMBER, OCTETS, _ITEMS, POSITIONS, optional(0, OCTETS, b""), _AHEAD, optional(2, NUMBER, 0))

    ceremony: bytes
    state: bytes
    author: int
    random: bytes
    items: tuple[Item, ...] = field(repr=False)
    signers: tuple[int, ...]
    randomizer_seed: bytes = field(default=b"", repr=False)
    commitments: tuple[bytes, ...] = ()
    needed: int = 0

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony, self.state, self.random)
        require_position(self.title, self.author)
        if not 1 <= self.signatures <= MAX_ITEMS:
            raise NotPossible(f"a signing request asks for 1 to {MAX_ITEMS} signatures, not {self.signatures}")
        if sum(len(item.thing) for item in self.items) > MAX_THINGS:
            raise NotPossible(f"what is to be signed is larger than {MAX_THINGS} bytes")
        if len(self.signers) < 2 or not are_ascending(self.signers):
            raise NotPossible("the signers are not two or more positions in ascending order")
        wanted = len(self.signers) * self.signatures
        if self.commitments and len(self.commitments) != wanted:
            what = "one a signer and signature"
            raise NotPossible(f"there are {len(self.commitments)} commitments, and not {wanted}: {what}")
        if self.needed and (self.commitments or not 2 <= self.needed < len(self.signers)):
            raise NotPossible(f"it takes {self.needed} of {len(self.signers)} signers, or holds commitments of all")

    @property
    def twice(self) -> tuple[int, ...]:
        """The numbers of the items that take a second signature: those come after the first of all."""
        return tuple(number for number, item in enumerate(self.items) if item.is_twice)

    @property
    def signatures(self) -> int:
        """How many signatures it asks for."""
        return number_of_signatures(self.items)

    @property
    def last_answer(self) -> type[Response] | type[SecondResponse]:
        """The kind of the last answers to it: with everybody's, there are signatures."""
        return SecondResponse if self.twice else Response


@dataclass(frozen=True, slots=True)
class Attempt(Message):
    """Who is to sign, of those whom a request names and who are there; by who asked. Its content digest is its id.

    request: the request's id. signers: roster positions, ascending, as many as are needed. commitments: of these
    signers, as in `SigningRequest`; each serves in one attempt.

    SEQUENCE { version INTEGER (2), request OCTET STRING, signers SEQUENCE OF INTEGER,
    commitments SEQUENCE OF OCTET STRING }
    """

    content_type = oids.ATTEMPT
    title = "attempt"
    asn1 = (OCTETS, POSITIONS, many(OCTETS, MAX_PARTICIPANTS * MAX_ITEMS))

    request: bytes
    signers: tuple[int, ...]
    commitments: tuple[bytes, ...]

    def __post_init__(self) -> None:
        require_hashes(self.title, self.request)
        if len(self.signers) < 2 or not are_ascending(self.signers):
            raise NotPossible("the signers are not two or more positions in ascending order")
        if not self.commitments or len(self.commitments) % len(self.signers):
            raise NotPossible("the commitments of an attempt are not one a signer and signature")

    def at(self, request: SigningRequest) -> SigningRequest:
        """Return the request as those are to answer it who sign; raises `NotPossible` if it is none of that request."""
        if len(self.signers) != request.needed or not set(request.signers).issuperset(self.signers):
            raise NotPossible(
                "the signers of an attempt are not as many as are needed, of those whom the request names"
            )
        return replace(request, signers=self.signers, commitments=self.commitments, needed=0)


@dataclass(frozen=True, slots=True)
class Prepared(Message):
    """Commitments made ahead, for all to take: each serves one signature.

    ceremony: that of the key. state: the digest of the key's `State`. commitments: 1 to 1024 signing commitments.

    SEQUENCE { version INTEGER (2), ceremony, state OCTET STRING, commitments SEQUENCE OF OCTET STRING }
    """

    content_type = oids.PREPARED
    title = "list of commitments made ahead"
    asn1 = (OCTETS, OCTETS, _OF_EACH_ITEM)

    ceremony: bytes
    state: bytes
    commitments: tuple[bytes, ...]

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony, self.state)
        if not 1 <= len(self.commitments) <= MAX_ITEMS:
            raise NotPossible(f"there are 1 to {MAX_ITEMS} commitments made ahead, not {len(self.commitments)}")


@dataclass(frozen=True, slots=True)
class Commitment(Message):
    """The first round of signing.

    request: 32 bytes, the request's id; of an attempt that one answered, to be there for the next. commitments: signing
    commitments, one a signature. y_coordinates: as in `Round1`, one a signature, or none at all.

    SEQUENCE { version INTEGER (2), request OCTET STRING, commitments SEQUENCE OF OCTET STRING,
    yCoordinates [0] SEQUENCE OF OCTET STRING OPTIONAL }
    """

    content_type = oids.COMMITMENT
    title = "commitment"
    asn1 = (OCTETS, _OF_EACH_ITEM, _Y_OF_EACH_ITEM)

    request: bytes
    commitments: tuple[bytes, ...]
    y_coordinates: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        require_hashes(self.title, self.request)
        if not 1 <= len(self.commitments) <= MAX_ITEMS or len(self.y_coordinates) not in (0, len(self.commitments)):
            raise NotPossible("a commitment is not of 1 or more signatures, or has other y coordinates")


@dataclass(frozen=True, slots=True)
class Response(Message):
    """The second round of signing.

    request: the id of the request, or of the attempt at it. commitments_hash: `transcript_hash` of the commitments in
    the order of the signers. shares: signature shares, one an item.

    SEQUENCE { version INTEGER (2), request, commitmentsHash OCTET STRING, shares SEQUENCE OF OCTET STRING }
    """

    content_type = oids.RESPONSE
    title = "response"
    asn1 = (OCTETS, OCTETS, _OF_EACH_ITEM)

    request: bytes
    commitments_hash: bytes
    shares: tuple[bytes, ...]

    def __post_init__(self) -> None:
        require_hashes(self.title, self.request, self.commitments_hash)
        if not 1 <= len(self.shares) <= MAX_ITEMS:
            raise NotPossible("a response is not of 1 or more items")


@dataclass(frozen=True, slots=True)
class SecondResponse(Message):
    """The second round of signing again, for items that take a second signature: once the first ones are there.

    request: the id of the request, or of the attempt at it. responses_hash: `transcript_hash` of the responses, which
    make the first signatures, in the order of the signers. shares: signature shares, one for each such item.

    SEQUENCE { version INTEGER (2), request, responsesHash OCTET STRING, shares SEQUENCE OF OCTET STRING }
    """

    content_type = oids.SECOND_RESPONSE
    title = "second response"
    asn1 = (OCTETS, OCTETS, _OF_EACH_ITEM)

    request: bytes
    responses_hash: bytes
    shares: tuple[bytes, ...]

    def __post_init__(self) -> None:
        require_hashes(self.title, self.request, self.responses_hash)
        if not 1 <= len(self.shares) <= MAX_ITEMS:
            raise NotPossible("a second response is not of 1 or more items")


@dataclass(frozen=True, slots=True)
class Abort(Message):
    """The end of a request before there is a signature: for all by who asked, by a signer for themselves.

    request: the request's id.

    SEQUENCE { version INTEGER (2), request OCTET STRING }
    """

    content_type = oids.ABORT
    title = "abort"
    asn1 = (OCTETS,)

    request: bytes

    def __post_init__(self) -> None:
        require_hashes(self.title, self.request)
