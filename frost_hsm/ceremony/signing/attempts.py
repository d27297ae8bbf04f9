"""Attempts at a request that names more signers than it takes: who is there first signs, who is away blocks nobody.

Who is there says so with commitments: an *offer*. Who asked chooses as many as are needed of those whose offer no
attempt has taken up, and says so in an `Attempt`, which they answer. With nonces made ahead that needs no offers, and
whoever was not chosen offers only if the attempt hangs. Whoever has answered one that is not complete
offers again, with new nonces, once somebody else is there too. So an attempt that hangs waits for somebody who is
away, and they wait in no other: of n signers who are named and t who are needed, at most n - t + 1 attempts run at once
(ROAST: Ruffing, Ronge, Jin, Schneider-Bensch, Schröder, CCS 2022, section 4). Nonces serve in one attempt, as ever.

Nobody has to trust who chooses: whoever signs sees what is to be signed, and a signature share fits one attempt alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from frost_hsm.ceremony.history import signature_shares
from frost_hsm.ceremony.history.chain import attempted
from frost_hsm.ceremony.history.chapter import about as about_what
from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.history.signature_shares import Answer
from frost_hsm.ceremony.history.transcript import BEGINNING, STEPS
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.inbox import Inbox
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.signed import Signed, transcript_hash
from frost_hsm.ceremony.messages.using import (
    Attempt,
    Commitment,
    Derive,
    Item,
    Response,
    SecondResponse,
    SigningRequest,
)
from frost_hsm.ceremony.people.identity import Holder, OpenHolder
from frost_hsm.ceremony.signing.aborting import ATTEMPTS
from frost_hsm.ceremony.signing.session import SigningSession, request
from frost_hsm.ceremony.store import StateDirectory, request_folder
from frost_hsm.errors import DeserializationError, FrostHsmError, NotYet, ProtocolViolation
from frost_hsm.frost.packages import SigningCommitments

M = TypeVar("M", bound=Message)

_KINDS = (Attempt, Commitment, Response, SecondResponse)

_MOST = 3
"""Attempts at a request for each of its signers, that count: who keeps to the rules begins no more. One hangs for each,
one is spoilt by each, and in one somebody's nonces made ahead have served."""

PATIENCE = 5.0
"""Seconds to wait for the others in an attempt: from my answer on if I am in it, else from when I heard of it."""


