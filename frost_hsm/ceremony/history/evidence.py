"""Who is shown to be at fault by signed messages: one judge, for the step that stops and for everybody else.

The judge knows nothing but the messages. Whoever has the same gets the same answer, and whoever does not know the
people sees from the proposal by which keys they are meant. Only what nobody says who follows the protocol convicts,
whatever they said before and had to say again after a loss:

    two messages            of a step in which everybody says one thing and no other, from one sender
    two votes               for successors of one state of which neither displaces the other
    a standing              in what its sender's own vote displaces, unless it cites somebody's who voted for that too
    a message               whose contents its sender cannot have made honestly
    complaint and opening   of an envelope that is there, together with its sender's round 1, the one that the round 2
                            names by the list in the complaint: if what is in it, opened by the seed that its sender
                            shows, is a good share, the complaint was false; else the envelope is
    a signature share       that does not fit the request, the commitments that it names and the verifying share that
                            its signer has in the state that the request names

Without the opening a complaint is a claim, and messages that show that people were told different things do not show by
whom. Commitments, and all of a repair but the confirmations, may be made a second time by somebody whose state
directory was lost, and are then others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from frost_hsm.ceremony.history import dossier, rules, signature_shares
from frost_hsm.ceremony.history.chain import History
from frost_hsm.ceremony.history.chapter import Chapter
from frost_hsm.ceremony.history.state import State
from frost_hsm.ceremony.messages.changing import RepairDelta, RepairRequest
from frost_hsm.ceremony.messages.complaints import Complaint, Opening
from frost_hsm.ceremony.messages.making import Confirmation, Dealing, Proposal, RefreshProposal, Round1, Round2
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.messages.using import Derive, raw
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
from frost_hsm.frost.keys import dkg, refresh
from frost_hsm.frost.keys import round1 as frost_round1
from frost_hsm.secret import Secret


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that messages show. culprit: None if they do not show whose fault it is."""

    error: type[ProtocolViolation]
    culprit: PublicIdentity | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What messages show, all in all.

    culprits: whoever is proven to be at fault, by the identity that the messages themselves know them by. awaiting:
    names of those who have to answer a complaint first; claiming: of those who made it. error: what the fault is, if
    there is one.
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


def judge(data: bytes, derive: Derive = raw) -> Verdict:
    """Say what a file of messages shows. Raises what `dossier.read` raises for one that is none.

    derive: the bytes to sign of an item; of what cannot be derived, signature shares are not judged.
    """
    return judge_history(dossier.read(data), derive)


def judge_history(history: History, derive: Derive = raw) -> Verdict:
    """As `judge`, of what has been read already."""
    found = list(dict.fromkeys(_findings(history, derive)))
    convicting = [finding for finding in found if finding.culprit is not None]
    if convicting:
        culprits = dict.fromkeys(finding.culprit for finding in convicting if finding.culprit is not None)
        return Verdict(_sentence(convicting), tuple(culprits), error=convicting[0].error)
    open_ = [each for chapter in history.chapters.values() for each in _open_complaints(chapter)]
    if open_:
        claims = (f"{by} claims that there is no good share for them in the message of {of}" for by, of in open_)
        claiming, awaiting = (tuple(dict.fromkeys(names)) for names in zip(*open_, strict=True))
        return Verdict("; ".join(claims), awaiting=awaiting, claiming=claiming)
    if found:
        return Verdict(_sentence(found), error=found[0].error)
    return Verdict("this shows nothing against anybody")


def _sentence(findings: list[Finding]) -> str:
    return "; ".join(finding.sentence for finding in findings)


def _findings(history: History, derive: Derive) -> Iterator[Finding]:
    claims = history.claims()
    standing: dict[tuple[PublicIdentity, bytes], list[bytes]] = {}  # whose claims, in which successor
    for digest, said in history.standings.items():
        standing.setdefault((said.sender, claims[digest].successor), []).append(digest)
    for chapter in history.chapters.values():
        yield from _contradictions(chapter)
        if chapter.epoch is not None:
            yield from _shares_made(chapter)
        if isinstance(chapter.beginning.message, RepairRequest):
            for delta in chapter.of(RepairDelta):
                yield from _number_of_envelopes(delta, len(chapter.beginning.message.helpers), "helpers")
        yield from _views(chapter)
    for state in history.states.values():
        yield from _votes(history, state, claims, standing)
    for said, error, what in signature_shares.wrong(history, derive):
        yield Finding(error, said.sender, f"{said.sender.name} {what}")


