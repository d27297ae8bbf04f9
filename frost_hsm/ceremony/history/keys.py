"""A finished key, as one of its participants has it: everything but the share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum

from frost_hsm.ceremony.history.transcript import STEPS, read_kept
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Confirmation, Proposal
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.messages.upkeep import RefreshProposal, RepairRequest
from frost_hsm.ceremony.people.identity import Holder, PublicIdentity
from frost_hsm.ceremony.people.numbering import Numbering
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.ceremony.sealing.context import Context, Kind
from frost_hsm.ceremony.sealing.records import SealedRecords, own_context, record_name
from frost_hsm.ceremony.store import (
    ACTIVE,
    EVIDENCE,
    GIVEN_UP,
    PROPOSAL,
    PUBLIC_KEY_PACKAGE,
    REQUEST,
    StateDirectory,
    ceremony_folder,
    epoch_folder,
    given_up_folder,
    repairs_folder,
)
from frost_hsm.errors import (
    CeremonyStopped,
    DeserializationError,
    ForeignMessage,
    InputProblem,
    KeyExists,
    KeyNotFound,
    NotKnown,
    NotYet,
    SealBroken,
    StorageProblem,
    UnknownIdentifier,
    UnknownSender,
)
from frost_hsm.frost import ciphersuites, repair
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.packages import Identifier, KeyPackage, PublicKeyPackage


def read_public_key_package(
    home: StateDirectory, path: str, suite: Ciphersuite, confirmation: Signed[Confirmation]
) -> PublicKeyPackage:
    """Read the public key package that goes with one's own confirmation; raises `StorageProblem` for another."""
    try:
        package = PublicKeyPackage.from_json(suite, home.read(path) or b"")
        if hashlib.sha256(package.serialize()).digest() == confirmation.message.public_key_package_hash:
            return package
    except DeserializationError:
        pass
    raise StorageProblem(f"{home.path / path} is not what was confirmed", hint="restore it from a backup")


class KeyState(StrEnum):
    """Whether a key may sign."""

    PENDING = "pending"  # the share is sealed, not all have confirmed yet
    ACTIVE = "active"
    STOPPED = "stopped"  # finished, then the confirmations differed, or its owner aborted
    SUPERSEDED = "superseded"  # an epoch that a refresh has ended


