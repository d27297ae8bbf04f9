"""A seat at the making of shares: who makes which key, or makes its shares anew, with whom, seen by one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from frost_hsm.ceremony.messages.making import Proposal
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.ceremony.people.numbering import Numbering
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.errors import NotPossible
from frost_hsm.frost import ciphersuites
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.values import Identifier


@dataclass(frozen=True, slots=True)
class Seat:
    """What a proposal says, as ``me`` reads it.

    ceremony: its id, 32 bytes. epoch: of the shares that are made, 0 for those of a new key. key: the digest of the
    key's state that this starts from, empty before there is one. numbering: where identifiers come from.
    """

    ceremony: bytes
    name: str
    suite: Ciphersuite
    roster: Roster
    min_signers: int
    me: PublicIdentity
    epoch: int = 0
    key: bytes = b""
    numbering: Numbering = Numbering.POSITIONS

    @classmethod
    def take(cls, proposal: Signed[Proposal], me: PublicIdentity) -> Self:
        """Find one's own place in a proposal; raises `NotPossible` if there is none."""
        plan = proposal.message
        if me not in plan.roster:
            raise NotPossible(
                f"{me.name} is not a participant of {plan.name} with this identity",
                hint="the proposal has to hold the identity file that you sent; ask its author for a new one",
            )
        suite = ciphersuites.by_id(plan.suite)
        return cls(
            proposal.content_digest,
            plan.name,
            suite,
            plan.roster,
            plan.min_signers,
            me,
            numbering=plan.numbering,
        )

    @property
    def title(self) -> str:
        """What is being made, in sentences."""
        return f"refresh {self.epoch} of {self.name}" if self.epoch else self.name

    @property
    def command(self) -> str:
        """What the command line calls it."""
        return "refresh" if self.epoch else "dkg"

    @property
    def position(self) -> int:
        """One's own position in the roster, from 1."""
        return self.roster.position(self.me.name)

    @property
    def own_identifier(self) -> Identifier:
        """One's own."""
        return self.identifier(self.me.name)

    def identifier(self, name: str) -> Identifier:
        """Return a participant's identifier."""
        return self.numbering.identifier(self.suite, self.roster, name)
