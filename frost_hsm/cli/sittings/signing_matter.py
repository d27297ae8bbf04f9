"""A signature that is asked for, as one of those sees it who asked or are to sign."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from frost_hsm.ceremony.history.keys import KeyStatus
from frost_hsm.ceremony.messages.inbox import Inbox
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.using import Abort, Commitment, Response
from frost_hsm.ceremony.signing.aborting import ATTEMPTS
from frost_hsm.ceremony.signing.attempts import Attempts
from frost_hsm.ceremony.signing.session import SigningSession
from frost_hsm.ceremony.store import request_folder
from frost_hsm.cli.files import things
from frost_hsm.cli.sittings.matter import Matter, Outgoing, Person, Standing
from frost_hsm.errors import CeremonyStopped, NonceUsed, NotPossible, NotYet

_SIGNED = "signed; your signature share is sent"


class SigningMatter(Matter):
    """A signature that is asked for."""

    changes_a_key = False

    def __init__(self, session: SigningSession) -> None:
        self.session = session
        self.begun = session.request
        self.roster = session.key.roster
        self.transcript = session.transcript
        self.me = session.key.me
        self.title = f'signature {session.id[:4].hex()} with "{session.key.name}"'

    @property
    def step(self) -> str:
        """The step that is next."""
        return "decline" if self._has_to_decline else self.session.status().step

    @property
    def is_over(self) -> bool:
        """For who asked, once it is signed; for who signs, once they have; for all, once it comes to nothing."""
        if self.session.key.status is not KeyStatus.ACTIVE:  # it went on from the state that this was asked in
            return True
        if not self._is_mine and self.session.has_answered:
            return True
        if self._is_mine and self.session.signature() is not None:
            return self.session.home.exists(self._written)
        return not self._has_to_decline and self.step in ("aborted", *(() if self._is_mine else ("aggregate", "done")))

    def is_ended(self, inbox: Inbox) -> bool:
        """Whether others say that it comes to nothing."""
        return bool(self.session.aborting.why_over(inbox))

    @property
    def _is_mine(self) -> bool:
        return self.begun.sender == self.me

    @property
    def _has_to_decline(self) -> bool:
        """Whether I said no, and the others do not know."""
        return self.session.aborting.is_declined and self.transcript.sent(Abort) is None

    @property
    def next_command(self) -> str:
        """What to type, for those who carry files."""
        return f"frost-hsm sign status {self.session.id[:4].hex()}"

    def needs(self) -> type[Message] | None:
        """The kind of message that the next step takes."""
        if self.session.is_prepared and self.step == "respond":
            return None
        kinds = {"respond": Commitment, "respond-again": Response, "aggregate": self.session.last_kind}
        return kinds.get(self.step)

    def advance(self, person: Person, inbox: Inbox) -> str:
        """Take the next step."""
        return self._end(person, inbox) or self._go_on(person, inbox)

    def _end(self, person: Person, inbox: Inbox) -> str:
        """Take in who has ended it; returns what was done, nothing if it goes on."""
        aborting = self.session.aborting
        aborting.keep(inbox)
        if self._has_to_decline:
            aborting.abort(person.holder)
            return "you said no, and the others are told"
        if why := aborting.why_over():
            if self._is_mine and self.transcript.sent(Abort) is None:
                raise CeremonyStopped(f"{self.title} comes to nothing: {why}", hint="ask again: frost-hsm sign request")
            return f"it comes to nothing: {why}"
        return ""

    def _go_on(self, person: Person, inbox: Inbox) -> str:
        session, step = self.session, self.step
        if (step == "commit" or (step == "respond" and session.is_prepared)) and not person.agree_to_sign(session):
            session.aborting.decline()
            return "you said no"
        if step in ("commit", "respond", "respond-again"):
            return self._sign(step, person, inbox)
        if step == "aggregate":
            session.aggregate(inbox)
        return self._receive(person)

    def _receive(self, person: Person) -> str:
        said = person.receive(self.session)
        self.session.home.put(self._written, b"")
        return said

    def _sign(self, step: str, person: Person, inbox: Inbox) -> str:
        try:
            if step == "commit":
                self.session.commit(person.holder)
                return "your commitment is sent"
            if step == "respond":
                self.session.respond(person.holder, inbox)
                return "the first of two answers is sent" if self.session.is_twice else _SIGNED
            self.session.respond_again(person.holder, inbox)
            return _SIGNED
        except NonceUsed:  # lost when an answer was cut short: nobody has to wait for it
            if not self.session.has_answered:
                self.session.aborting.abort(person.holder)
            raise

    @property
    def _written(self) -> str:
        """What notes that the files were written: somebody killed before that writes them when they come back."""
        return f"{request_folder(self.session.id)}/written"


class AnyOfMatter(SigningMatter):
    """A signature by those of the signers who are there first."""

    @property
    def step(self) -> str:
        """The step that is next, as far as it shows without what others say."""
        step = super().step
        has_begun = self.session.home.names(f"{request_folder(self.session.id)}/{ATTEMPTS}")
        return "respond" if has_begun and step in ("commit", "aggregate") else step

    def needs(self) -> type[Message] | None:
        """The kind of message that the next step takes."""
        return None if self.step == "commit" else Commitment

    def standing(self, inbox: Inbox) -> Standing:
        """Say who is there."""
        attempts = Attempts(self.session, inbox, things.derive)
        if self.step in ("commit", "decline", "done") or attempts.to_answer() is not None or attempts.can_choose:
            return Standing(self.step)
        there = attempts.there()
        missing = [name for name in self.session.signers if name not in there]
        return Standing("wait", f"{self.session.needed} of {len(self.session.signers)} answers", there, tuple(missing))

    def is_ended(self, inbox: Inbox) -> bool:
        """Whether others say that it comes to nothing, or have signed."""
        is_signed = not self._is_mine and Attempts(self.session, inbox, things.derive).is_answered
        return super().is_ended(inbox) or is_signed

    def sent(self) -> Iterator[Outgoing]:
        """Give my own messages of it so far, those in its attempts too."""
        yield from super().sent()
        yield from map(Outgoing, Attempts(self.session, Inbox(), things.derive).sent())

    def _go_on(self, person: Person, inbox: Inbox) -> str:
        session, attempts = self.session, Attempts(self.session, inbox, things.derive)
        if session.signature() is not None:
            return self._receive(person)
        attempts.keep_all()
        done, spoilt = attempts.complete()
        if done is not None or spoilt:
            signed = [f"signed by {', '.join(done.signers)}"] if done is not None else []
            return "; ".join([*signed, *(f"an attempt comes to nothing: {error}" for error in spoilt)])
        wanted, offered = attempts.to_answer(), attempts.to_offer()
        if (wanted or offered) and not attempts.have_begun and not person.agree_to_sign(session):
            session.aborting.decline()
            return "you said no"
        if wanted is not None:
            return self._answer(attempts, wanted, person)
        if offered is not None:
            offered.offer(person.holder)
            return "you are there: your commitment is sent"
        if attempts.can_choose:
            return f"{' and '.join(attempts.choose(person.holder))} are there, and are to sign"
        raise NotYet("it takes others", hint="wait for them")

    def _answer(self, attempts: Attempts, attempt: SigningSession, person: Person) -> str:
        try:
            attempts.respond(attempt, person.holder)
            return _SIGNED if attempt.has_answered else "the first of two answers is sent"
        except NonceUsed:
            if not attempts.may_have_served(attempt):
                with suppress(NotPossible):  # another attempt was answered
                    self.session.aborting.abort(person.holder)
                raise
            attempt.offer(person.holder)
            return "your nonces made ahead had served; a commitment to others is sent"
