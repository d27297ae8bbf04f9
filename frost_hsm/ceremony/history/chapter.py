"""A chapter of a key's history: how it begins, what was said in it, who has confirmed it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from frost_hsm.ceremony.history.rules import Successor
from frost_hsm.ceremony.history.state import State
from frost_hsm.ceremony.messages.changing import Abandonment, RepairDelta, RepairDone, RepairRequest, RepairSigma
from frost_hsm.ceremony.messages.complaints import Complaint, Opening
from frost_hsm.ceremony.messages.making import Confirmation, Dealing, Proposal, RefreshProposal, Round1, Round2
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.messages.using import Abort, Attempt, Commitment, Response, SecondResponse
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.ceremony.people.roster import Roster

M = TypeVar("M", bound=Message)

_OF_CEREMONIES = (Round1, Round2, Dealing, Confirmation, Complaint, Opening)
_OF_REPAIRS = (RepairDelta, RepairSigma, RepairDone)
_OF_REQUESTS = (Commitment, Response, SecondResponse, Abort, Attempt)


def said_in(beginning: Message) -> tuple[type[Message], ...]:
    """Return the kinds of messages that are said in a chapter, or a request, that begins like this."""
    match beginning:
        case Proposal() | RefreshProposal():
            return _OF_CEREMONIES
        case RepairRequest():
            return (*_OF_REPAIRS, Confirmation)
        case Abandonment():
            return (Confirmation,)
    return _OF_REQUESTS


def about(message: Message) -> bytes | None:
    """Return the id of the chapter or request that a message belongs to; None for those that begin one."""
    if isinstance(message, _OF_CEREMONIES):
        return message.ceremony
    if isinstance(message, _OF_REPAIRS):
        return message.repair
    if isinstance(message, _OF_REQUESTS):
        return message.request
    return None


@dataclass
class Chapter:
    """One chapter, as far as it is here.

    beginning: its first message. before: the state that it starts from; None for the making of a key. said: by kind,
    everything that was said in it, whether it contradicts or not, by sender and contents.
    """

    beginning: Signed[Any]
    before: State | None
    said: dict[type[Message], dict[tuple[bytes, bytes], Signed[Any]]] = field(default_factory=dict)
    _votes: dict[bytes, dict[PublicIdentity, Signed[Confirmation]]] = field(default_factory=dict)  # alike, by digest
    _decided: list[bytes] = field(default_factory=list)  # the digests that all voters have confirmed

    @property
    def id(self) -> bytes:
        """Its id, 32 bytes."""
        return self.beginning.content_digest

    @property
    def roster(self) -> Roster:
        """Who takes part in it."""
        return self.before.roster if self.before is not None else self.beginning.message.roster

    @property
    def epoch(self) -> int | None:
        """The epoch that it makes; None if it makes no shares."""
        match self.beginning.message:
            case Proposal():
                return 0
            case RefreshProposal():
                return self.before.epoch + 1 if self.before is not None else None
        return None

    @property
    def title(self) -> str:
        """What it is called, in sentences."""
        plan = self.before.plan if self.before is not None else self.beginning.message
        match self.beginning.message:
            case RefreshProposal():
                return f"refresh {self.epoch} of {plan.name}"
            case RepairRequest() as request:
                return f"the repair of {plan.name} for {request.receiver.name}"
            case Abandonment():
                return f"an abandonment of {plan.name}"
        return str(plan.name)

    @cached_property
    def voters(self) -> tuple[PublicIdentity, ...]:
        """Those who have to confirm it."""
        if self.before is None:
            return tuple(self.roster)
        return self.before.voters(self.beginning.message)

    @cached_property
    def _voting(self) -> frozenset[PublicIdentity]:
        return frozenset(self.voters)

    @cached_property
    def successor(self) -> Successor:
        """The chapter as the rules see it: voters by the key identifier of their sign key."""
        displaces = frozenset(getattr(self.beginning.message, "displaces", ()))
        return Successor(self.id, frozenset(each.sign_key.key_id for each in self.voters), displaces)

    def speakers(self, message: Message) -> Roster:
        """Return those who may say this in it."""
        if isinstance(message, RepairDone) and self.before is not None:
            return self.before.roster_with(self.beginning.message)
        return self.roster

    def add(self, said: Signed[Any]) -> bool:
        """Take a message in; the same again is there once, with the envelopes of both. Returns whether it decides."""
        key = (said.sender.sign_key.key_id, said.content_digest)
        of_kind = self.said.setdefault(type(said.message), {})
        is_new = key not in of_kind
        of_kind[key] = said if is_new else of_kind[key].joined(said)
        return is_new and isinstance(said.message, Confirmation) and self._count(said)

    def _count(self, vote: Signed[Confirmation]) -> bool:
        """Count a vote with those that are alike: whether it is the last is asked of every one, and voters are many."""
        if vote.sender not in self._voting:
            return False
        alike = self._votes.setdefault(vote.content_digest, {})
        alike[vote.sender] = vote
        if len(alike) < len(self._voting):
            return False
        self._decided.append(vote.content_digest)
        return True

    def of(self, kind: type[M]) -> list[Signed[M]]:
        """List what was said of one kind."""
        return list(self.said.get(kind, {}).values())

    def by_sender(self, kind: type[M]) -> dict[PublicIdentity, Signed[M]]:
        """Return what each said of one kind. Of those who said two things nothing is made."""
        found: dict[PublicIdentity, dict[bytes, Signed[M]]] = {}
        for each in self.of(kind):
            found.setdefault(each.sender, {})[each.content_digest] = each
        return {sender: next(iter(said.values())) for sender, said in found.items() if len(said) == 1}

    def confirmed(self) -> list[dict[PublicIdentity, Signed[Confirmation]]]:
        """Return everybody's confirmation, once all voters have confirmed the same: as a rule none, or one of these."""
        decided = (self._votes[digest] for digest in self._decided)
        return [{voter: alike[voter] for voter in self.voters} for alike in decided]

    @property
    def is_complete(self) -> bool:
        """Whether all voters have confirmed it."""
        return bool(self._decided)

    def outcomes(self) -> list[State]:
        """Return the state that it makes, once it is complete; several only if all voters signed several things."""
        return [self.state_by(next(iter(found.values()))) for found in self.confirmed()]

    def state_by(self, confirmed: Signed[Confirmation]) -> State:
        """Return the state that somebody confirmed, whether all have or not."""
        if self.before is None:
            return State.first(self.beginning, confirmed)
        return self.before.after(self.beginning, confirmed)
