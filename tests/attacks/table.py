"""A table at which somebody cheats: Alice and Bob, who are honest, and Mallory, who holds a token of her own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from stage import parties
from stage.mallory import Mallory
from stage.parties import Messages, Party, inbox

from frost_hsm.backends import KeyKind
from frost_hsm.ceremony.history.evidence import judge
from frost_hsm.ceremony.messages.inbox import Inbox
from frost_hsm.errors import CeremonyStopped, Equivocation, FrostHsmError, ProtocolViolation
from frost_hsm.secret import Entropy, system_entropy

Step = Callable[[], object]


class Table:
    """A key is to be made, with threshold 3, so that a shorter polynomial can be tried; round 1 is under way."""

    def __init__(
        self,
        directory: Path,
        suite: str = "p256",
        entropy: Entropy = system_entropy,
        agree_kinds: Mapping[str, KeyKind] = {},
    ) -> None:
        self.people = parties.gather(directory, ["alice", "bob", "mallory"], agree_kinds=agree_kinds)
        self.alice, self.bob, cheat = self.people
        self.proposal = parties.propose(self.people, 3, suite=suite)
        self.first: Messages = {}
        for party in (self.alice, self.bob):
            self.first[party.name] = party.join(self.proposal).round1(party.holder, entropy=entropy)
        self.mallory = Mallory(cheat, self.proposal)
        self.first["mallory"] = self.mallory.round1()

    def honest_round2(self) -> Messages:
        return parties.round2([self.alice, self.bob], self.first)

    def round2(self, party: Party, *said: bytes) -> bytes:
        return party.ceremony().round2(party.holder, inbox(said))

    def finish(self, party: Party, *said: bytes) -> bytes:
        return party.ceremony().finish(party.holder, inbox(said)).message

    def confirmed(self) -> Messages:
        """Everybody's confirmation of an honest run."""
        second = self.honest_round2()
        second["mallory"] = self.mallory.round2(self.first)
        said = {party.name: self.finish(party, *second.values()) for party in (self.alice, self.bob)}
        return said | {"mallory": self.mallory.repeat(said["alice"])}


def convicted(party: Party, error: type[ProtocolViolation], step: Step) -> bytes:
    """Mallory is named, nothing but the evidence has changed, and the ceremony is over. Returns the evidence."""
    return _stopped(party, error, ("mallory",), step)


def stopped(party: Party, step: Step) -> bytes:
    """As `convicted`, where it is proven that views differ but not who is to blame."""
    return _stopped(party, Equivocation, (), step)


def _stopped(party: Party, error: type[ProtocolViolation], culprits: tuple[str, ...], step: Step) -> bytes:
    files, records = party.files(), party.records()
    with pytest.raises(FrostHsmError) as caught:
        step()
    assert isinstance(caught.value, error), repr(caught.value)
    assert caught.value.culprits == culprits
    now = party.files()
    evidence = now.pop(f"{party.folder()}/evidence.pem")
    assert now == files
    assert party.records() == records
    with pytest.raises(CeremonyStopped):
        party.ceremony().round2(party.holder, Inbox())
    assert party.ceremony().status().step == "stopped"
    verdict = judge(evidence)  # as everybody else sees it; a share that only its recipient can read is a claim first
    assert culprits in (verdict.names, verdict.awaiting)
    return evidence


def refused(party: Party, error: type[FrostHsmError], step: Step) -> FrostHsmError:
    """Refused without blame and without a trace: every file and every record is what it was, byte for byte."""
    before = party.files(), party.records()
    with pytest.raises(FrostHsmError) as caught:
        step()
    assert isinstance(caught.value, error), repr(caught.value)
    assert caught.value.culprits == ()
    assert (party.files(), party.records()) == before
    return caught.value
