"""Signed messages one after the other in one file, which whoever has nothing else can judge.

First comes the proposal, which says who takes part; then what changed that since: repairs with the agreement of their
helpers, or by a second token that an identity names; then the refresh or the request that the rest is about; then the
rest. Each is in PEM as it was sent, so that OpenSSL verifies it too. At the end there may be the public key package
that somebody in it confirmed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.complaints import Complaint, Opening
from frost_hsm.ceremony.messages.making import (
    Commitment,
    Confirmation,
    Message,
    Proposal,
    Response,
    Round1,
    Round2,
    SigningRequest,
)
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.messages.upkeep import (
    Dealing,
    RefreshProposal,
    RepairDelta,
    RepairDone,
    RepairRequest,
    RepairSigma,
)
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.ceremony.sealing.seat import Seat
from frost_hsm.errors import ForeignMessage, MalformedMessage, NotKnown, UsageProblem
from frost_hsm.forms import cms, pem

PACKAGE_LABEL: Final = "FROST PUBLIC KEY PACKAGE"
MAX_SIZE: Final = 16 << 20
MAX_MESSAGES: Final = 256
"""Of each participant, on average: each takes time to verify."""

M = TypeVar("M", bound=Message)

_WHAT = "a file of several messages"
_END = f"-----END {cms.PEM_LABEL}-----\n".encode()
_PACKAGE = f"-----BEGIN {PACKAGE_LABEL}-----\n".encode()


_OF_ROUNDS = (Round1, Round2, Confirmation, Dealing, Complaint, Opening)
_OF_REQUESTS = (Commitment, Response)
_OF_REPAIRS = (RepairDelta, RepairSigma, RepairDone)


def about(message: Message) -> bytes | None:
    """Return the id of the ceremony, request or repair that a message belongs to; None for those that begin one."""
    if isinstance(message, _OF_ROUNDS):
        return message.ceremony
    if isinstance(message, _OF_REQUESTS):
        return message.request
    if isinstance(message, _OF_REPAIRS):
        return message.repair
    return None


@dataclass(frozen=True, slots=True)
class Dossier:
    """What is in such a file, every signature verified, every message part of what comes before it.

    participants: everybody who took part at some time; whoever asks for a share does once the helpers have agreed.
    rosters: who took part in each ceremony, request or repair in it, by its id. seats: the key generation and the
    refreshes among them, as their proposer sees them. package: the public key package, postcard, signed by nobody.
    """

    messages: tuple[Signed[Any], ...]
    participants: Set[PublicIdentity]
    rosters: Mapping[bytes, Roster]
    seats: Mapping[bytes, Seat]
    package: bytes | None = field(default=None, repr=False)
    _index: Mapping[tuple[type[Any], bytes | None], list[Signed[Any]]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index: dict[tuple[type[Any], bytes | None], list[Signed[Any]]] = {}
        for said in self.messages:
            index.setdefault((type(said.message), about(said.message)), []).append(said)
        object.__setattr__(self, "_index", index)

    @property
    def proposal(self) -> Signed[Proposal]:
        """The proposal of the key generation that all of it goes back to."""
        return self.messages[0]

    def of(self, kind: type[M], beginning: bytes | None = None) -> list[Signed[M]]:
        """List the messages of a kind that are about one ceremony, request or repair; None: that begin one."""
        return self._index.get((kind, beginning), [])


def write(messages: Iterable[Signed[Any]], package: bytes | None = None) -> bytes:
    """Put messages into one file, in this order; the same twice is there once."""
    parts = list(dict.fromkeys(said.to_pem() for said in messages))
    if package is not None:
        parts.append(pem.encode(PACKAGE_LABEL, package))
    return b"".join(parts)


def read(data: bytes) -> Dossier:
    """Read what `write` wrote, and verify all of it.

    Raises `MalformedMessage`, `UnknownSender`, `BadMessageSignature`; `ForeignMessage` for a message that belongs to
    nothing in the file; `InvalidContents` naming whoever signed what is no message.
    """
    if len(data) > MAX_SIZE:
        raise MalformedMessage(f"{_WHAT} is larger than {MAX_SIZE} bytes")
    text = data.replace(b"\r\n", b"\n")
    messages, mark, package = text.partition(_PACKAGE)
    first, *others = pem.decode(cms.PEM_LABEL, messages, _WHAT, blocks=max(1, messages.count(_END)))
    try:
        reading = _Reading(signed.read(first).expect(Proposal))
        if len(others) > MAX_MESSAGES * len(reading.messages[0].message.roster):
            raise MalformedMessage(f"{_WHAT} holds more than {MAX_MESSAGES} of each participant")
        for each in others:
            reading.add(each)
    except (UsageProblem, NotKnown) as error:  # a suite that is not known here, a group that cannot be
        raise MalformedMessage(f"{_WHAT} cannot be: {error}") from None
    found = pem.decode(PACKAGE_LABEL, mark + package, "a public key package")[0] if mark else None
    return Dossier(tuple(reading.messages), reading.participants, reading.rosters, reading.seats, found)


class _Reading:
    """Follows the messages from the proposal on: who takes part, and what each may be about."""

    def __init__(self, proposal: Signed[Proposal]) -> None:
        self._first = Seat.take(proposal, proposal.sender)
        self._requests: set[bytes] = set()
        self._repairs: dict[bytes, RepairRequest] = {}
        self._agreed: dict[bytes, set[PublicIdentity]] = {}
        self.messages: list[Signed[Any]] = [proposal]
        self.participants: set[PublicIdentity] = set()
        self.rosters = {self._first.ceremony: self._first.roster}
        self.seats = {self._first.ceremony: self._first}
        self._take_part(self._first.roster)

    def add(self, data: bytes) -> None:
        """Read one more message."""
        message = signed.decode(cms.parse(data))
        said = signed.read(data, self._speakers(message))
        self.messages.append(said)
        if isinstance(message, RefreshProposal | SigningRequest | RepairRequest):
            self._begin(said)
        elif isinstance(message, RepairSigma):
            self._agree(message.repair, said.sender)

    def _take_part(self, roster: Roster) -> None:
        """Note who takes part from here on. The digest is kept, because it takes long for many."""
        self._roster, self._digest = roster, roster.digest
        self.participants.update(roster)

    def _speakers(self, message: Message) -> Roster | None:
        """Return those who may say this; None for what names its sender itself. Raises `ForeignMessage`."""
        if isinstance(message, RepairRequest):
            return None
        if isinstance(message, RefreshProposal | SigningRequest):
            return self._roster
        beginning = about(message)
        if isinstance(message, _OF_ROUNDS) and beginning in self.seats:
            return self.rosters[beginning]
        if isinstance(message, _OF_REQUESTS) and beginning in self._requests:
            return self.rosters[beginning]
        if isinstance(message, _OF_REPAIRS) and beginning in self._repairs:
            is_end = isinstance(message, RepairDone)
            return self._repaired(self._repairs[beginning]) if is_end else self.rosters[beginning]
        raise ForeignMessage(f"the {message.title} in it belongs to nothing in it")

    def _begin(self, said: Signed[Any]) -> None:
        message, beginning = said.message, said.content_digest
        if message.ceremony != self._first.ceremony:
            raise ForeignMessage(f"the {message.title} in it is about another key than the proposal")
        if not isinstance(message, SigningRequest) and message.roster != self._digest:
            raise ForeignMessage(f"the {message.title} in it is for other participants than those in it")
        self.rosters[beginning] = self._roster
        if isinstance(message, RepairRequest):
            self._repairs[beginning] = message
            if not message.helpers and self._roster.at(message.position).is_recovered_by(message.receiver):
                self._take_part(self._repaired(message))
        elif isinstance(message, SigningRequest):
            self._requests.add(beginning)
        elif isinstance(message, RefreshProposal):
            self.seats[beginning] = replace(
                self._first,
                ceremony=beginning,
                roster=self._roster,
                me=said.sender,
                epoch=message.epoch,
                key=message.key,
            )

    def _agree(self, repair: bytes, helper: PublicIdentity) -> None:
        """Follow a repair once all its helpers, a threshold of participants, have agreed."""
        request, roster = self._repairs[repair], self._roster
        agreed = self._agreed.setdefault(repair, set())
        agreed.add(helper)
        if request.roster == self._digest and len(request.helpers) >= self._first.min_signers:
            if agreed >= {roster.at(position) for position in request.helpers}:
                self._take_part(self._repaired(request))

    def _repaired(self, request: RepairRequest) -> Roster:
        return self._roster.with_member(request.position, request.receiver)