# ── What two messages of one sender show ──


def _contradictions(chapter: Chapter) -> Iterator[Finding]:
    for kind in (kind for kind in chapter.said if kind.is_said_once):
        earlier: dict[PublicIdentity, Signed[Message]] = {}
        for said in chapter.of(kind):
            if earlier.setdefault(said.sender, said).content_digest != said.content_digest:
                name = said.sender.name
                yield Finding(Equivocation, said.sender, f"{name} signed two different {kind.title}s")


def _votes(
    history: History,
    state: State,
    claims: Mapping[bytes, rules.Claim],
    standing: Mapping[tuple[PublicIdentity, bytes], Sequence[bytes]],
) -> Iterator[Finding]:
    """Hold everybody's votes for successors of one state against each other, and against where they say they stand."""
    chapters = {each.id: each for each in history.successors(state)}
    votes: dict[PublicIdentity, list[rules.Successor]] = {}
    for chapter in chapters.values():
        for said in chapter.of(Confirmation):
            votes.setdefault(said.sender, []).append(chapter.successor)
    for voter, voted in votes.items():
        for one, other in combinations(voted, 2):
            if rules.contradict(one, other):
                titles = f"{chapters[one.id].title} and {chapters[other.id].title}"
                what = f"confirmed what excludes each other: {titles}"
                yield Finding(Equivocation, voter, f"{voter.name} {what}")
                break  # one is enough, and of thousands there would be millions
    for voter, voted in votes.items():
        displaced = [id_ for id_ in chapters if any(id_ in each.displaces for each in voted)]
        for id_ in displaced:
            if any(rules.is_lie(claims[each], voted, claims) for each in standing.get((voter, id_), ())):
                what = f"stands in {chapters[id_].title}, and confirmed what displaces it"
                yield Finding(Equivocation, voter, f"{voter.name} {what}")


# ── What one message shows by itself ──


def seat_of(chapter: Chapter) -> Seat:
    """Return the making of shares that a chapter is, as whoever began it sees it."""
    beginning, before = chapter.beginning, chapter.before
    if before is None:
        return Seat.take(beginning, beginning.sender)
    return Seat(
        chapter.id,
        before.name,
        before.suite,
        before.roster,
        before.min_signers,
        beginning.sender,
        before.epoch + 1,
        before.digest,
        before.numbering,
    )


def read_round1(seat: Seat, said: Signed[Round1]) -> frost_round1.Package:
    """Read the package of a round-1 message; raises `DeserializationError`, the sender's fault."""
    return frost_round1.Package.deserialize(seat.suite, said.message.package, said.message.y_coordinates)


def read_proven_round1(seat: Seat, said: Signed[Round1]) -> frost_round1.Package:
    """As `read_round1`, and check what a refresh proves; raises `ProtocolViolation` too, the sender's fault."""
    package = read_round1(seat, said)
    check_proofs(seat, said, package)
    return package


def _shares_made(chapter: Chapter) -> Iterator[Finding]:
    seat = seat_of(chapter)
    for first in chapter.of(Round1):
        yield from _round1(seat, first)
    for second in chapter.of(Round2):
        yield from _round2(seat, second)
    for dealing in chapter.of(Dealing):
        yield from _number_of_envelopes(dealing, len(seat.roster), "participants")
    yield from _disputes(chapter, seat)


def verify_round1(seat: Seat, said: Signed[Round1]) -> None:
    """Check a round-1 message by itself; whatever it raises is its sender's fault."""
    package, verify = read_round1(seat, said), refresh.verify_round1 if seat.epoch else dkg.verify_round1
    verify(seat.identifier(said.sender.name), package, seat.min_signers)
    check_proofs(seat, said, package)


def check_proofs(seat: Seat, said: Signed[Round1], package: frost_round1.Package) -> None:
    """Check that a message of a refresh proves knowledge of every coefficient, for this one; others prove nothing."""
    if seat.epoch:
        identifier = seat.identifier(said.sender.name)
        refresh.verify_coefficients(identifier, package.commitment, said.message.proofs, seat.ceremony)
    elif said.message.proofs:
        raise DeserializationError("it holds proofs that only a refresh has")


