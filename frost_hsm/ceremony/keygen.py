"""Key generation between people: propose → round1 → round2 → finish → confirm.

Each participant sends one message a step, the same to everybody. What a step decided lies in the ceremony's
folder before its message leaves, so the same step again gives the same message, and a crash anywhere leaves a
ceremony that goes on where it was:

    round1   seal the polynomial in the token     → keep the message
    round2   seal the own share in the token      → keep the message → destroy the polynomial
    finish   seal the key package in the token    → keep the message → destroy the own share
    confirm  compare the confirmations of all     → the key is active

The sealed record comes first and the kept message decides: a record without its message is taken up again, with
the same contents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from frost_hsm.ceremony import envelope, signed
from frost_hsm.ceremony.context import Context, Kind
from frost_hsm.ceremony.identity import Holder, PublicIdentity
from frost_hsm.ceremony.inbox import Inbox
from frost_hsm.ceremony.messages import HASH_LENGTH, Confirmation, Message, Proposal, Round1, Round2
from frost_hsm.ceremony.records import SealedRecords, own_context, record_name
from frost_hsm.ceremony.roster import Roster
from frost_hsm.ceremony.signed import Signed, transcript_hash
from frost_hsm.ceremony.store import (
    ACTIVE,
    PROPOSAL,
    PUBLIC_KEY_PACKAGE,
    StateDirectory,
    ceremony_folder,
    given_up_folder,
)
from frost_hsm.ceremony.transcript import Transcript
from frost_hsm.errors import (
    CeremonyStopped,
    DeserializationError,
    Equivocation,
    IncorrectNumberOfCommitments,
    InvalidContents,
    InvalidProofOfKnowledge,
    InvalidSecretShare,
    NotKnown,
    NotPossible,
    ProtocolViolation,
    SealBroken,
    StateRolledBack,
    StepConflict,
    UnknownSender,
)
from frost_hsm.frost import ciphersuites, dkg
from frost_hsm.frost import round1 as frost_round1
from frost_hsm.frost import round2 as frost_round2
from frost_hsm.frost.packages import Identifier, KeyPackage, PublicKeyPackage, Signature
from frost_hsm.secret import Entropy, Secret, system_entropy

OpenHolder = Callable[[], AbstractContextManager[Holder]]
"""Opens the token, asking for the PIN if it must; called only once everything public has been checked."""

_VIOLATIONS: Mapping[type[ProtocolViolation], str] = {
    IncorrectNumberOfCommitments: "signed a round 1 commitment of another length than the threshold",
    InvalidProofOfKnowledge: "signed a round 1 proof of knowledge that does not verify",
    InvalidSecretShare: "sent you a share that does not match the round 1 commitment",
}


@dataclass(frozen=True, slots=True)
class Finished:
    """What `KeyGeneration.finish` made: a message to send, and what people compare."""

    message: bytes
    verifying_key: bytes
    check_code: str


@dataclass(frozen=True, slots=True)
class Status:
    """Where a ceremony stands: the step that comes next, and whose message for it is not here yet."""

    step: str  # round1, round2, finish, confirm, active, stopped
    have: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def propose(
    holder: Holder,
    name: str,
    peers: list[PublicIdentity],
    *,
    min_signers: int,
    suite: str,
    purpose: str = "",
    entropy: Entropy = system_entropy,
) -> bytes:
    """Write a proposal: who makes which key, with which threshold. The author comes first in the roster.

    Returns the signed message, to be sent to all; the digest of its contents is the ceremony's id.
    """
    roster = Roster((holder.public, *peers))
    random = bytearray(HASH_LENGTH)
    entropy(memoryview(random))
    ciphersuite = ciphersuites.by_name(suite)
    return signed.write(Proposal(bytes(random), name, purpose, ciphersuite.id, min_signers, roster), holder)


class KeyGeneration:
    """One run of key generation, as one of its participants sees it.

    home: where it is kept; me: one's own identity, which has to be in the proposal's roster.
    """

    def __init__(self, home: StateDirectory, proposal: Signed[Proposal], me: PublicIdentity) -> None:
        plan = proposal.message
        self.home = home
        self.proposal = proposal
        self.me = me
        self.id = proposal.content_digest
        self.name = plan.name
        self.suite = ciphersuites.by_id(plan.suite)
        self.roster = plan.roster
        self.min_signers = plan.min_signers
        if me not in self.roster:
            raise NotPossible(
                f"{me.name} is not a participant of {self.name} with this identity",
                hint="the proposal has to hold the identity file that you sent; ask its author for a new one",
            )
        self._position = self.roster.position(me.name)
        self._folder = ceremony_folder(self.name)
        self.transcript = Transcript(
            home,
            self._folder,
            self.roster,
            me,
            self._belongs,
            title=f"ceremony {self.name}",
            stem=self.name,
            expected=[identity.name for identity in self.roster],
        )

    @classmethod
    def load(cls, home: StateDirectory, name: str, me: PublicIdentity) -> KeyGeneration:
        """Take up a ceremony that was accepted before. Raises `NotKnown`."""
        data = home.read(f"{ceremony_folder(name)}/{PROPOSAL}")
        if data is None:
            raise NotKnown(f'there is no ceremony "{name}" here', hint="begin with: frost-hsm dkg round1 PROPOSAL.pem")
        return cls(home, signed.read(data).expect(Proposal), me)

    def check_roster(self, peers: Mapping[str, PublicIdentity]) -> None:
        """Make sure that everybody in the roster is somebody we know under this very identity.

        Raises `UnknownSender`: no protocol makes up for identities that nobody has compared.
        """
        for identity in self.roster:
            if identity == self.me:
                continue
            if identity.name not in peers:
                raise UnknownSender(f"{identity.name} in the proposal is not among your peers")
            if peers[identity.name] != identity:
                raise UnknownSender(
                    f"the proposal has another identity for {identity.name} than your peer of that name",
                    hint="somebody may be posing as them; compare fingerprints by voice before you go on",
                )

    @property
    def is_accepted(self) -> bool:
        """Whether this proposal is kept here; `StepConflict` if another one has its name."""
        if self.home.exists(given_up_folder(self.id)):
            raise CeremonyStopped(f"this proposal of {self.name} was given up here", hint="ask for a new proposal")
        kept = self.home.read(f"{self._folder}/{PROPOSAL}")
        if kept is not None and signed.read(kept).expect(Proposal).content_digest != self.proposal.content_digest:
            raise StepConflict(
                f'another ceremony or key has the name "{self.name}" here',
                hint="propose another name, or let go of the old one: frost-hsm dkg abort, frost-hsm keys delete",
            )
        return kept is not None

    def accept(self) -> None:
        """Keep the proposal: agree to take part."""
        with self.home.lock():
            if not self.is_accepted:
                self.home.put(f"{self._folder}/{PROPOSAL}", self.proposal.to_pem())

    # ── The steps ──

    def round1(self, open_holder: OpenHolder, *, entropy: Entropy = system_entropy) -> bytes:
        """Commit to a fresh polynomial; returns the message for all. ZcashFoundation: ``dkg::part1``."""
        self.transcript.require_running()
        if (sent := self.transcript.sent(Round1)) is not None:
            return sent.to_pem()
        with open_holder() as holder, self.home.lock():
            records = SealedRecords(holder, self.home)
            if self._record(Kind.ROUND1_STATE) not in records.names():
                self._require_none_later(records, Kind.ROUND2_STATE, Kind.SIGNING_SHARE)
                self._draw(records, entropy)
            secret, package = self._recall(records)
            secret.wipe()
            return self.transcript.write(Round1(self.id, package.serialize(), package.y_coordinates()), holder)

    def round2(self, open_holder: OpenHolder, inbox: Inbox) -> bytes:
        """Check everybody's round 1 and encrypt a share to each; returns the message for all.

        ZcashFoundation: ``dkg::part2``. A wrong package convicts its sender; the signed message is the proof.
        """
        self.transcript.require_running()
        received = self.transcript.gather(Round1, inbox)
        round1_hash = transcript_hash(received.values())
        if (sent := self.transcript.sent(Round2)) is not None:
            self._require_same(sent.message.round1_hash == round1_hash)
            return sent.to_pem()
        packages = self._round1_packages(received)
        with open_holder() as holder, self.home.lock():
            records = SealedRecords(holder, self.home)
            if self._record(Kind.ROUND1_STATE) not in records.names():
                self._require_none_later(records, Kind.ROUND2_STATE, Kind.SIGNING_SHARE)
            secret, _ = self._recall(records)
            try:
                state, shares = dkg.part2(secret, packages)
            except ProtocolViolation as violation:
                raise self._convict(violation, received) from violation
            finally:
                secret.wipe()
            with state.serialize() as plaintext:
                self._seal_again(records, self._context(Kind.ROUND2_STATE, binding=round1_hash), plaintext)
            envelopes = self._encrypt_shares(shares, state, round1_hash)
            self.transcript.keep(received)
            data = self.transcript.write(Round2(self.id, round1_hash, envelopes), holder)
            records.destroy(self._record(Kind.ROUND1_STATE))
            return data

    def finish(self, open_holder: OpenHolder, inbox: Inbox, *, strict: bool | None = None) -> Finished:
        """Open and check the shares and seal the key package, as *pending*; returns the confirmation for all.

        ZcashFoundation: ``dkg::part3``. A share that does not match its sender's round 1 convicts the sender.
        """
        self.transcript.require_running()
        first = self.transcript.gather(Round1, inbox)
        second = self.transcript.gather(Round2, inbox)
        own = second[self.me.name].message
        self._require_one_view(own.round1_hash, second)
        round2_hash = transcript_hash(second.values())
        if (sent := self.transcript.sent(Confirmation)) is not None:
            self._require_same(sent.message.round2_hash == round2_hash)
            return self._finished(sent)
        packages = self._round1_packages(first)
        with open_holder() as holder, self.home.lock():
            records = SealedRecords(holder, self.home)
            if self._record(Kind.ROUND2_STATE) not in records.names():
                self._require_none_later(records, Kind.SIGNING_SHARE)
            shares = self._open_shares(holder, second)
            context = self._context(Kind.ROUND2_STATE, binding=own.round1_hash)
            with records.get(self._record(Kind.ROUND2_STATE), context) as plaintext:
                state = frost_round2.SecretPackage.deserialize(self.suite, plaintext, dkg.digest_round1(packages))
            try:
                key_package, public_key_package = dkg.part3(state, packages, shares, strict=strict)
            except ProtocolViolation as violation:
                raise self._convict(violation, first, second) from violation
            digest = hashlib.sha256(public_key_package.serialize()).digest()
            confirmation = Confirmation(self.id, own.round1_hash, round2_hash, digest)
            self._seal_key_package(records, key_package, confirmation)
            self.transcript.keep(second)
            self.home.put(f"{self._folder}/{PUBLIC_KEY_PACKAGE}", public_key_package.to_json().encode())
            data = self.transcript.write(confirmation, holder)
            for kind in (Kind.ROUND1_STATE, Kind.ROUND2_STATE):
                if self._record(kind) in records.names():
                    records.destroy(self._record(kind))
            return Finished(data, public_key_package.verifying_key.serialize(), confirmation.check_code)

    def compare(self, inbox: Inbox) -> Finished:
        """Compare everybody's confirmation with our own; changes nothing unless they differ. Needs no token."""
        return self._finished(self._compare(inbox)[self.me.name])

    def confirm(self, inbox: Inbox) -> Finished:
        """As `compare`; when all n are here and equal, the key is active."""
        with self.home.lock():
            received = self._compare(inbox)
            own = received[self.me.name]
            self.transcript.keep(received)
            self.home.put(f"{self._folder}/{ACTIVE}", own.message.check_code.encode() + b"\n")
        return self._finished(own)

    def _compare(self, inbox: Inbox) -> dict[str, Signed[Confirmation]]:
        self.transcript.require_running()
        received = self.transcript.gather(Confirmation, inbox)
        own = received[self.me.name]
        for name, said in received.items():
            if said.content_digest != own.content_digest:
                self.transcript.stop([own, said])
                raise Equivocation(
                    f"{name} confirms another transcript: theirs {said.message.check_code}, "
                    f"yours {own.message.check_code}",
                    hint="somebody was shown other messages; do not use this key; compare everybody's files: "
                    "frost-hsm inspect --digest",
                )
        return received

    def abort(self, open_holder: OpenHolder) -> None:
        """Give this ceremony up for good, on our side; an active key cannot be aborted."""
        if self.home.exists(f"{self._folder}/{ACTIVE}"):
            raise NotPossible(f"{self.name} is an active key", hint="to give up its share: frost-hsm keys delete")
        with open_holder() as holder, self.home.lock():
            self.transcript.stop([self.proposal])
            SealedRecords(holder, self.home).destroy_all(self.id, self._position)
            self.home.move(self._folder, given_up_folder(self.id))

    def status(self) -> Status:
        """Say what comes next, and whose message for it has not been taken in."""
        if self.transcript.is_stopped:
            return Status("stopped")
        if self.home.exists(f"{self._folder}/{ACTIVE}"):
            return Status("active")
        steps: tuple[tuple[type[Message], str], ...] = (
            (Confirmation, "confirm"),
            (Round2, "finish"),
            (Round1, "round2"),
        )
        for kind, step in steps:
            if self.transcript.sent(kind) is not None:
                known = self.transcript.known(kind)
                missing = tuple(name for name in self.transcript.expected if name not in known)
                return Status(step, tuple(known), missing)
        return Status("round1")

    # ── Secrets between the steps ──

    def _draw(self, records: SealedRecords, entropy: Entropy) -> None:
        secret, package = dkg.part1(
            self.suite,
            self._identifier(self.me.name),
            max_signers=len(self.roster),
            min_signers=self.min_signers,
            entropy=entropy,
        )
        # The proof of knowledge is kept beside the polynomial, so that a second try says the same.
        with (
            secret.serialize() as state,
            Secret.join(state, package.proof_of_knowledge.serialize()) as plaintext,
        ):
            records.put(self._record(Kind.ROUND1_STATE), self._context(Kind.ROUND1_STATE), plaintext)
        secret.wipe()

    def _recall(self, records: SealedRecords) -> tuple[frost_round1.SecretPackage, frost_round1.Package]:
        with records.get(self._record(Kind.ROUND1_STATE), self._context(Kind.ROUND1_STATE)) as plaintext:
            split = len(plaintext) - self.suite.signature_length
            with plaintext.part(0, split) as state, plaintext.part(split, len(plaintext)) as proof:
                secret = frost_round1.SecretPackage.deserialize(self.suite, state)
                with proof.reveal() as public:
                    signature = Signature.deserialize(self.suite, bytes(public))
        return secret, frost_round1.Package(self.suite, secret.commitment, signature)

    def _seal_again(self, records: SealedRecords, context: Context, plaintext: Secret) -> None:
        """Seal a record, unless an earlier try that was cut short has sealed the same."""
        name = self._record(context.kind)
        if name not in records.names():
            records.put(name, context, plaintext)
            return
        try:
            with records.get(name, context) as present:
                is_same = present.equals(plaintext)
        except SealBroken:
            is_same = False
        self._require_same(is_same)

    def _seal_key_package(self, records: SealedRecords, package: KeyPackage, confirmation: Confirmation) -> None:
        key = package.verifying_key.serialize()
        context = self._context(Kind.SIGNING_SHARE, key=key, binding=hashlib.sha256(confirmation.encode()).digest())
        with package.serialize() as plaintext:
            self._seal_again(records, context, plaintext)
        package.wipe()

    def _context(self, kind: Kind, *, key: bytes = b"", binding: bytes = b"") -> Context:
        return own_context(self.me, self.id, kind, self.suite.id, key=key, binding=binding)

    def _record(self, kind: Kind) -> str:
        return record_name(kind, self.id, self._position)

    def _require_none_later(self, records: SealedRecords, *kinds: Kind) -> None:
        """Refuse to begin a step anew when the token shows that it was done."""
        names = records.names()
        for kind in kinds:
            if self._record(kind) in names:
                raise StateRolledBack(f"the token holds the {kind} of {self.name}: this step was done before")

    def _require_same(self, is_same: bool) -> None:
        if not is_same:
            raise StepConflict(f"this step of {self.name} was done before, with other messages")

    # ── Shares on their way ──

    def _encrypt_shares(
        self,
        shares: Mapping[Identifier, frost_round2.Package],
        state: frost_round2.SecretPackage,
        round1_hash: bytes,
    ) -> tuple[bytes, ...]:
        envelopes = []
        for identity in self.roster:
            # One's own share too: transcript and token alone can rebuild the key package.
            is_own = identity == self.me
            package = (
                frost_round2.Package(self.suite, state.secret_share)
                if is_own
                else shares[self._identifier(identity.name)]
            )
            with package.serialize() as plaintext:
                context = self._share_context(self.me, identity, round1_hash)
                envelopes.append(envelope.encrypt(context, plaintext, [identity]))
        return tuple(envelopes)

    def _open_shares(
        self, holder: Holder, received: Mapping[str, Signed[Round2]]
    ) -> dict[Identifier, frost_round2.Package]:
        shares = {}
        for name, said in received.items():
            if name == self.me.name:
                continue
            context = self._share_context(said.sender, self.me, said.message.round1_hash)
            try:
                with envelope.decrypt(said.message.envelopes[self._position - 1], context, holder) as plaintext:
                    shares[self._identifier(name)] = frost_round2.Package.deserialize(self.suite, plaintext)
            except (SealBroken, DeserializationError) as error:
                self.transcript.stop([said])
                raise InvalidContents(
                    f"{name} signed an envelope for {self.me.name} that holds no share: {error}",
                    culprits=[name],
                ) from error
        return shares

    def _share_context(self, sender: PublicIdentity, recipient: PublicIdentity, round1_hash: bytes) -> Context:
        return Context(
            self.id, Kind.ROUND2_SHARE, self.suite.id, sender.sign_key.digest, recipient.agree_key.digest,
            binding=round1_hash,
        )  # fmt: skip

    # ── What others signed ──

    def _round1_packages(self, received: Mapping[str, Signed[Round1]]) -> dict[Identifier, frost_round1.Package]:
        packages = {}
        for name, said in received.items():
            if name == self.me.name:
                continue
            message = said.message
            try:
                package = frost_round1.Package.deserialize(self.suite, message.package, message.y_coordinates)
            except DeserializationError as error:
                self.transcript.stop([said])
                raise InvalidContents(
                    f"{name} signed a round 1 package that is none: {error}", culprits=[name]
                ) from error
            packages[self._identifier(name)] = package
        return packages

    def _require_one_view(self, round1_hash: bytes, received: Mapping[str, Signed[Round2]]) -> None:
        for name, said in received.items():
            if len(said.message.envelopes) != len(self.roster):
                self.transcript.stop([said])
                raise InvalidContents(
                    f"{name} signed {len(said.message.envelopes)} envelopes for {len(self.roster)} participants",
                    culprits=[name],
                )
            if said.message.round1_hash != round1_hash:
                self.transcript.stop([said])
                raise Equivocation(
                    f"{name} saw other round 1 messages than {self.me.name} did",
                    hint="somebody sent different messages to different people; compare everybody's files: "
                    "frost-hsm inspect --digest",
                )

    def _convict(
        self,
        violation: ProtocolViolation,
        *received: Mapping[str, Signed[Round1]] | Mapping[str, Signed[Round2]],
    ) -> ProtocolViolation:
        """Keep the proof and return the violation with people's names."""
        by_identifier = {self._identifier(identity.name): identity.name for identity in self.roster}
        names = [by_identifier[culprit] for culprit in violation.culprits if isinstance(culprit, Identifier)]
        self.transcript.stop([of_one_step[name] for of_one_step in received for name in names])
        return type(violation)(f"{' and '.join(names)} {_VIOLATIONS[type(violation)]}", culprits=names)

    def _belongs(self, said: Signed[Any]) -> bool:
        if isinstance(said.message, Round1 | Round2 | Confirmation):
            return said.message.ceremony == self.id
        return said.content_digest == self.id  # the proposal itself, lying among the others

    def _identifier(self, name: str) -> Identifier:
        return Identifier.from_u16(self.suite, self.roster.position(name))

    def _finished(self, confirmation: Signed[Confirmation]) -> Finished:
        data = self.home.read(f"{self._folder}/{PUBLIC_KEY_PACKAGE}") or b""
        package = PublicKeyPackage.from_json(self.suite, data.decode())
        return Finished(confirmation.to_pem(), package.verifying_key.serialize(), confirmation.message.check_code)
