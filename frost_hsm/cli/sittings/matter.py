"""What people do together, as one of them sees it: which step is open, what it asks of a person, who is missing.

A matter begins with one message, which anybody can read, and goes on by the steps that have commands of their own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from frost_hsm.ceremony.history.transcript import STEPS, Transcript
from frost_hsm.ceremony.messages.inbox import Inbox
from frost_hsm.ceremony.messages.making import Confirmation
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.people.identity import Holder, PublicIdentity
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.ceremony.signing.session import SigningSession


class Person(Protocol):
    """Who decides, and whose token it takes: once for everything that is done in a sitting."""

    def holder(self) -> AbstractContextManager[Holder]:
        """Lend the open token; asks for the PIN the first time."""

    def agree(self, lines: list[str], question: str, name: str) -> None:
        """Show something about the key of this name, and ask. Raises `Aborted` for no."""

    def compare(self, lines: list[str], question: str, check_code: str) -> None:
        """Have a check code compared. Raises `Aborted` unless it is the same."""

    def agree_to_sign(self, session: SigningSession) -> bool:
        """Show what is to be signed, all of it, and ask; returns whether the answer is yes."""

    def receive(self, session: SigningSession) -> str:
        """Take the signatures of what I asked for; returns what was done with them."""

    def meet(self, people: Iterable[PublicIdentity]) -> None:
        """Have the fingerprints compared of all whose identity is not known here. Raises `Aborted`, `UnknownSender`."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a matter stands: the step that is next for me, and for it whose messages are here and whose are not."""

    step: str
    what: str = ""
    have: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One of my messages, and what lies beside it for one reader each, by their labels."""

    data: bytes
    beside: Mapping[str, bytes] = field(default_factory=dict)


class Matter(ABC):
    """One matter. title: what it is called in sentences; begun: its first message.

    changes_a_key: whether its steps may, so that more can be understood of what others say.
    """

    changes_a_key = True
    title: str
    begun: Signed[Any]
    roster: Roster
    transcript: Transcript
    me: PublicIdentity

    @property
    def id(self) -> bytes:
        """What its messages name: the digest of its beginning."""
        return self.begun.content_digest

    @property
    @abstractmethod
    def step(self) -> str:
        """The step that is next for me."""

    @property
    @abstractmethod
    def is_over(self) -> bool:
        """Whether nothing is left for me to do."""

    def is_ended(self, inbox: Inbox) -> bool:
        """Whether others say what ends it, which the next step will take in."""
        return False

    @property
    @abstractmethod
    def next_command(self) -> str:
        """What to type, for those who carry files."""

    @abstractmethod
    def advance(self, person: Person, inbox: Inbox) -> str:
        """Take the next step; returns what was done. Raises `NotYet` if it takes more messages."""

    @abstractmethod
    def needs(self) -> type[Message] | None:
        """The kind of message that the next step takes from everybody."""

    def standing(self, inbox: Inbox) -> Standing:
        """Say who has done what of the step before the next."""
        kind = self.needs()
        if kind is None:
            return Standing(self.step)
        found = self.transcript.find(kind, inbox)
        names = self.transcript.voters if kind is Confirmation else self.transcript.expected
        whole = {name for name, said in found.items() if self.transcript.is_whole_for_us(said)}
        have, missing = ([name for name in names if (name in whole) is there] for there in (True, False))
        return Standing(self.step, kind.title, tuple(have), tuple(missing))

    def waits_for(self, inbox: Inbox) -> list[str]:
        """Name whose turn it is: mine, unless messages of others are missing."""
        found = self.standing(inbox)
        return [name for name in found.missing if name != self.me.name] or ["you"]

    def sent(self) -> Iterator[Outgoing]:
        """Give my own messages of it so far."""
        if self.begun.sender == self.me:
            yield Outgoing(self.begun.to_pem())
        for kind in STEPS:
            posted = self.transcript.as_posted(kind)
            if posted is not None:
                yield Outgoing(*posted)