class Attempts:
    """The attempts at one request, as far as they are kept or have come in."""

    def __init__(self, session: SigningSession, inbox: Inbox, derive: Derive) -> None:
        self._session = session
        self._inbox = inbox
        self._derive = derive
        self._me = session.key.me.name
        self._folder = f"{request_folder(session.id)}/{ATTEMPTS}"
        heard = inbox.anew()
        found = (heard.of_kind(kind, session.key.roster, _about_requests, "it") for kind in _KINDS)
        self._heard: list[Signed[Any]] = [said for kind in found for _, said in kind]
        self._all = self._first(_MOST * len(session.signers))
        self._taken = {each for attempt in self._all for each in _by_signer(attempt)}

    # ── What is there ──

    def _first(self, most: int) -> list[SigningSession]:
        found: dict[bytes, SigningSession] = {}
        for attempt in self._known():
            if len(found) == most:
                break
            found.setdefault(attempt.id, attempt)
        return list(found.values())

    def _known(self) -> Iterator[SigningSession]:
        session, home = self._session, self._session.home
        for data in home.read_all(lambda: home.files(self._folder)).values():
            yield self._attempt(signed.read(data, session.key.roster))
        yield from map(self._attempt, filter(self._is_of_who_asked, self._heard))

    def _attempt(self, said: Signed[Attempt]) -> SigningSession:
        session = self._session
        return SigningSession(session.home, session.key, attempted(session.request, said), self._derive, of=session)

    def _is_of_who_asked(self, said: Signed[Any]) -> bool:
        try:
            attempted(self._session.request, said.expect(Attempt))
        except FrostHsmError:
            return False
        return True

    def _said(self, kind: type[M], about: SigningSession) -> list[Signed[M]]:
        """List what signers say about the request or an attempt at it: all that each says."""
        heard = [
            said.expect(kind)
            for said in self._heard
            if isinstance(said.message, kind) and about_what(said.message) == about.id
        ]
        return [*about.transcript.known(kind).values(), *(said for said in heard if said.sender.name in about.signers)]

    def answered(self, attempt: SigningSession, kind: type[Answer] | None = None) -> set[str]:
        """Name those whose answer to an attempt is here; who gave two, or another than is due, gave none.

        kind: of the answer; without it, of the last that an attempt takes.
        """
        return {*self._answers(attempt, kind or attempt.last_kind)}

    def _answers(self, attempt: SigningSession, kind: type[Answer]) -> dict[str, Signed[Answer]]:
        given: dict[str, dict[bytes, Signed[Answer]]] = {}
        for said in self._said(kind, attempt):
            given.setdefault(said.sender.name, {})[said.content_digest] = said
        before: Mapping[str, Signed[Answer]] = {}  # the commitments stand in the attempt
        if kind is SecondResponse:
            before = self._answers(attempt, Response)
            if len(before) < len(attempt.signers):
                return {}
        wanted = transcript_hash(before[name] for name in attempt.signers if name in before)
        single = {name: next(iter(said.values())) for name, said in given.items() if len(said) == 1}
        return {name: said for name, said in single.items() if signature_shares.answered_hash(said.message) == wanted}

    def sent(self) -> Iterator[bytes]:
        """Give my own messages in the attempts, and what shows who spoilt one."""
        for attempt in self._all:
            if attempt.request.sender.name == self._me:
                yield attempt.request.to_pem()
            for kind in (Commitment, Response, SecondResponse):
                if (said := attempt.transcript.sent(kind)) is not None:
                    yield said.to_pem()
            evidence = attempt.transcript.evidence()
            if evidence is not None:
                yield evidence

    # ── Who is there ──

    def offers(self) -> dict[str, Signed[Commitment]]:
        """Return of everybody who is there, and waits in no attempt, the commitments that no attempt has taken up."""
        gone = {*self._session.aborting.gone(self._inbox.anew()), *self._convicted()}
        waiting = {name for attempt in self._all for name in self._waited_for(attempt)}
        found: dict[str, Signed[Commitment]] = {}
        for about in (self._session, *self._all):
            for said in self._said(Commitment, about):
                theirs = ((said.sender.name, each) for each in said.message.commitments)
                is_new = self._taken.isdisjoint(theirs) and self._is_well(said)
                if is_new and said.sender.name not in gone | waiting:
                    found.setdefault(said.sender.name, said)
        return {name: found[name] for name in self._session.signers if name in found}

    def _is_well(self, said: Signed[Commitment]) -> bool:
        try:
            signature_shares.read_commitments(self._session.key.state, said, self._session.request.message.signatures)
        except DeserializationError:
            return False
        return True

    def _waited_for(self, attempt: SigningSession) -> set[str]:
        """Name those in an attempt whose answer is next; who offers again because pairs made ahead had served, has."""
        again = {said.sender.name for said in self._said(Commitment, attempt)}
        settled = {name for name in again if self._subject(attempt, name) == b""}
        first = {*attempt.signers} - self.answered(attempt, Response) - settled
        return first or {*attempt.signers} - self.answered(attempt) - settled

    def _convicted(self) -> set[str]:
        """Name those whose share in an attempt was bad."""
        verdicts = [attempt.transcript.verdict() for attempt in self._all if attempt.transcript.is_stopped]
        return {each.name for verdict in verdicts if verdict is not None for each in verdict.culprits}

    def _subject(self, attempt: SigningSession, name: str) -> bytes:
        """Say what somebody's nonces in an attempt were made for: the id of what they offered them for, or nothing."""
        step = len(attempt.signers)
        theirs = attempt.request.message.commitments[attempt.signers.index(name) :: step]
        for about in (self._session, *self._all):
            if any(
                said.sender.name == name and said.message.commitments == theirs
                for said in self._said(Commitment, about)
            ):
                return about.id
        return b""

    def there(self) -> tuple[str, ...]:
        """Name those who are there, or have answered."""
        answered = {name for attempt in self._all for name in self.answered(attempt, Response)}
        return tuple(name for name in self._session.signers if name in {*answered, *self.offers()})

    @property
    def have_begun(self) -> bool:
        """Whether I have agreed to sign, and said so in an offer or an answer."""
        about = (self._session, *self._all)
        kinds = (Commitment, Response)
        return any(each.transcript.sent(kind) is not None for each in about for kind in kinds)

    # ── The steps ──

    @property
    def is_answered(self) -> bool:
        """Whether all have answered one of them, whether their shares are good or not."""
        return any(
            self.answered(attempt).issuperset(attempt.signers) and not attempt.transcript.is_stopped
            for attempt in self._all
        )

    def complete(self) -> tuple[SigningSession | None, list[ProtocolViolation]]:
        """Put the answers to an attempt together that all have answered; the request has its signatures then.

        Returns the attempt, if there is one, and what was wrong with others, which come to nothing by a bad share and
        count no more. Raises `ProtocolViolation` for one that is not stopped by it.
        """
        spoilt: list[ProtocolViolation] = []
        for attempt in self._all:
            if attempt.transcript.is_stopped or not self.answered(attempt).issuperset(attempt.signers):
                continue
            try:
                self._session.adopt(attempt.aggregate(self._inbox.anew()))
            except ProtocolViolation as error:
                if not attempt.transcript.is_stopped:  # it would be put together again, and again
                    raise
                spoilt.append(error)
            else:
                return attempt, spoilt
        return None, spoilt

    def to_answer(self) -> SigningSession | None:
        """Return an attempt that waits for my answer."""
        for attempt in self._all:
            if (
                self._me in attempt.signers
                and not attempt.transcript.is_stopped
                and self._me in self._waited_for(attempt)
            ):
                return attempt
        return None

    def respond(self, attempt: SigningSession, open_holder: OpenHolder) -> bytes:
        """Answer it. Raises `NonceUsed` if my nonces have served or are lost."""
        self._keep(attempt.request)
        made_for = {name: self._subject(attempt, name) for name in attempt.signers}
        if attempt.transcript.sent(Response) is not None:
            return attempt.respond_again(open_holder, self._inbox.anew(), made_for[self._me])
        have_committed = b"" not in made_for.values()
        return attempt.respond(open_holder, self._inbox.anew(), made_for[self._me], have_committed=have_committed)

    def may_have_served(self, attempt: SigningSession) -> bool:
        """Whether another request may have used my nonces in it: they were made ahead, which who asks takes up once."""
        ahead = [each for each in self._all if self._me in each.signers and self._subject(each, self._me) == b""]
        return attempt in ahead and all(each.transcript.sent(Commitment) is None for each in ahead)

    def to_offer(self) -> SigningSession | None:
        """Return what I am to offer nonces for: the request, or the attempt that I answered last and that hangs."""
        if self._me not in self._session.signers:
            return None
        mine = [attempt for attempt in self._all if self._me in attempt.signers]
        offered = [about for about in (self._session, *mine) if about.transcript.sent(Commitment) is not None]
        if not mine:
            return None if offered or any(map(self._goes_on, self._all)) else self._session
        last = next((attempt for attempt in mine if attempt not in offered), None)
        if last is None or self._me in self.offers() or self.to_answer() is not None:
            return None
        hangs = last.transcript.is_stopped or not self.answered(last).issuperset(last.signers)
        return last if hangs and self.offers() and self._is_late(last) else None

    def _is_late(self, attempt: SigningSession) -> bool:
        return not any(
            _is_recent(attempt.home.path / request_folder(attempt.id) / STEPS[kind] / f"{self._me}.pem")
            for kind in (Response, SecondResponse)
        )

    def _goes_on(self, attempt: SigningSession) -> bool:
        """Whether an attempt of others may come to its end soon."""
        return not attempt.transcript.is_stopped and _is_recent(attempt.home.path / self._folder / attempt.id.hex())

    def keep_all(self) -> None:
        """Keep the attempts that have come in, and so since when I know of them."""
        kept = set(self._session.home.names(self._folder))
        for attempt in self._all:
            if attempt.id.hex() not in kept:
                self._keep(attempt.request)

    @property
    def can_choose(self) -> bool:
        """Whether I asked, and as many are there as are needed."""
        is_mine = self._session.request.sender == self._session.key.me
        return is_mine and len(self.offers()) >= self._session.needed

    def choose(self, open_holder: OpenHolder) -> list[str]:
        """Have those sign who are there; returns their names. Raises `NotYet` if too few are."""
        offers = self.offers()
        if len(offers) < self._session.needed:
            raise NotYet(f"{len(offers)} of {self._session.needed} are there")
        names = list(offers)[: self._session.needed]
        ahead = {name: offers[name].message.commitments for name in names}
        with open_holder() as holder:
            self.begin(holder, ahead)
        return names

    def begin(self, holder: Holder, commitments: Mapping[str, Sequence[bytes]]) -> bytes:
        """Say who is to sign, with which commitments, one a signature; returns the message for all."""
        roster = self._session.key.roster
        names = sorted(commitments, key=roster.position)
        count = self._session.request.message.signatures
        in_order = (commitments[name][number] for number in range(count) for name in names)
        data = signed.write(Attempt(self._session.id, tuple(map(roster.position, names)), tuple(in_order)), holder)
        self._keep(signed.read(data, roster))
        return data

    def _keep(self, said: Signed[Any]) -> None:
        with self._session.home.lock():
            self._session.home.put(f"{self._folder}/{said.content_digest.hex()}", said.to_pem())


