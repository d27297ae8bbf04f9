"""Who is shown to be at fault by a file of signed messages: one judge, for the step that stops and for everybody else.

The judge knows nothing but the file. Whoever has the same file gets the same answer, and whoever does not know the
people sees from the proposal in it by which keys they are meant. Only what nobody says who follows the protocol
convicts:

    two messages            of one step from one sender, with different contents
    a message               whose contents its sender cannot have made honestly
    complaint and opening   of an envelope: if what is in it, opened by the seed that its sender shows, is a good share,
                            the complaint was false; else the envelope is
    a signature share       that does not fit the request, the commitments that it names and the verifying share that
                            its signer confirmed

Without the opening a complaint is a claim, and messages that show that people were told different things do not show by
whom.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from frost_hsm.ceremony.history import dossier, signature_shares
from frost_hsm.ceremony.history.dossier import Dossier
from frost_hsm.ceremony.messages.complaints import Complaint, Opening
from frost_hsm.ceremony.messages.making import Commitment, Confirmation, Message, Response, Round1, Round2
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.messages.upkeep import Dealing, RepairDelta, RepairDone, RepairRequest, RepairSigma
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.ceremony.sealing import shares
from frost_hsm.ceremony.sealing.seat import Seat
from frost_hsm.errors import (
    DeserializationError,
    Equivocation,
    IncorrectNumberOfCommitments,
    InvalidContents,
    InvalidProofOfKnowledge,
    InvalidSecretShare,
    MalformedMessage,
    ProtocolViolation,
    SealBroken,
)
from frost_hsm.frost import dkg, refresh
from frost_hsm.frost import round1 as frost_round1
from frost_hsm.secret import Secret

_ONCE: tuple[type[Message], ...] = (
    Round1,
    Round2,
    Confirmation,
    Commitment,
    Response,
    RepairDelta,
    RepairSigma,
    RepairDone,
    Dealing,
)
"""Of what everybody says one thing and no other, in one ceremony, request or repair."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a dossier shows. culprit: None if it does not show whose fault it is."""

    error: type[ProtocolViolation]
    culprit: PublicIdentity | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a dossier shows, all in all.

    culprits: whoever is proven to be at fault, by the identity that the dossier itself knows them by. awaiting: names
    of those who have to answer a complaint first; claiming: of those who made it. error: what the fault is, if there
    is one.
    """

    sentence: str
    culprits: tuple[PublicIdentity, ...] = ()
    awaiting: tuple[str, ...] = ()
    claiming: tuple[str, ...] = ()
    error: type[ProtocolViolation] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the culprits."""
        return tuple(culprit.name for culprit in self.culprits)

    def violation(self, hint: str | None = None) -> ProtocolViolation:
        """Return the error that says so."""
        return (self.error or ProtocolViolation)(self.sentence, hint=hint, culprits=self.names)


def judge(data: bytes) -> Verdict:
    """Say what a dossier shows. Raises what `dossier.read` raises for a file that is none."""
    return judge_dossier(dossier.read(data))


def judge_dossier(case: Dossier) -> Verdict:
    """As `judge`, of what has been read already."""
    found = list(dict.fromkeys(_findings(case)))
    convicting = [finding for finding in found if finding.culprit is not None]
    open_ = list(_open_complaints(case))
    if convicting:
        culprits = dict.fromkeys(finding.culprit for finding in convicting if finding.culprit is not None)
        return Verdict(_sentence(convicting), tuple(culprits), error=convicting[0].error)
    if open_:
        claims = (f"{by} claims that there is no good share for them in the message of {of}" for by, of in open_)
        claiming, awaiting = (tuple(dict.fromkeys(names)) for names in zip(*open_, strict=True))
        return Verdict("; ".join(claims), awaiting=awaiting, claiming=claiming)
    if found:
        return Verdict(_sentence(found), error=found[0].error)
    return Verdict("this shows nothing against anybody")


def _sentence(findings: list[Finding]) -> str:
    return "; ".join(finding.sentence for finding in findings)


def _findings(case: Dossier) -> Iterator[Finding]:
    yield from _contradictions(case)
    for beginning, seat in case.seats.items():
        for first in case.of(Round1, beginning):
            yield from _round1(seat, first)
        for second in case.of(Round2, beginning):
            yield from _round2(seat, second)
        for dealing in case.of(Dealing, beginning):
            yield from _number_of_envelopes(dealing, len(seat.roster), "participants")
        yield from _disputes(case, seat)
        yield from _views(case, beginning)
    for request in case.of(RepairRequest):
        for delta in case.of(RepairDelta, request.content_digest):
            yield from _number_of_envelopes(delta, len(request.message.helpers), "helpers")
    for said, error, what in signature_shares.wrong(case):
        yield Finding(error, said.sender, f"{said.sender.name} {what}")


# ── What one message, or two, show by themselves ──


def _contradictions(case: Dossier) -> Iterator[Finding]:
    earlier: dict[tuple[object, ...], Signed[Any]] = {}
    for said in case.messages:
        if isinstance(said.message, _ONCE) and said.sender in case.participants:
            step = (type(said.message), dossier.about(said.message), said.sender)
            if earlier.setdefault(step, said).content_digest != said.content_digest:
                name, title = said.sender.name, said.message.title
                yield Finding(Equivocation, said.sender, f"{name} signed two different {title}s")


def read_round1(seat: Seat, said: Signed[Round1]) -> frost_round1.Package:
    """Read the package of a round-1 message; raises `DeserializationError`, the sender's fault."""
    return frost_round1.Package.deserialize(seat.suite, said.message.package, said.message.y_coordinates)


