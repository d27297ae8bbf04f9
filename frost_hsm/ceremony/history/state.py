"""The states of a key, each of which names the one before it, and how one follows from another."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property

from frost_hsm.ceremony.messages.changing import Abandonment, RepairRequest
from frost_hsm.ceremony.messages.making import Confirmation, Proposal, RefreshProposal
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.ceremony.people.numbering import Numbering
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.errors import NotPossible
from frost_hsm.forms import der
from frost_hsm.forms.asn1 import VERSION
from frost_hsm.frost import ciphersuites
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.values import Identifier

Change = RefreshProposal | RepairRequest | Abandonment
"""What begins a chapter that ends a state."""


@dataclass(frozen=True)
class State:
    """A key between two chapters of its history.

    plan: the proposal of its making. ceremony: the id of that, 32 bytes. height: how many chapters made it. epoch: how
    often its shares were made anew. sharing: the id of the chapter that made the present shares; sharing_confirmed: the
    content digest of its confirmations. previous: the digest of the state before, empty for the first. confirmed: the
    content digest of the confirmations that made it. package_hash: SHA-256 over the public key package. is_dealt:
    whether a dealer made the key, and knew it.
    """

    plan: Proposal = field(repr=False)
    ceremony: bytes
    height: int
    epoch: int
    roster: Roster = field(repr=False)
    sharing: bytes
    sharing_confirmed: bytes
    previous: bytes
    confirmed: bytes
    package_hash: bytes
    is_dealt: bool

    @classmethod
    def first(cls, proposal: Signed[Proposal], confirmed: Signed[Confirmation]) -> State:
        """Return the state in which key generation, or a dealer, leaves a key."""
        return cls(
            proposal.message,
            proposal.content_digest,
            0,
            0,
            proposal.message.roster,
            proposal.content_digest,
            confirmed.content_digest,
            b"",
            confirmed.content_digest,
            confirmed.message.public_key_package_hash,
            confirmed.message.is_dealt,
        )

    def after(self, change: Signed[Change], confirmed: Signed[Confirmation]) -> State:
        """Return the state that follows once a change has been confirmed."""
        following = replace(
            self,
            height=self.height + 1,
            previous=self.digest,
            confirmed=confirmed.content_digest,
            package_hash=confirmed.message.public_key_package_hash,
        )
        match change.message:
            case RefreshProposal():
                sharing, made = change.content_digest, confirmed.content_digest
                return replace(following, epoch=self.epoch + 1, sharing=sharing, sharing_confirmed=made)
            case RepairRequest():
                return replace(following, roster=self.roster_with(change.message))
        return following

    @cached_property
    def digest(self) -> bytes:
        """SHA-256, by which everything that is said about the key names the state that it is said in.

        Over SEQUENCE { version INTEGER (2), ceremony, previous OCTET STRING, height, epoch INTEGER, roster, sharing,
        packageHash, confirmed OCTET STRING }: name, suite and threshold stand in what ceremony is the digest of.
        """
        return hashlib.sha256(
            der.sequence(
                der.integer(VERSION),
                der.octet_string(self.ceremony),
                der.octet_string(self.previous),
                der.integer(self.height),
                der.integer(self.epoch),
                der.octet_string(self.roster.digest),
                der.octet_string(self.sharing),
                der.octet_string(self.package_hash),
                der.octet_string(self.confirmed),
            )
        ).digest()

    @property
    def name(self) -> str:
        """The name of the key."""
        return self.plan.name

    @cached_property
    def suite(self) -> Ciphersuite:
        """The suite of the key."""
        return ciphersuites.by_id(self.plan.suite)

    @property
    def min_signers(self) -> int:
        """The threshold."""
        return self.plan.min_signers

    @property
    def numbering(self) -> Numbering:
        """Where identifiers come from."""
        return self.plan.numbering

    def identifier(self, name: str) -> Identifier:
        """Return the identifier of a participant; raises `NotKnown`."""
        return self.numbering.identifier(self.suite, self.roster, name)

    # ── Changes of the roster ──

    def roster_with(self, request: RepairRequest) -> Roster:
        """Return the roster as it is once the one who receives has their share."""
        return self.roster.with_member(request.position, request.receiver)

    def replaced_by(self, request: RepairRequest) -> PublicIdentity | None:
        """Return whose place the one who receives takes; None for a new participant."""
        return self.roster.at(request.position) if request.position <= len(self.roster) else None

    def is_takeover(self, request: RepairRequest) -> bool:
        """Whether a second token takes the place of the first, which has named it."""
        replaced = self.replaced_by(request)
        return not request.helpers and replaced is not None and replaced.is_recovered_by(request.receiver)

    def voters(self, change: Change) -> tuple[PublicIdentity, ...]:
        """Return those who have to confirm a change: all but the one whose place is taken, and those called absent."""
        if not isinstance(change, RepairRequest):
            return tuple(self.roster)
        silent = {change.position, *change.absent}
        return tuple(each for position, each in enumerate(self.roster, start=1) if position not in silent)

    def require_possible(self, request: RepairRequest) -> None:
        """Raise `NotPossible`, `NotKnown` or `DuplicatedIdentifier` for a repair that nobody may agree to.

        More than half of all seats have to confirm it, and as many as sign: of two such groups one person is in both.
        """
        size, members = self.min_signers, len(self.roster)
        if request.position > members + 1:
            raise NotPossible(f"there is no position {request.position}: the next new one is {members + 1}")
        if max((*request.helpers, *request.absent), default=1) > members:
            raise NotPossible("a helper, or somebody who is absent, is no participant")
        replaced = self.replaced_by(request)
        if self.numbering is Numbering.NAMES and replaced is not None and request.receiver.name != replaced.name:
            raise NotPossible(
                f"identifiers of {self.name} come from names: whoever takes the place of {replaced.name} needs it"
            )
        if not request.helpers and not self.is_takeover(request):
            raise NotPossible(
                f"nobody has named this identity of {request.receiver.name} as that of a second token",
                hint="ask the others to help: frost-hsm repair request --helpers NAMES",
            )
        if request.helpers and len(request.helpers) < size:
            raise NotPossible(f"it takes {size} helpers of {self.name}, not {len(request.helpers)}")
        speaking = len(self.voters(request)) + self.is_takeover(request)
        if speaking < max(size, members // 2 + 1):
            raise NotPossible(
                f"{speaking} of {members} cannot change who has a share of {self.name}",
                hint=f"more than half of all have to confirm it, and {size} at least; with fewer, make a new key",
            )
        self.roster_with(request)
