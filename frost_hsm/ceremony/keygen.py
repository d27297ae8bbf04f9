"""Key generation between people: propose → round1 → round2 → finish → confirm.

Each participant sends one message a step, the same to everybody. What a step decided lies in the ceremony's
folder before its message leaves, so the same step again gives the same message, and a crash anywhere leaves a
ceremony that goes on where it was:

    round1   seal the polynomial in the token      → keep the message
    round2   bind it to the round-1 messages       → keep the message → destroy the polynomial
    finish   seal the key package in the token     → keep the message
    confirm  compare the confirmations of all      → the key is active

The sealed record comes first and the kept message decides: a record without its message is taken up again, with
the same contents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from frost_hsm.ceremony import shares, signed
from frost_hsm.ceremony.identity import Holder, PublicIdentity
from frost_hsm.ceremony.inbox import Inbox
from frost_hsm.ceremony.keys import read_public_key_package
from frost_hsm.ceremony.messages import HASH_LENGTH, Confirmation, Message, Proposal, Round1, Round2
from frost_hsm.ceremony.roster import Roster
from frost_hsm.ceremony.sealed_rounds import SealedRounds
from frost_hsm.ceremony.seat import Seat
from frost_hsm.ceremony.signed import Signed, transcript_hash
from frost_hsm.ceremony.store import (
    ACTIVE,
    PROPOSAL,
    PUBLIC_KEY_PACKAGE,
    StateDirectory,
    ceremony_folder,
    given_up_folder,
)
from frost_hsm.ceremony.transcript import Transcript, read_kept
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
    StepConflict,
    UnknownSender,
)
from frost_hsm.frost import ciphersuites, dkg
from frost_hsm.frost import round1 as frost_round1
from frost_hsm.frost import round2 as frost_round2
from frost_hsm.frost.packages import Identifier, KeyPackage, PublicKeyPackage
from frost_hsm.secret import Entropy, system_entropy

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
        self.home = home
        self.proposal = proposal
        self.me = me
        self._seat = Seat.take(proposal, me)
        self.id = self._seat.ceremony
        self.name = self._seat.name
        self.suite = self._seat.suite
        self.roster = self._seat.roster
        self.min_signers = self._seat.min_signers
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
        proposal = read_kept(home, f"{ceremony_folder(name)}/{PROPOSAL}", Proposal)
        if proposal is None:
            raise NotKnown(f'there is no ceremony "{name}" here', hint="begin with: frost-hsm dkg round1 PROPOSAL.pem")
        return cls(home, proposal, me)

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
        kept = read_kept(self.home, f"{self._folder}/{PROPOSAL}", Proposal)
        if kept is not None and kept.content_digest != self.id:
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
        self._require_running()
        sent = self.transcript.sent(Round1)
        if sent is None:
            with self._at_work(open_holder) as (holder, sealed):
                sent = self.transcript.sent(Round1)
                if sent is None:
                    package = sealed.draw(entropy)
                    said = Round1(self.id, package.serialize(), package.y_coordinates())
                    sent = self.transcript.write(said, holder)
        return sent.to_pem()

    def round2(self, open_holder: OpenHolder, inbox: Inbox) -> bytes:
        """Check everybody's round 1 and encrypt a share to each; returns the message for all.

        ZcashFoundation: ``dkg::part2``. A wrong package convicts its sender; the signed message is the proof.
        """
        self._require_running()
        received = self.transcript.gather(Round1, inbox)
        sent = self.transcript.find(Round2, inbox).get(self.me.name)
        if sent is None:
            packages = self._round1_packages(received)
            with self._at_work(open_holder) as (holder, sealed):
                sent = self.transcript.sent(Round2)
                if sent is None:
                    sent = self._part2(holder, sealed, received, packages)
        self._require_same(sent.message.round1_hash == transcript_hash(received.values()))
        self.transcript.keep({self.me.name: sent})  # it may have come back from others
        return sent.to_pem()

    def _part2(
        self,
        holder: Holder,
        sealed: SealedRounds,
        received: Mapping[str, Signed[Round1]],
        packages: dict[Identifier, frost_round1.Package],
    ) -> Signed[Round2]:
        others = {sender: package for sender, package in packages.items() if sender != self._own_identifier}
        secret = sealed.recall()
        try:
            state, sending = dkg.part2(secret, others)
        except ProtocolViolation as violation:
            raise self._convict(violation, received) from violation
        finally:
            secret.wipe()
        sending[self._own_identifier] = frost_round2.Package(self.suite, state.secret_share)
        try:
            round1_hash = transcript_hash(received.values())
            sealed.mark_round2(round1_hash)
            envelopes = shares.encrypt(self._seat, sending, round1_hash)
        finally:
            for package in sending.values():
                package.wipe()
        self.transcript.keep(received)
        sent = self.transcript.write(Round2(self.id, round1_hash, envelopes), holder)
        sealed.forget_polynomial()
        return sent

    def finish(self, open_holder: OpenHolder, inbox: Inbox, *, strict: bool | None = None) -> Finished:
        """Open and check the shares and seal the key package, as *pending*; returns the confirmation for all.

        ZcashFoundation: ``dkg::part3``. A share that does not match its sender's round 1 convicts the sender. All it
        needs is in the messages and the token, so it can be done again by somebody whose state directory was lost.
        """
        self._require_running()
        first = self.transcript.gather(Round1, inbox)
        second = self.transcript.gather(Round2, inbox)
        round1_hash = transcript_hash(first.values())
        self._require_one_view(round1_hash, second)
        round2_hash = transcript_hash(second.values())
        sent = self.transcript.sent(Confirmation)
        if sent is None:
            packages = self._round1_packages(first)
            with self._at_work(open_holder) as (holder, sealed):
                sent = self.transcript.sent(Confirmation)
                if sent is None:
                    key_package, public = self._part3(holder, packages, first, second, strict)
                    digest = hashlib.sha256(public.serialize()).digest()
                    confirmation = Confirmation(self.id, round1_hash, round2_hash, digest)
                    sealed.seal_share(key_package, confirmation)
                    sealed.forget_rounds()
                    self.transcript.keep(first)
                    self.transcript.keep(second)
                    self.home.put(f"{self._folder}/{PUBLIC_KEY_PACKAGE}", public.to_json().encode())
                    sent = self.transcript.write(confirmation, holder)
        self._require_same(sent.message.round2_hash == round2_hash)
        return self._finished(sent)

    def _part3(
        self,
        holder: Holder,
        packages: dict[Identifier, frost_round1.Package],
        first: Mapping[str, Signed[Round1]],
        second: Mapping[str, Signed[Round2]],
        strict: bool | None,
    ) -> tuple[KeyPackage, PublicKeyPackage]:
        own = shares.decrypt(self._seat, second[self.me.name], holder)  # the token works: from here on it is others
        others = {sender: package for sender, package in packages.items() if sender != self._own_identifier}
        state = frost_round2.SecretPackage(
            self.suite,
            self._own_identifier,
            packages[self._own_identifier].commitment,
            own.signing_share,
            self.min_signers,
            len(self.roster),
            dkg.digest_round1(others),  # part2 checked these: our own round 2 names their hash
        )
        received: dict[Identifier, frost_round2.Package] = {}
        try:
            for name, said in second.items():
                if name != self.me.name:
                    received[self._seat.identifier(name)] = self._open_share(holder, said)
            try:
                return dkg.part3(state, others, received, strict=strict)
            except ProtocolViolation as violation:
                raise self._convict(violation, first, second) from violation
        finally:
            for package in (own, *received.values()):
                package.wipe()

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
        self._require_running()
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
            SealedRounds(self._seat, holder, self.home).destroy_all()
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

    # ── Whether a step may be taken ──

    @contextmanager
    def _at_work(self, open_holder: OpenHolder) -> Iterator[tuple[Holder, SealedRounds]]:
        """Open the token and keep everybody else out; what happened while we waited is seen from here on."""
        with open_holder() as holder, self.home.lock():
            self._require_running()
            yield holder, SealedRounds(self._seat, holder, self.home)

    def _require_running(self) -> None:
        if not self.is_accepted:
            raise NotPossible(f"you have not agreed to take part in {self.name}")
        self.transcript.require_running()

    def _require_same(self, is_same: bool) -> None:
        if not is_same:
            raise StepConflict(f"this step of {self.name} was done before, with other messages")

    # ── What others signed ──

    def _round1_packages(self, received: Mapping[str, Signed[Round1]]) -> dict[Identifier, frost_round1.Package]:
        packages = {}
        for name, said in received.items():
            message = said.message
            try:
                package = frost_round1.Package.deserialize(self.suite, message.package, message.y_coordinates)
            except DeserializationError as error:
                self.transcript.stop([said])
                raise InvalidContents(
                    f"{name} signed a round 1 package that is none: {error}", culprits=[name]
                ) from error
            packages[self._seat.identifier(name)] = package
        return packages

    def _open_share(self, holder: Holder, said: Signed[Round2]) -> frost_round2.Package:
        try:
            return shares.decrypt(self._seat, said, holder)
        except (SealBroken, DeserializationError) as error:
            self.transcript.stop([said])
            raise InvalidContents(
                f"{said.sender.name} signed an envelope for {self.me.name} that holds no share: {error}",
                culprits=[said.sender.name],
            ) from error

    def _require_one_view(self, round1_hash: bytes, received: Mapping[str, Signed[Round2]]) -> None:
        self._require_same(received[self.me.name].message.round1_hash == round1_hash)
        for name, said in received.items():
            if len(said.message.envelopes) != len(self.roster):
                self.transcript.stop([said])
                raise InvalidContents(
                    f"{name} signed {len(said.message.envelopes)} envelopes for {len(self.roster)} participants",
                    culprits=[name],
                )
            if said.message.round1_hash != round1_hash:
                self.transcript.stop([received[self.me.name], said])
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
        by_identifier = {self._seat.identifier(identity.name): identity.name for identity in self.roster}
        names = [by_identifier[culprit] for culprit in violation.culprits if isinstance(culprit, Identifier)]
        self.transcript.stop([of_one_step[name] for of_one_step in received for name in names])
        return type(violation)(f"{' and '.join(names)} {_VIOLATIONS[type(violation)]}", culprits=names)

    def _belongs(self, said: Signed[Any]) -> bool:
        if isinstance(said.message, Round1 | Round2 | Confirmation):
            return said.message.ceremony == self.id
        return said.content_digest == self.id  # the proposal itself, lying among the others

    @property
    def _own_identifier(self) -> Identifier:
        return self._seat.identifier(self.me.name)

    def _finished(self, confirmation: Signed[Confirmation]) -> Finished:
        path = f"{self._folder}/{PUBLIC_KEY_PACKAGE}"
        package = read_public_key_package(self.home, path, self.suite, confirmation)
        return Finished(confirmation.to_pem(), package.verifying_key.serialize(), confirmation.message.check_code)
