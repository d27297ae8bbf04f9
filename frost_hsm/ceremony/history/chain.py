"""The one chain of signed statements that a key is, read from messages in whatever order they come.

Name, epoch, roster and public key package of a key are computed here, and nowhere else. Nothing is trusted but what is
signed: a chapter is read once the state that it starts from is known, and makes the next one once all who have to have
confirmed it.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from frost_hsm.ceremony.history.chapter import Chapter, about, said_in
from frost_hsm.ceremony.history.rules import Claim, View
from frost_hsm.ceremony.history.state import State
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.changing import Abandonment, RepairRequest, Standing
from frost_hsm.ceremony.messages.making import Confirmation, Proposal, RefreshProposal
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.messages.using import Attempt, Commitment, Response, SecondResponse, SigningRequest
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.errors import Equivocation, ForeignMessage, NotKnown, UsageProblem
from frost_hsm.forms import cms
from frost_hsm.frost import ciphersuites
from frost_hsm.frost.keys import repair
from frost_hsm.frost.packages import PublicKeyPackage

_OF_STATES = (RefreshProposal, RepairRequest, Abandonment, SigningRequest, Standing)


@dataclass
class Request:
    """A signing request in a history: what was asked, in which state, and what was answered, by sender and contents."""

    beginning: Signed[SigningRequest]
    state: State
    commitments: dict[tuple[bytes, bytes], Signed[Commitment]] = field(default_factory=dict)
    responses: dict[tuple[bytes, bytes], Signed[Response]] = field(default_factory=dict)
    second_responses: dict[tuple[bytes, bytes], Signed[SecondResponse]] = field(default_factory=dict)

    def attempt(self, said: Signed[Attempt]) -> Request:
        """Return an attempt at it, which is answered as a request of its own. Raises `ForeignMessage`."""
        return Request(attempted(self.beginning, said), self.state)

    def add(self, said: Signed[Any]) -> None:
        """Take in what somebody said in it, the same once; an abort convicts nobody."""
        key = (said.sender.sign_key.key_id, said.content_digest)
        if isinstance(said.message, Commitment):
            self.commitments.setdefault(key, said)
        elif isinstance(said.message, Response):
            self.responses.setdefault(key, said)
        elif isinstance(said.message, SecondResponse):
            self.second_responses.setdefault(key, said)


def attempted(request: Signed[SigningRequest], said: Signed[Attempt]) -> Signed[SigningRequest]:
    """Return a request as an attempt at it has it, under the attempt's id. Raises `ForeignMessage` if it is none."""
    if said.sender != request.sender or said.message.request != request.content_digest:
        raise ForeignMessage("an attempt is not by who asked, or not at this request")
    try:
        wanted = said.message.at(request.message)
    except UsageProblem as error:
        raise ForeignMessage(f"{said.sender.name} signed an attempt that cannot be: {error}") from None
    return Signed(wanted, said.sender, said.content_digest, said.der)


