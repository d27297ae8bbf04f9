"""What participants say when somebody's place in a group changes or a step is given up, and where they stand."""

from __future__ import annotations

from dataclasses import dataclass, field

from frost_hsm.ceremony.messages.message import (
    ENVELOPES,
    HASHES,
    IDENTITY,
    POSITIONS,
    Enclosing,
    Envelopes,
    Message,
    are_ascending,
    require_ascending,
    require_hash_list,
    require_hashes,
    require_position,
)
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.errors import NotPossible, UnknownSender
from frost_hsm.forms import oids
from frost_hsm.forms.asn1 import CLOSED, NUMBER, OCTETS


@dataclass(frozen=True, slots=True)
class RepairRequest(Message):
    """A lost share, to be rebuilt for a new identity, or a share for a new participant. Its content digest is its id.

    ceremony: that of the key. state: the digest of the `State` that it changes. random: 32 bytes. position: of the one
    who receives, after the last for a new participant. receiver: their identity, by which it is signed. helpers: roster
    positions, ascending; none if the receiver is the second token of whoever has the position, and needs no help.
    absent: positions of those whose confirmation is not waited for. displaces: ids of unfinished successors of the same
    state, ascending, whose place this one takes.

    SEQUENCE { version INTEGER (2), ceremony, state, random OCTET STRING, position INTEGER,
    sign, agree Certificate, recovery [0] { sign, agree Certificate } OPTIONAL,
    helpers, absent SEQUENCE OF INTEGER, displaces SEQUENCE OF OCTET STRING }
    """

    content_type = oids.REPAIR_REQUEST
    title = "repair request"
    asn1 = (OCTETS, OCTETS, OCTETS, NUMBER, IDENTITY, POSITIONS, POSITIONS, HASHES)

    ceremony: bytes
    state: bytes
    random: bytes
    position: int
    receiver: PublicIdentity
    helpers: tuple[int, ...]
    absent: tuple[int, ...] = ()
    displaces: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony, self.state, self.random)
        require_position(self.title, self.position)
        require_ascending(self.title, self.displaces)
        if len(self.helpers) == 1 or not are_ascending(self.helpers):
            raise NotPossible("the helpers are not two or more positions in ascending order, nor none")
        if not are_ascending(self.absent) or set(self.absent) & {*self.helpers, self.position}:
            raise NotPossible("those who are absent are not positions in ascending order, or one of them takes part")
        if self.position in self.helpers:
            raise NotPossible("the one who receives has the position of a helper")

    def by_signer(self, key_id: bytes) -> PublicIdentity:
        """Return the one who receives, if their sign key has this identifier; raises `UnknownSender`."""
        if key_id != self.receiver.sign_key.key_id:
            raise UnknownSender("the repair request is not signed by the one who would receive the share")
        return self.receiver


@dataclass(frozen=True, slots=True)
class RepairDelta(Enclosing):
    """A helper's first step.

    repair: 32 bytes, the request's id. envelopes: a delta for every helper in their order, oneself included, each a DER
    ContentInfo that only its recipient takes apart.

    SEQUENCE { version INTEGER (4), repair OCTET STRING, envelopes OCTET STRING }
    """

    content_type = oids.REPAIR_DELTA
    title = "repair delta"
    asn1 = (OCTETS, ENVELOPES)

    repair: bytes
    envelopes: Envelopes = field(repr=False)

    def __post_init__(self) -> None:
        require_hashes(self.title, self.repair)
        require_hash_list(self.title, self.envelopes.hashes)


@dataclass(frozen=True, slots=True)
class RepairSigma(Message):
    """A helper's second step.

    repair: the request's id. deltas_hash: `transcript_hash` of the deltas in the order of the helpers. envelope: the
    sigma, a DER ContentInfo that only the one who receives takes apart.

    SEQUENCE { version INTEGER (2), repair, deltasHash OCTET STRING, envelope ContentInfo }
    """

    content_type = oids.REPAIR_SIGMA
    title = "repair sigma"
    asn1 = (OCTETS, OCTETS, CLOSED)

    repair: bytes
    deltas_hash: bytes
    envelope: bytes = field(repr=False)

    def __post_init__(self) -> None:
        require_hashes(self.title, self.repair, self.deltas_hash)


@dataclass(frozen=True, slots=True)
class RepairDone(Message):
    """The word of the one who receives that the share is right and sealed.

    repair: the request's id. sigmas_hash: `transcript_hash` of the sigmas in the order of the helpers.

    SEQUENCE { version INTEGER (2), repair, sigmasHash OCTET STRING }
    """

    content_type = oids.REPAIR_DONE
    title = "repair end"
    asn1 = (OCTETS, OCTETS)

    repair: bytes
    sigmas_hash: bytes

    def __post_init__(self) -> None:
        require_hashes(self.title, self.repair, self.sigmas_hash)


@dataclass(frozen=True, slots=True)
class Abandonment(Message):
    """The end, for good, of what some have confirmed and not all. Its content digest is its id; all have to confirm it.

    ceremony: that of the key. state: the digest of the `State` that stays, and goes on as the next. author: the roster
    position of who asks for it. random: 32 bytes. displaces: ids of the unfinished successors of that state that are
    abandoned, ascending.

    SEQUENCE { version INTEGER (2), ceremony, state OCTET STRING, author INTEGER, random OCTET STRING,
    displaces SEQUENCE OF OCTET STRING }
    """

    content_type = oids.ABANDONMENT
    title = "abandonment"
    asn1 = (OCTETS, OCTETS, NUMBER, OCTETS, HASHES)

    ceremony: bytes
    state: bytes
    author: int
    random: bytes
    displaces: tuple[bytes, ...]

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony, self.state, self.random)
        require_ascending(self.title, self.displaces)
        if not self.displaces:
            raise NotPossible("an abandonment abandons nothing")


@dataclass(frozen=True, slots=True)
class Standing(Message):
    """Where somebody stands: in this state of the key, and in no other successor of the one before it.

    ceremony: that of the key. state: the digest of the `State`. shown: the content digest of the standing of somebody
    else that led there in spite of a vote for what displaces it; 32 bytes, or empty.

    SEQUENCE { version INTEGER (2), ceremony, state, shown OCTET STRING }
    """

    content_type = oids.STANDING
    title = "standing"
    asn1 = (OCTETS, OCTETS, OCTETS)

    ceremony: bytes
    state: bytes
    shown: bytes = b""

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony, self.state, *([self.shown] if self.shown else []))


@dataclass(frozen=True, slots=True)
class GivenUp(Message):
    """A note of one's own, which is sent to nobody: what this is about is not pursued here, though it may end well.

    ceremony: the id of what was given up, 32 bytes.

    SEQUENCE { version INTEGER (2), ceremony OCTET STRING }
    """

    content_type = oids.GIVEN_UP
    title = "note that something was given up"
    asn1 = (OCTETS,)

    ceremony: bytes

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony)