def _round1(seat: Seat, said: Signed[Round1]) -> Iterator[Finding]:
    sender, verify = said.sender, refresh.verify_round1 if seat.epoch else dkg.verify_round1
    try:
        verify(seat.identifier(sender.name), read_round1(seat, said), seat.min_signers)
    except DeserializationError as error:
        yield Finding(InvalidContents, sender, f"{sender.name} signed a round 1 package that is none: {error}")
    except IncorrectNumberOfCommitments as error:
        what = "signed a round 1 commitment of another length than the threshold"
        yield Finding(type(error), sender, f"{sender.name} {what}")
    except InvalidProofOfKnowledge as error:
        yield Finding(type(error), sender, f"{sender.name} signed a round 1 proof of knowledge that does not verify")


def _round2(seat: Seat, said: Signed[Round2]) -> Iterator[Finding]:
    yield from _number_of_envelopes(said, len(seat.roster), "participants")
    for recipient, data in zip(seat.roster, said.message.envelopes, strict=False):
        try:
            shares.require_addressed(seat, said, recipient, data)
        except (MalformedMessage, SealBroken) as error:
            what = f"signed an envelope for {recipient.name} that holds no share: {error}"
            yield Finding(InvalidContents, said.sender, f"{said.sender.name} {what}")


def _number_of_envelopes(said: Signed[Any], expected: int, of_whom: str) -> Iterator[Finding]:
    found = len(said.message.envelopes)
    if found != expected:
        yield Finding(
            InvalidContents, said.sender, f"{said.sender.name} signed {found} envelopes for {expected} {of_whom}"
        )


# ── A share that only its recipient can read ──


def _disputes(case: Dossier, seat: Seat) -> Iterator[Finding]:
    """Open every envelope whose seed is shown; it convicts its sender, or whoever complained about it."""
    first, second = (_by_sender(case.of(kind, seat.ceremony)) for kind in (Round1, Round2))
    complaints = {(said.sender, said.message) for said in case.of(Complaint, seat.ceremony)}
    for opening in case.of(Opening, seat.ceremony):
        sender, position = opening.sender, opening.message.recipient
        if sender not in first or sender not in second or position > len(seat.roster):
            continue
        recipient = seat.roster.at(position)
        wrong = _opened(seat, first[sender], second[sender], recipient, opening.message.seed)
        complaint = _complaint(seat, second[sender])
        if wrong is not None:
            yield Finding(InvalidSecretShare, sender, f"{sender.name} {wrong}")
        elif (recipient, complaint) in complaints and recipient != sender:
            what = f"complained about a good share from {sender.name}"
            yield Finding(InvalidContents, recipient, f"{recipient.name} {what}")


def _complaint(seat: Seat, said: Signed[Round2]) -> Complaint:
    """Return what everybody says who complains about a message."""
    return Complaint(seat.ceremony, seat.roster.position(said.sender.name), said.content_digest)


def _by_sender(messages: list[Signed[Any]]) -> dict[PublicIdentity, Signed[Any]]:
    """Return what each said. Who said two things in one step is convicted of that, and nothing is made of either."""
    said: dict[PublicIdentity, dict[bytes, Signed[Any]]] = {}
    for each in messages:
        said.setdefault(each.sender, {})[each.content_digest] = each
    return {sender: next(iter(found.values())) for sender, found in said.items() if len(found) == 1}


def _opened(
    seat: Seat, first: Signed[Round1], second: Signed[Round2], recipient: PublicIdentity, shown: bytes
) -> str | None:
    """Return what is wrong with the share in an envelope whose seed was shown; None if nothing is."""
    verify = refresh.verify_share if seat.epoch else dkg.verify_share
    sender, receiver = seat.identifier(first.sender.name), seat.identifier(recipient.name)
    try:
        with Secret(shown) as seed:
            package = shares.reopen(seat, second, recipient, seed)
        verify(sender, read_round1(seat, first).commitment, receiver, package.signing_share)
    except InvalidSecretShare:
        return f"sent {recipient.name} a share that does not match the round 1 commitment"
    except (SealBroken, DeserializationError) as error:
        return f"cannot show a share for {recipient.name} in their message: {error}"
    return None


def _open_complaints(case: Dossier) -> Iterator[tuple[str, str]]:
    """List the complaints that wait for an opening: by whom, about whom."""
    for beginning, seat in case.seats.items():
        messages = {_complaint(seat, said): said.sender for said in case.of(Round2, beginning)}
        opened = {(said.sender, said.message.recipient) for said in case.of(Opening, beginning)}
        for said in case.of(Complaint, beginning):
            accused = messages.get(said.message)
            by = seat.roster.position(said.sender.name)
            if accused is not None and accused != said.sender and (accused, by) not in opened:
                yield said.sender.name, accused.name


# ── Different views, without a culprit ──


def _views(case: Dossier, beginning: bytes) -> Iterator[Finding]:
    rounds, ends = case.of(Round2, beginning), case.of(Confirmation, beginning)
    for said in rounds:
        if said.message.round1_hash != rounds[0].message.round1_hash:
            what = f"saw other round 1 messages than {rounds[0].sender.name}"
            yield Finding(Equivocation, None, f"{said.sender.name} {what}")
    for end in ends:
        if end.content_digest != ends[0].content_digest:
            what = f"confirms another transcript than {ends[0].sender.name}"
            codes = f"{end.message.check_code}, and {ends[0].message.check_code}"
            yield Finding(Equivocation, None, f"{end.sender.name} {what}: {codes}")