class History:
    """All that was signed about one key, as far as it is here."""

    def __init__(self, proposal: Signed[Proposal]) -> None:
        try:
            ciphersuites.by_id(proposal.message.suite)
        except UsageProblem as error:
            raise ForeignMessage(f"the proposal is of a key that cannot be here: {error}") from None
        self.proposal = proposal
        self.chapters: dict[bytes, Chapter] = {proposal.content_digest: Chapter(proposal, None)}
        self.states: dict[bytes, State] = {}
        self.requests: dict[bytes, Request] = {}
        self.standings: dict[bytes, Signed[Standing]] = {}
        self._claims: dict[bytes, dict[bytes, Claim]] = {}  # those, by the successor that they are about
        self.packages: dict[bytes, bytes] = {}
        self._made_by: dict[bytes, Chapter] = {}
        self._read_packages: dict[bytes, PublicKeyPackage] = {}  # by the state

    @classmethod
    def read(cls, blocks: Iterable[bytes], packages: Iterable[bytes] = ()) -> History:
        """Read signed messages, DER or PEM, and public key packages, postcard; verify all of it.

        Raises `MalformedMessage`, `UnknownSender`, `BadMessageSignature`; `ForeignMessage` for what belongs to nothing
        in it; `InvalidContents` naming whoever signed what is no message.
        """
        parsed = [signed.parse(block) for block in blocks]
        proposals = [each for each in parsed if each.content_type == Proposal.content_type]
        if not proposals:
            raise ForeignMessage("there is no proposal of a key in it")
        history = cls(signed.read(proposals[0].der).expect(Proposal))
        for package in packages:
            history.packages[hashlib.sha256(package).digest()] = package
        waiting: dict[bytes, list[tuple[cms.SignedMessage, Message]]] = {}
        for each in parsed:
            message = signed.decode(each)
            waiting.setdefault(history._subject(each, message), []).append((each, message))
        known = deque([history.proposal.content_digest])
        while known:
            for each, message in waiting.pop(known.popleft(), ()):
                known += history._admit(each, message)
        for [(_, message), *_] in waiting.values():
            raise _belongs_nowhere(message)
        return history

    @property
    def plan(self) -> Proposal:
        """What was proposed: name, suite, threshold, first roster."""
        return self.proposal.message

    # ── Reading ──

    def _subject(self, parsed: cms.SignedMessage, message: Message) -> bytes:
        """Return the id of what a message is about: a chapter, a request, or a state."""
        if isinstance(message, Proposal):
            if parsed.content_digest != self.proposal.content_digest:
                raise ForeignMessage("there are proposals of several keys in it")
            return parsed.content_digest
        if isinstance(message, _OF_STATES):
            if message.ceremony != self.proposal.content_digest:
                raise ForeignMessage(f"the {message.title} in it is about another key than the proposal")
            return message.state
        belongs_to = about(message)
        if belongs_to is None:
            raise ForeignMessage(f"a {message.title} has no place in it")
        return belongs_to

    def _admit(self, parsed: cms.SignedMessage, message: Message) -> list[bytes]:
        """Take in a message about something that may be known by now; returns the ids of what is known by it."""
        subject = self._subject(parsed, message)
        if isinstance(message, Proposal):
            return []
        if isinstance(message, _OF_STATES):
            if subject in self.states:
                return self._admit_to_state(self.states[subject], parsed, message)
        elif subject in self.chapters:
            return self._admit_to_chapter(self.chapters[subject], parsed, message)
        elif subject in self.requests:
            return self._admit_to_request(self.requests[subject], parsed, message)
        raise _belongs_nowhere(message)

    def _admit_to_state(self, state: State, parsed: cms.SignedMessage, message: Message) -> list[bytes]:
        roster: Roster | None = None if isinstance(message, RepairRequest) else state.roster
        said = signed.read(parsed.der, roster)
        if isinstance(message, Standing):
            self.standings.setdefault(said.content_digest, said)
            claim = Claim(said.sender.sign_key.key_id, self._made_by[state.digest].id, message.shown or None)
            self._claims.setdefault(claim.successor, {})[said.content_digest] = claim
        elif isinstance(message, SigningRequest):
            self.requests.setdefault(said.content_digest, Request(said, state))
        else:
            if isinstance(message, RepairRequest):
                try:
                    state.require_possible(message)
                except (UsageProblem, NotKnown) as error:  # who signed it has only said who they are
                    raise ForeignMessage(f"the repair request cannot be: {error}") from error
            self.chapters.setdefault(said.content_digest, Chapter(said, state))
        return [said.content_digest]

    def _admit_to_chapter(self, chapter: Chapter, parsed: cms.SignedMessage, message: Message) -> list[bytes]:
        _require_place(message, chapter.beginning.message)
        outcomes = chapter.outcomes() if chapter.add(signed.read(parsed.der, chapter.speakers(message))) else []
        for state in outcomes:
            self.states.setdefault(state.digest, state)
            self._made_by.setdefault(state.digest, chapter)
        return [state.digest for state in outcomes]

    def _admit_to_request(self, request: Request, parsed: cms.SignedMessage, message: Message) -> list[bytes]:
        _require_place(message, request.beginning.message)
        said = signed.read(parsed.der, request.state.roster)
        if isinstance(message, Attempt):
            self.requests.setdefault(said.content_digest, request.attempt(said))
        request.add(said)
        return [said.content_digest]

    # ── The line ──

    def made_by(self, state: State) -> Chapter:
        """Return the chapter that made a state; one that made shares, too, while not all have confirmed it."""
        return self._made_by.get(state.digest) or self.chapters[state.sharing]

    def path(self, state: State) -> list[Chapter]:
        """Return the chapters that lead to a state, from the making of the key on; none to that of a pending key."""
        found: list[Chapter] = []
        step = self.states.get(state.digest)
        while step is not None:
            found.insert(0, self.made_by(step))
            step = found[0].before
        return found

    def titles(self, ids: Iterable[bytes]) -> dict[bytes, str]:
        """Say what chapters are called, by their ids; two may be called the same."""
        known = self.chapters
        return {each: known[each].title if each in known else "what is not known here" for each in ids}

    def successors(self, state: State) -> list[Chapter]:
        """List the chapters that start from a state, complete or not."""
        return [
            each for each in self.chapters.values() if each.before is not None and each.before.digest == state.digest
        ]

    def view(self, state: State, me: PublicIdentity) -> View:
        """Return what ``me`` knows of the successors of a state, for the rules."""
        key_id = me.sign_key.key_id
        successors = self.successors(state)
        return View(
            key_id,
            frozenset(each.successor for each in successors if each.is_complete),
            frozenset(each.successor for each in successors if me in each.by_sender(Confirmation)),
            {digest: claim for each in successors for digest, claim in self._claims.get(each.id, {}).items()},
        )

    def claims(self) -> Mapping[bytes, Claim]:
        """Return what people have said of where they stand, by the digest of the message."""
        return {digest: claim for about in self._claims.values() for digest, claim in about.items()}

    def line(self, me: PublicIdentity, given_up: Iterable[bytes] = ()) -> Iterator[State]:
        """Follow the states that count for ``me``, from the first to the present; none while the key is not made.

        given_up: ids of chapters that are not followed where another one could be as well. Raises `Equivocation` where
        people were parted, naming whoever voted for both.
        """
        left = frozenset(given_up)
        state = self._only(self.chapters[self.proposal.content_digest])
        while state is not None:
            yield state
            counting = {each.id for each in self.view(state, me).counting()}
            following = counting if len(counting) < 2 else counting - left
            if len(following) > 1:
                raise self._parted([self.chapters[each] for each in following])
            state = self._only(self.chapters[following.pop()]) if following else None

    def _only(self, chapter: Chapter) -> State | None:
        outcomes = chapter.outcomes()
        if len(outcomes) > 1:
            raise self._parted([chapter, chapter])
        return outcomes[0] if outcomes else None

    def _parted(self, chapters: list[Chapter]) -> Equivocation:
        voters = set.intersection(*({each.name for each in chapter.voters} for chapter in chapters))
        names = sorted(voters)
        titles = " and ".join(each.title for each in chapters)
        return Equivocation(
            f"{', '.join(names)} confirmed what excludes each other: {titles}",
            hint=f"agree with the others which one to follow, then: frost-hsm history leave {self.plan.name} ID",
            culprits=names,
        )

    def overtaken(self, state: State, me: PublicIdentity) -> frozenset[bytes]:
        """Return the digests of the states that this one took the place of, for ``me``.

        They are complete, as it is, and would count but for what displaces them or was decided between people.
        """
        left = set()
        for chapter in self.path(state):
            if chapter.before is not None:
                view = self.view(chapter.before, me)
                ended = view.complete - {chapter.successor}
                left |= {each.id for each in ended if not view.hindering(each)}
        if not left:
            return frozenset()
        return frozenset(
            digest for digest, each in self.states.items() if any(step.id in left for step in self.path(each))
        )

    def latest(self) -> list[State]:
        """List the states that no complete chapter has ended: one, unless people were parted."""
        ended = {each.before.digest for each in self.chapters.values() if each.before is not None and each.is_complete}
        return [state for digest, state in self.states.items() if digest not in ended]

    def participants(self) -> Iterator[PublicIdentity]:
        """List everybody who took part at some time, or asked to."""
        yield from self.plan.roster
        for chapter in self.chapters.values():
            if isinstance(chapter.beginning.message, RepairRequest):
                yield chapter.beginning.message.receiver

    # ── Public key packages ──

    def package(self, state: State) -> PublicKeyPackage | None:
        """Return the public key package of a state, as was confirmed; None if it is not here."""
        changes: list[tuple[State, RepairRequest]] = []
        step = state
        while (found := self._confirmed_package(step)) is None:
            made = self.made_by(step)
            if made.before is None:
                return None
            change = made.beginning.message
            if made.before.package_hash != step.package_hash:  # else an abandonment, after a share for somebody new
                if not isinstance(change, RepairRequest):
                    return None
                changes.append((step, change))
            step = made.before
        for after, change in reversed(changes):
            found = self._read_packages[after.digest] = package_with(found, after, change)
        self._read_packages[state.digest] = found
        return found

    def _confirmed_package(self, state: State) -> PublicKeyPackage | None:
        """Return the package of a state that is here or was put together before: it is asked for again and again."""
        encoded = self.packages.get(state.package_hash)
        if encoded is not None and state.digest not in self._read_packages:
            self._read_packages[state.digest] = PublicKeyPackage.deserialize(state.suite, encoded)
        return self._read_packages.get(state.digest)

    # ── Messages, in the one order in which they are written ──

    def lineage(self, state: State) -> Iterator[Signed[Any]]:
        """List the messages that show how a state came about: each beginning, and the confirmations of all."""
        for chapter in self.path(state):
            yield chapter.beginning
            yield from chapter.confirmed()[0].values()


def _belongs_nowhere(message: Message) -> ForeignMessage:
    return ForeignMessage(f"the {message.title} in it belongs to nothing in it")


def _require_place(message: Message, beginning: Message) -> None:
    """Raise `ForeignMessage` for a message of a kind that nobody says in what begins like this."""
    if not isinstance(message, said_in(beginning)):
        raise ForeignMessage(f"a {message.title} has no place in what a {beginning.title} begins")


def package_with(package: PublicKeyPackage, state: State, request: RepairRequest) -> PublicKeyPackage:
    """Return the public key package that has the verifying share of whoever receives a share too."""
    identifier = state.identifier(request.receiver.name)
    if identifier in package.verifying_shares:
        return package
    return repair.add_participant(package, identifier)
