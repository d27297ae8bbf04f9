"""What participants say to each other to import a key, to refresh it and to repair shares of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from frost_hsm.ceremony.messages.making import ENVELOPES, POSITIONS, Message, require_envelopes, require_hashes
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.ceremony.people.roster import MAX_PARTICIPANTS
from frost_hsm.errors import NotPossible, UnknownSender
from frost_hsm.forms import der, oids
from frost_hsm.forms.asn1 import CLOSED, NUMBER, OCTETS, Form

_IDENTITY = Form(der.SEQUENCE, PublicIdentity.encode, PublicIdentity.read)


@dataclass(frozen=True, slots=True)
class RefreshProposal(Message):
    """The shares of a key, to be made anew by all. Its content digest is the refresh's id.

    ceremony: that of the key. key: the group's verifying key. epoch: the new one, one more than the present.
    previous: the content digest of the confirmations of the present epoch. roster: `Roster.digest`. random: 32
    bytes.

    SEQUENCE { version INTEGER (1), ceremony, key OCTET STRING, epoch INTEGER, previous, roster, random OCTET
    STRING }
    """

    content_type = oids.REFRESH_PROPOSAL
    title = "refresh proposal"
    asn1 = (OCTETS, OCTETS, NUMBER, OCTETS, OCTETS, OCTETS)

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


@dataclass(frozen=True, slots=True)
class Dealing(Message):
    """The shares of a key that its author knows, in place of both rounds of key generation.

    ceremony: 32 bytes, the id of the proposal. envelopes: a secret share for every participant in the order of the
    roster, the dealer included, each a DER ContentInfo that only its recipient takes apart.

    SEQUENCE { version INTEGER (1), ceremony OCTET STRING, envelopes SEQUENCE OF ContentInfo }
    """

    content_type = oids.DEALING
    title = "dealing"
    asn1 = (OCTETS, ENVELOPES)

    ceremony: bytes
    envelopes: tuple[bytes, ...] = field(repr=False)

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony)
        require_envelopes(self.title, self.envelopes)


@dataclass(frozen=True, slots=True)
class RepairRequest(Message):
    """A lost share, to be rebuilt for a new identity, or a share for a new participant. Its content digest is its id.

    ceremony, key, epoch, previous, roster, random: as in `RefreshProposal`, of the present epoch. position: of the one
    who receives, after the last for a new participant. receiver: their identity, by which it is signed. helpers: roster
    positions, ascending; none if the receiver is the second token of whoever has the position, and needs no help.

    SEQUENCE { version INTEGER (1), ceremony, key OCTET STRING, epoch INTEGER, previous, roster, random OCTET STRING,
    position INTEGER, sign, agree Certificate, recovery [0] { sign, agree Certificate } OPTIONAL,
    helpers SEQUENCE OF INTEGER }
    """

    content_type = oids.REPAIR_REQUEST
    title = "repair request"
    asn1 = (OCTETS, OCTETS, NUMBER, OCTETS, OCTETS, OCTETS, NUMBER, _IDENTITY, POSITIONS)

    ceremony: bytes
    key: bytes
    epoch: int
    previous: bytes
    roster: bytes
    random: bytes
    position: int
    receiver: PublicIdentity
    helpers: tuple[int, ...]

    def __post_init__(self) -> None:
        require_hashes(self.title, self.ceremony, self.previous, self.roster, self.random)
        ascending = all(one < next_ for one, next_ in zip(self.helpers, self.helpers[1:], strict=False))
        within = 1 <= min(self.helpers, default=1) and max(self.helpers, default=1) <= MAX_PARTICIPANTS
        if len(self.helpers) == 1 or not (ascending and within):
            raise NotPossible("the helpers are not two or more positions in ascending order, nor none")
        if not 1 <= self.position <= MAX_PARTICIPANTS or self.position in self.helpers:
            raise NotPossible("the one who receives has no position, or one of a helper")

    def by_signer(self, key_id: bytes) -> PublicIdentity:
        """Return the one who receives, if their sign key has this identifier; raises `UnknownSender`."""
        if key_id != self.receiver.sign_key.key_id:
            raise UnknownSender("the repair request is not signed by the one who would receive the share")
        return self.receiver


@dataclass(frozen=True, slots=True)
class RepairDelta(Message):
    """A helper's first step.

    repair: 32 bytes, the request's id. envelopes: a delta for every helper in their order, oneself included, each a DER
    ContentInfo that only its recipient takes apart.

    SEQUENCE { version INTEGER (1), repair OCTET STRING, envelopes SEQUENCE OF ContentInfo }
    """

    content_type = oids.REPAIR_DELTA
    title = "repair delta"
    asn1 = (OCTETS, ENVELOPES)

    repair: bytes
    envelopes: tuple[bytes, ...] = field(repr=False)

    def __post_init__(self) -> None:
        require_hashes(self.title, self.repair)
        require_envelopes(self.title, self.envelopes)


@dataclass(frozen=True, slots=True)
class RepairSigma(Message):
    """A helper's second step, and its agreement that the one who receives takes the position.

    repair: the request's id. deltas_hash: `transcript_hash` of the deltas in the order of the helpers. envelope: the
    sigma, a DER ContentInfo that only the one who receives takes apart.

    SEQUENCE { version INTEGER (1), repair, deltasHash OCTET STRING, envelope ContentInfo }
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

    SEQUENCE { version INTEGER (1), repair, sigmasHash OCTET STRING }
    """

    content_type = oids.REPAIR_DONE
    title = "end of a repair"
    asn1 = (OCTETS, OCTETS)

    repair: bytes
    sigmas_hash: bytes

    def __post_init__(self) -> None:
        require_hashes(self.title, self.repair, self.sigmas_hash)