@dataclass(frozen=True, slots=True)
class GroupKey:
    """A key that a ceremony made; public throughout.

    ceremony: the key generation, 32 bytes, by which everybody knows the key. epoch: how often its shares were made
    anew. sharing: the ceremony that made the present ones, key generation or a refresh. transcript: what all n
    confirmed at its end. Both 32 bytes. is_dealt: whether a dealer made the key, and knew it. numbering: where
    identifiers come from.
    """

    name: str
    state: KeyState
    ceremony: bytes
    suite: Ciphersuite
    purpose: str
    roster: Roster
    min_signers: int
    public_key_package: PublicKeyPackage
    sharing: bytes
    transcript: bytes
    me: PublicIdentity
    is_dealt: bool
    numbering: Numbering
    epoch: int = 0

    @classmethod
    def load(
        cls,
        home: StateDirectory,
        name: str,
        me: PublicIdentity,
        *,
        epoch: int | None = None,
        roster: bytes | None = None,
    ) -> GroupKey:
        """Read a key from the state directory.

        epoch: None is the present one; an earlier one is `KeyState.SUPERSEDED`, the one of a refresh that is not
        confirmed by all `KeyState.PENDING`. roster: None is the present one; the digest of an earlier one of the same
        epoch is as it was before the repairs since. Raises `NotKnown`.
        """
        try:
            return cls._load(home, name, me, epoch, roster)
        except StorageProblem:
            if not home.exists(ceremony_folder(name)):  # deleted by another process while it was read
                raise _no_key(name) from None
            raise

    @classmethod
    def _load(
        cls, home: StateDirectory, name: str, me: PublicIdentity, epoch: int | None, roster: bytes | None
    ) -> GroupKey:
        present = 0
        while home.exists(f"{epoch_folder(name, present + 1)}/{ACTIVE}"):
            present += 1
        wanted = present if epoch is None else epoch
        key = cls._generated(home, name, me)
        while key.epoch < wanted:
            key = key._with_repairs(home, None)._refreshed(home)
        key = key._with_repairs(home, roster)
        return replace(key, state=KeyState.SUPERSEDED) if wanted < present else key

    @classmethod
    def find(cls, home: StateDirectory, ceremony: bytes, me: PublicIdentity) -> GroupKey:
        """Read the key that a message names by its ceremony, in its present state; other keys may be damaged.

        Raises `UnknownSender` if there is none: whoever wrote it is nobody that we share a key with.
        """
        for name in cls.names(home):
            if _id_of_kept(home, name) == ceremony:
                return cls.load(home, name, me)
        raise UnknownSender("this is about no key that is known here", hint="see: frost-hsm keys list")

    @classmethod
    def latest(cls, home: StateDirectory, name: str, me: PublicIdentity) -> GroupKey:
        """As `load`, but as a refresh will have left it that only lacks confirmations: pending. Raises `NotKnown`."""
        key = cls.load(home, name, me)
        with suppress(NotKnown):
            refreshed = cls.load(home, name, me, epoch=key.epoch + 1)
            if refreshed.state is KeyState.PENDING:
                return refreshed
        return key

    @classmethod
    def _generated(cls, home: StateDirectory, name: str, me: PublicIdentity) -> GroupKey:
        """Read the key as key generation left it."""
        folder = ceremony_folder(name)
        proposed = read_kept(home, f"{folder}/{PROPOSAL}", Proposal)
        if proposed is None:
            raise _no_key(name)
        plan = proposed.message
        suite = ciphersuites.by_id(plan.suite)
        confirmed = _confirmation(home, name, 0, plan.roster, me, proposed.content_digest)
        return cls(
            name,
            _state(home, folder),
            proposed.content_digest,
            suite,
            plan.purpose,
            plan.roster,
            plan.min_signers,
            read_public_key_package(home, f"{folder}/{PUBLIC_KEY_PACKAGE}", suite, confirmed),
            proposed.content_digest,
            confirmed.content_digest,
            me,
            confirmed.message.is_dealt,
            plan.numbering,
        )

    def _refreshed(self, home: StateDirectory) -> GroupKey:
        """Read the same key as the next refresh left it."""
        epoch = self.epoch + 1
        folder = epoch_folder(self.name, epoch)
        proposed = read_kept(home, f"{folder}/{PROPOSAL}", RefreshProposal, self.roster)
        if proposed is None:
            raise _no_key(self.name)
        confirmed = _confirmation(home, self.name, epoch, self.roster, self.me, proposed.content_digest)
        path = f"{folder}/{PUBLIC_KEY_PACKAGE}"
        package = read_public_key_package(home, path, self.suite, confirmed)
        if not self.is_refreshed_by(proposed.message) or package.verifying_key != self.public_key_package.verifying_key:
            raise StorageProblem(
                f"{home.path / folder} is not a refresh of {self.name}", hint="restore it from a backup"
            )
        return replace(
            self,
            state=_state(home, folder),
            public_key_package=package,
            sharing=proposed.content_digest,
            transcript=confirmed.content_digest,
            epoch=epoch,
        )

    def is_refreshed_by(self, proposal: RefreshProposal) -> bool:
        """Whether a proposal is to refresh exactly this: this key, in this epoch, with these participants."""
        return proposal == RefreshProposal(
            self.ceremony, self.verifying_key, self.epoch + 1, self.transcript, self.roster.digest, proposal.random
        )

    def is_repaired_by(self, request: RepairRequest) -> bool:
        """Whether a request is to repair exactly this: this key, in this epoch, with these participants."""
        asked = (request.ceremony, request.key, request.epoch, request.previous, request.roster)
        return asked == (self.ceremony, self.verifying_key, self.epoch, self.transcript, self.roster.digest)

    def repaired(self, request: RepairRequest) -> GroupKey:
        """Return the key as it is once the one who receives has their share: in the roster, at their position."""
        roster, package = self.roster.with_member(request.position, request.receiver), self.public_key_package
        identifier = self.numbering.identifier(self.suite, roster, request.receiver.name)
        if identifier not in package.verifying_shares:
            package = repair.add_participant(package, identifier)
        return replace(self, roster=roster, public_key_package=package)

    def _with_repairs(self, home: StateDirectory, roster: bytes | None) -> GroupKey:
        """Follow the repairs of this epoch, each of which names the roster that it changes, up to the one wanted."""
        folder = repairs_folder(self.name, self.epoch)
        done = [name for name in home.names(folder) if home.exists(f"{folder}/{name}/{ACTIVE}")]
        found = [read_kept(home, f"{folder}/{name}/{REQUEST}", RepairRequest) for name in done]
        requests = [request.message for request in found if request is not None]
        key = self
        while key.roster.digest != roster:
            following = next((request for request in requests if key.is_repaired_by(request)), None)
            if following is None:
                break
            requests.remove(following)
            key = key.repaired(following)
        return key

    @classmethod
    def names(cls, home: StateDirectory) -> list[str]:
        """List the keys there are, pending ones included."""
        step = STEPS[Confirmation]
        return [name for name in home.names("ceremonies") if home.exists(f"{ceremony_folder(name)}/{step}")]

    @property
    def verifying_key(self) -> bytes:
        """The encoded group key."""
        return self.public_key_package.verifying_key.serialize()

    @property
    def position(self) -> int:
        """One's own position in the roster, from 1. Raises `NotKnown` for somebody who is no participant yet."""
        if self.me not in self.roster:
            raise NotKnown(
                f"{self.me.name} with this identity has no share of {self.name}",
                hint=f"to ask for one: frost-hsm repair request {self.name}",
            )
        return self.roster.position(self.me.name)

    def identifier(self, name: str) -> Identifier:
        """Return the identifier of a participant."""
        return self.numbering.identifier(self.suite, self.roster, name)

    def participants(self, identifiers: Iterable[Identifier]) -> list[str]:
        """Return the names behind identifiers, in their order; raises `UnknownIdentifier`."""
        names = {self.identifier(identity.name): identity.name for identity in self.roster}
        found = []
        for identifier in identifiers:
            if identifier not in names:
                raise UnknownIdentifier(f"no participant of {self.name} has identifier {identifier}")
            found.append(names[identifier])
        return found

    def require_active(self) -> None:
        """Raise unless the key may sign: `NotYet` while pending, `CeremonyStopped` if it never will."""
        if self.state is KeyState.STOPPED:
            raise CeremonyStopped(f"key {self.name} must not be used: its ceremony was stopped")
        if self.state is KeyState.PENDING:
            raise NotYet(
                f"key {self.name} is pending: not all participants have confirmed it",
                hint=f"take in their confirmations: frost-hsm dkg confirm {self.name}",
            )
        if self.state is KeyState.SUPERSEDED:
            raise ForeignMessage(
                f"the shares of {self.name} of epoch {self.epoch} are no more: it was refreshed since",
                hint="ask for a new request",
            )

    def context(self, kind: Kind, binding: bytes) -> Context:
        """Return the context of something sealed for this key."""
        return own_context(
            self.me, self.sharing, kind, self.suite.id, key=self.verifying_key, epoch=self.epoch, binding=binding
        )

    def record_name(self, kind: Kind, subject: bytes = b"") -> str:
        """Return the name of the record of something sealed for this key."""
        return record_name(kind, self.sharing, self.position, subject)

    def unseal(self, records: SealedRecords) -> KeyPackage:
        """Open the sealed key package and check it against the public one. The caller wipes it.

        Raises `SealBroken` unless it is the share of this participant, for this key: s·G must be the verifying
        share that all n confirmed. Raises `KeyNotFound` if the token holds no share of this epoch.
        """
        sealed = records.find(self.record_name(Kind.SIGNING_SHARE), self.context(Kind.SIGNING_SHARE, self.transcript))
        if sealed is None:
            raise KeyNotFound(
                f"the token holds no share of {self.name} of epoch {self.epoch}",
                hint=f"to make it again, of the messages that made it: frost-hsm recover {self.name}",
            )
        with sealed as plaintext:
            package = KeyPackage.deserialize(self.suite, plaintext)
        self.require_share(package)
        return package

    def require_share(self, package: KeyPackage) -> None:
        """Raise `SealBroken`, and wipe it, unless this is the share of this participant."""
        identifier = self.identifier(self.me.name)
        expected = self.public_key_package.verifying_shares.get(identifier)
        if (
            package.identifier != identifier
            or package.verifying_key != self.public_key_package.verifying_key
            or package.min_signers != self.min_signers
            or package.verifying_share != expected
            or package.signing_share.verifying_share() != expected
        ):
            package.wipe()
            raise SealBroken(f"the sealed share is not the one of {self.me.name} for key {self.name}")

    def seal(self, package: KeyPackage, records: SealedRecords) -> None:
        """Seal a key package that was made of messages, and wipe it. An earlier try may have sealed the same."""
        with package.serialize() as plaintext:
            package.wipe()
            try:
                context = self.context(Kind.SIGNING_SHARE, self.transcript)
                records.put(self.record_name(Kind.SIGNING_SHARE), context, plaintext)
            except KeyExists:
                self.unseal(records).wipe()

    def delete(self, holder: Holder, home: StateDirectory) -> None:
        """Destroy one's share and nonces for good, and put away what was public."""
        with home.lock():
            if not home.exists(ceremony_folder(self.name)):  # done by another process while we waited
                raise _no_key(self.name)
            records = SealedRecords(holder, home)
            for ceremony in (self.ceremony, self.sharing, *self._next_refresh(home)):
                records.destroy_all(ceremony, self.position)
            home.move(ceremony_folder(self.name), given_up_folder(self.ceremony))

    def _next_refresh(self, home: StateDirectory) -> list[bytes]:
        """Return the id of a refresh that has begun and did not end."""
        path = f"{epoch_folder(self.name, self.epoch + 1)}/{PROPOSAL}"
        proposed = read_kept(home, path, RefreshProposal, self.roster)
        return [proposed.content_digest] if proposed is not None else []