def _is_recent(path: Path) -> bool:
    return path.exists() and 0 <= time.time() - path.stat().st_mtime <= PATIENCE  # a clock may be put back


def ask(
    holder: Holder,
    home: StateDirectory,
    key: GroupKey,
    items: Sequence[Item],
    names: Sequence[str],
    made_ahead: Mapping[str, Sequence[SigningCommitments]],
    derive: Derive,
    *,
    is_any: bool = False,
    is_rerandomized: bool = False,
) -> tuple[SigningSession, list[bytes]]:
    """Ask all who look at a board to sign, and keep that; returns the request, and the messages for all, that first.

    names, is_any, is_rerandomized: as in `session.request`. made_ahead: commitments of some of the signers, for each
    signature: where they are as many as are needed, the first of them have nothing to do but to answer.
    """
    needed = key.min_signers if is_any else len(names)
    ahead = {name: made_ahead[name] for name in list(made_ahead)[:needed]} if len(made_ahead) >= needed else None
    takes_all = needed == len(names)
    commitments = ahead if takes_all else None
    data = request(holder, key, items, names, commitments=commitments, is_rerandomized=is_rerandomized, is_any=is_any)
    session = SigningSession(home, key, signed.read(data, key.roster).expect(SigningRequest), derive)
    home.put(f"{request_folder(session.id)}/{BEGINNING}", data)
    if ahead is None or takes_all:
        return session, [data]
    encoded = {name: [each.serialize() for each in made] for name, made in ahead.items()}
    return session, [data, Attempts(session, Inbox(), derive).begin(holder, encoded)]


def _by_signer(attempt: SigningSession) -> Iterator[tuple[str, bytes]]:
    """Go through the commitments in an attempt, with whose they are said to be: anybody can say somebody else's."""
    commitments = attempt.request.message.commitments
    return zip(attempt.signers * (len(commitments) // len(attempt.signers)), commitments, strict=True)


def _about_requests(said: Signed[Any]) -> Signed[Any] | None:
    return said if isinstance(said.message, _KINDS) else None
