"""A signature that is asked for, as one of those sees it who asked or are to sign."""

from __future__ import annotations

from frost_hsm.ceremony.history.keys import KeyStatus
from frost_hsm.ceremony.messages.inbox import Inbox
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.using import Abort, Commitment, Response
from frost_hsm.ceremony.signing.session import SigningSession
from frost_hsm.ceremony.store import request_folder
from frost_hsm.cli.commands.matter import Matter, Person
from frost_hsm.errors import CeremonyStopped, NonceUsed


class SigningMatter(Matter):
    """A signature that is asked for."""

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
        return {"respond": Commitment, "aggregate": Response}.get(self.step)

    def advance(self, person: Person, inbox: Inbox) -> str:
        """Take the next step."""
        session = self.session
        session.aborting.keep(inbox)
        if self._has_to_decline:
            session.aborting.abort(person.holder)
            return "you said no, and the others are told"
        if why := session.aborting.why_over():
            if self._is_mine and self.transcript.sent(Abort) is None:
                raise CeremonyStopped(f"{self.title} comes to nothing: {why}", hint="ask again: frost-hsm sign request")
            return f"it comes to nothing: {why}"
        step = self.step
        if (step == "commit" or (step == "respond" and session.is_prepared)) and not person.agree_to_sign(session):
            session.aborting.decline()
            return "you said no"
        if step in ("commit", "respond"):
            return self._sign(step, person, inbox)
        if step == "aggregate":
            session.aggregate(inbox)
        said = person.receive(session)
        session.home.put(self._written, b"")
        return said

    def _sign(self, step: str, person: Person, inbox: Inbox) -> str:
        try:
            if step == "commit":
                self.session.commit(person.holder)
                return "your commitment is sent"
            self.session.respond(person.holder, inbox)
            return "signed; your signature share is sent"
        except NonceUsed:  # lost when an answer was cut short: nobody has to wait for it
            if self.transcript.sent(Response) is None:
                self.session.aborting.abort(person.holder)
            raise

    @property
    def _written(self) -> str:
        """What notes that the files were written: somebody killed before that writes them when they come back."""
        return f"{request_folder(self.session.id)}/written"