def _no_key(name: str) -> NotKnown:
    return NotKnown(f'there is no key "{name}" here', hint="see: frost-hsm keys list, frost-hsm dkg status")


def _id_of_kept(home: StateDirectory, name: str) -> bytes | None:
    """Return the id that the kept proposal of a key has, unverified; None if it is damaged."""
    try:
        return signed.parse(home.read(f"{ceremony_folder(name)}/{PROPOSAL}") or b"").content_digest
    except InputProblem:
        return None


def _state(home: StateDirectory, folder: str) -> KeyState:
    if home.exists(f"{folder}/{ACTIVE}"):
        return KeyState.ACTIVE
    is_stopped = any(home.exists(f"{folder}/{reason}") for reason in (EVIDENCE, GIVEN_UP))
    return KeyState.STOPPED if is_stopped else KeyState.PENDING


def _confirmation(
    home: StateDirectory, name: str, epoch: int, roster: Roster, me: PublicIdentity, ceremony: bytes
) -> Signed[Confirmation]:
    """Read one's own confirmation, or the first participant's if one's share was made later, by repair."""
    sender = me if me in roster else roster.at(1)
    path = f"{epoch_folder(name, epoch)}/{STEPS[Confirmation]}/{sender.name}.pem"
    confirmed = read_kept(home, path, Confirmation, roster)
    if confirmed is None:
        raise _no_key(name)
    if confirmed.message.ceremony != ceremony or confirmed.sender != sender:
        raise StorageProblem(f"{home.path / path} confirms something else", hint="restore it from a backup")
    return confirmed