def _round1(seat: Seat, said: Signed[Round1]) -> Iterator[Finding]:
    sender = said.sender
    try:
        verify_round1(seat, said)
    except DeserializationError as error:
        yield Finding(InvalidContents, sender, f"{sender.name} signed a round 1 package that is none: {error}")
    except IncorrectNumberOfCommitments as error:
        what = "signed a round 1 commitment of another length than the threshold"
        yield Finding(type(error), sender, f"{sender.name} {what}")
    except InvalidProofOfKnowledge as error:
        yield Finding(type(error), sender, f"{sender.name} signed a round 1 proof of knowledge that does not verify")


def _round2(seat: Seat, said: Signed[Round2]) -> Iterator[Finding]:
    yield from _number_of_envelopes(said, len(seat.roster), "participants")
    for recipient, envelope in zip(seat.roster, said.message.envelopes, strict=False):
        try:
            if envelope.data is not None:
                shares.require_addressed(seat, said, recipient, envelope.data)
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


def _disputes(chapter: Chapter, seat: Seat) -> Iterator[Finding]:
    """Open every envelope that is disputed and whose seed is shown; it convicts its sender, or who complained of it."""
    claims = list(_claims(chapter, seat))
    claiming = {(claim.sender, second.sender) for claim, second in claims}
    disputed = {second.sender: (claim, second) for claim, second in claims}
    for opening in chapter.of(Opening):
        sender, position = opening.sender, opening.message.recipient
        is_somebody = sender in disputed and position <= len(seat.roster)
        if not is_somebody or not _holds_envelope(disputed[sender][1], position):
            continue
        claim, second = disputed[sender]
        first = _round1_named_by(claim, chapter, sender)
        if first is None:
            continue
        recipient = seat.roster.at(position)
        wrong = _opened(seat, first, second, recipient, opening.message.seed)
        if wrong is not None:
            yield Finding(InvalidSecretShare, sender, f"{sender.name} {wrong}")
        elif (recipient, sender) in claiming and recipient != sender:
            what = f"complained about a good share from {sender.name}"
            yield Finding(InvalidContents, recipient, f"{recipient.name} {what}")


def _claims(chapter: Chapter, seat: Seat) -> Iterator[tuple[Signed[Complaint], Signed[Round2]]]:
    """Give the complaints about messages that are here, with these; others claim nothing."""
    messages = {seat.roster.position(sender.name): said for sender, said in chapter.by_sender(Round2).items()}
    for claim in chapter.of(Complaint):
        position = claim.message.accused
        second = messages.get(position)
        if second is not None and claim.message.is_about(position, second.content_digest, second.message.round1_hash):
            yield claim, second


def _round1_named_by(claim: Signed[Complaint], chapter: Chapter, accused: PublicIdentity) -> Signed[Round1] | None:
    """Return the round 1 that the disputed message names; None if it is not here."""
    own = (said for said in chapter.of(Round1) if said.sender == accused)
    return next((said for said in own if said.content_digest == claim.message.round1_of_accused), None)


def _holds_envelope(said: Signed[Round2], position: int) -> bool:
    """Whether the envelope for a position in the roster came with a message: without it, nothing can be opened."""
    envelopes = said.message.envelopes
    return position <= len(envelopes) and envelopes[position - 1].data is not None


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


def _open_complaints(chapter: Chapter) -> Iterator[tuple[str, str]]:
    """List the complaints that wait for an opening: by whom, about whom."""
    if not isinstance(chapter.beginning.message, Proposal | RefreshProposal):
        return
    seat = seat_of(chapter)
    opened = {(said.sender, said.message.recipient) for said in chapter.of(Opening)}
    for claim, second in _claims(chapter, seat):
        by, accused = seat.roster.position(claim.sender.name), second.sender
        is_answered = (accused, by) in opened and _holds_envelope(second, by)
        if accused != claim.sender and not is_answered:
            yield claim.sender.name, accused.name


# ── Different views, without a culprit ──


def _views(chapter: Chapter) -> Iterator[Finding]:
    rounds, ends = chapter.of(Round2), chapter.of(Confirmation)
    for said in rounds:
        if said.message.round1_hash != rounds[0].message.round1_hash:
            what = f"saw other round 1 messages than {rounds[0].sender.name}"
            yield Finding(Equivocation, None, f"{said.sender.name} {what}")
    for end in ends:
        if end.content_digest != ends[0].content_digest:
            what = f"confirms another transcript than {ends[0].sender.name}"
            codes = f"{end.message.check_code}, and {ends[0].message.check_code}"
            yield Finding(Equivocation, None, f"{end.sender.name} {what}: {codes}")
