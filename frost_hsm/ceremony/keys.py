"""A finished key, as one of its participants has it: everything but the share."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from frost_hsm.ceremony.context import Context, Kind
from frost_hsm.ceremony.identity import Holder, PublicIdentity
from frost_hsm.ceremony.messages import Confirmation, Proposal
from frost_hsm.ceremony.records import SealedRecords, own_context, record_name
from frost_hsm.ceremony.roster import Roster
from frost_hsm.ceremony.signed import Signed
from frost_hsm.ceremony.store import (
    ACTIVE,
    EVIDENCE,
    PROPOSAL,
    PUBLIC_KEY_PACKAGE,
    StateDirectory,
    ceremony_folder,
    given_up_folder,
)
from frost_hsm.ceremony.transcript import STEPS, read_kept
from frost_hsm.errors import (
    CeremonyStopped,
    DeserializationError,
    NotKnown,
    NotYet,
    SealBroken,
    StorageProblem,
    UnknownIdentifier,
)
from frost_hsm.frost import ciphersuites
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


@dataclass(frozen=True, slots=True)
class GroupKey:
    """A key that a ceremony made; public throughout. transcript: what all n confirmed, 32 bytes."""

    name: str
    state: KeyState
    ceremony: bytes
    suite: Ciphersuite
    purpose: str
    roster: Roster
    min_signers: int
    public_key_package: PublicKeyPackage
    transcript: bytes
    me: PublicIdentity
    epoch: int = 0

    @classmethod
    def load(cls, home: StateDirectory, name: str, me: PublicIdentity) -> GroupKey:
        """Read a key from the state directory. Raises `NotKnown`."""
        folder = ceremony_folder(name)
        proposed = read_kept(home, f"{folder}/{PROPOSAL}", Proposal)
        path = f"{folder}/{STEPS[Confirmation]}/{me.name}.pem"
        confirmed = read_kept(home, path, Confirmation, proposed.message.roster) if proposed is not None else None
        if proposed is None or confirmed is None:
            raise NotKnown(f'there is no key "{name}" here', hint="see: frost-hsm keys list, frost-hsm dkg status")
        plan = proposed.message
        if confirmed.message.ceremony != proposed.content_digest or confirmed.sender != me:
            raise StorageProblem(f"{home.path / path} confirms something else", hint="restore it from a backup")
        if home.exists(f"{folder}/{EVIDENCE}"):
            state = KeyState.STOPPED
        else:
            state = KeyState.ACTIVE if home.exists(f"{folder}/{ACTIVE}") else KeyState.PENDING
        suite = ciphersuites.by_id(plan.suite)
        return cls(
            name,
            state,
            proposed.content_digest,
            suite,
            plan.purpose,
            plan.roster,
            plan.min_signers,
            read_public_key_package(home, f"{folder}/{PUBLIC_KEY_PACKAGE}", suite, confirmed),
            confirmed.content_digest,
            me,
        )

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
        """One's own position in the roster, from 1."""
        return self.roster.position(self.me.name)

    def identifier(self, name: str) -> Identifier:
        """Return the identifier of a participant."""
        return Identifier.from_u16(self.suite, self.roster.position(name))

    def participant(self, identifier: Identifier) -> str:
        """Return the name behind an identifier; raises `UnknownIdentifier`."""
        for position, identity in enumerate(self.roster, start=1):
            if Identifier.from_u16(self.suite, position) == identifier:
                return identity.name
        raise UnknownIdentifier(f"no participant of {self.name} has identifier {identifier}")

    def require_active(self) -> None:
        """Raise unless the key may sign: `NotYet` while pending, `CeremonyStopped` if it never will."""
        if self.state is KeyState.STOPPED:
            raise CeremonyStopped(f"key {self.name} must not be used: its ceremony was stopped")
        if self.state is KeyState.PENDING:
            raise NotYet(
                f"key {self.name} is pending: not all participants have confirmed it",
                hint=f"take in their confirmations: frost-hsm dkg confirm {self.name}",
            )

    def context(self, kind: Kind, binding: bytes) -> Context:
        """Return the context of something sealed for this key."""
        return own_context(self.me, self.ceremony, kind, self.suite.id, key=self.verifying_key, binding=binding)

    @property
    def share_record(self) -> str:
        """The name of the sealed record that holds the share."""
        return record_name(Kind.SIGNING_SHARE, self.ceremony, self.position)

    def unseal(self, records: SealedRecords) -> KeyPackage:
        """Open the sealed key package and check it against the public one. The caller wipes it.

        Raises `SealBroken` unless it is the share of this participant, for this key: s·G must be the verifying
        share that all n confirmed.
        """
        with records.get(self.share_record, self.context(Kind.SIGNING_SHARE, self.transcript)) as plaintext:
            package = KeyPackage.deserialize(self.suite, plaintext)
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
        return package

    def delete(self, holder: Holder, home: StateDirectory) -> None:
        """Destroy one's share and nonces for good, and put away what was public."""
        with home.lock():
            SealedRecords(holder, home).destroy_all(self.ceremony, self.position)
            home.move(ceremony_folder(self.name), given_up_folder(self.ceremony))
