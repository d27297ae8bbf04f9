"""Three rounds and an agreement: how shares are made between people, whether of a new key or anew of a key.

Each participant sends one message a step, the same to everybody. What a step decided lies in the ceremony's
folder before its message leaves, so the same step again gives the same message, and a crash anywhere leaves a
ceremony that goes on where it was:

    round1   seal the polynomial in the token      → keep the message
    round2   bind it to the round-1 messages       → keep the message → destroy the polynomial
    finish   seal the key package in the token     → keep the message
    confirm  keep the confirmations of all         → the shares are active

The sealed record comes first and the kept message decides: a record without its message is taken up again, with
the same contents.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from frost_hsm.ceremony.history import kept
from frost_hsm.ceremony.history.evidence import read_proven_round1
from frost_hsm.ceremony.history.transcript import BEGINNING, GIVEN_UP, Status, Transcript
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.changing import GivenUp
from frost_hsm.ceremony.messages.inbox import Inbox
from frost_hsm.ceremony.messages.making import Confirmation, Dealing, Round1, Round2
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.signed import Signed, transcript_hash
from frost_hsm.ceremony.people.identity import Holder, OpenHolder
from frost_hsm.ceremony.sealing import shares
from frost_hsm.ceremony.sealing.marks import Marks
from frost_hsm.ceremony.sealing.seat import Seat
from frost_hsm.ceremony.sharing.blame import Blame
from frost_hsm.ceremony.sharing.sealed_rounds import SealedRounds
from frost_hsm.ceremony.store import StateDirectory, given_up_folder
from frost_hsm.errors import (
    CeremonyStopped,
    DeserializationError,
    Equivocation,
    InvalidSecretShare,
    NotKnown,
    NotPossible,
    ProtocolViolation,
    StepConflict,
)
from frost_hsm.frost.keys import dkg
from frost_hsm.frost.keys import round1 as frost_round1
from frost_hsm.frost.keys import round2 as frost_round2
from frost_hsm.frost.packages import Identifier, KeyPackage, PublicKeyPackage
from frost_hsm.secret import Entropy, system_entropy

M = TypeVar("M", bound=Message)
Packages = tuple[frost_round1.Package, Mapping[Identifier, frost_round1.Package]]  # our own, and those of the others


@dataclass(frozen=True, slots=True)
class Finished:
    """What `Rounds.finish` made: a message to send, and what people compare."""

    message: bytes
    verifying_key: bytes
    check_code: str


class Rounds(ABC):
    """One run of the three rounds, as one of its participants sees it. Subclasses say which FROST parts are run.

    home: where it is kept, in ``folder``; proposal: what everybody agreed to; title: what it is called in
    sentences; stem: what its files are called.
    """

    def __init__(
        self, home: StateDirectory, proposal: Signed[Any], seat: Seat, folder: str, *, title: str, stem: str
    ) -> None:
        self.home = home
        self.proposal = proposal
        self.seat = seat
        self.me = seat.me
        self.id = seat.ceremony
        self.name = seat.name
        self.suite = seat.suite
        self.roster = seat.roster
        self.position = seat.position
        self.min_signers = seat.min_signers
        self.epoch = seat.epoch
        self.title = seat.title
        self.command = seat.command
        self.stem = stem
        self.folder = folder
        self.transcript = Transcript(
            home,
            folder,
            self.roster,
            self.me,
            self._belongs,
            title=title,
            stem=stem,
            status=f"{self.command} status {self.name}",
            expected=[identity.name for identity in self.roster],
            voters=[identity.name for identity in self.roster],
            beginning=self._beginning,
        )
        self._blame = Blame(seat, self.transcript)

    # ── What differs ──

    @property
    @abstractmethod
    def _hint_if_done(self) -> str:
        """Say what can be done once all have confirmed."""

    @abstractmethod
    def _beginning(self) -> Iterable[Signed[Any]]:
        """Return what evidence begins with: the lineage of the key, and this proposal."""

    @abstractmethod
    def _require_no_other(self) -> None:
        """Raise `StepConflict` if another proposal has the place of this one."""

    @abstractmethod
    def _confirm(self, holder: Holder, confirmation: Confirmation) -> Signed[Confirmation]:
        """Cast one's own vote, once the share is sealed."""

    @abstractmethod
    def _part1(self, entropy: Entropy) -> tuple[frost_round1.SecretPackage, frost_round1.Package, bytes]:
        """Make a secret polynomial, the package for all others, and what proves every coefficient, if it has to be."""

    @abstractmethod
    def _part2(
        self, secret: frost_round1.SecretPackage, others: Mapping[Identifier, frost_round1.Package]
    ) -> tuple[frost_round2.SecretPackage, dict[Identifier, frost_round2.Package]]:
        """Check the packages of the others and evaluate the polynomial for each."""

    @abstractmethod
    def _part3(
        self,
        holder: Holder,
        state: frost_round2.SecretPackage,
        others: Mapping[Identifier, frost_round1.Package],
        received: Mapping[Identifier, frost_round2.Package],
        strict: bool | None,
    ) -> tuple[KeyPackage, PublicKeyPackage]:
        """Check the shares of the others and make the key package of them."""

    # ── Taking part ──

    @property
    def is_accepted(self) -> bool:
        """Whether this proposal is kept here; `CeremonyStopped` if it was given up before one confirmed it."""
        if self.home.exists(given_up_folder(self.id)):
            raise CeremonyStopped(f"this proposal of {self.seat.title} was given up here", hint="ask for a new one")
        return self.home.exists(f"{self.folder}/{BEGINNING}")

    @property
    def has_agreed(self) -> bool:
        """Whether one has agreed to take part: by having proposed it, or by a message of one's own."""
        if not self.is_accepted:
            return False
        kinds: tuple[type[Message], ...] = (Round1, Confirmation)
        return self.proposal.sender == self.me or any(self.transcript.sent(kind) is not None for kind in kinds)

    def accept(self) -> None:
        """Keep the proposal: agree to take part. Raises `StepConflict` if another one has its place."""
        with self.home.lock():
            if not self.is_accepted:
                self._require_no_other()
                self.home.put(f"{self.folder}/{BEGINNING}", self.proposal.to_pem())

    # ── The steps ──

    def round1(self, open_holder: OpenHolder, *, entropy: Entropy = system_entropy) -> bytes:
        """Commit to a fresh polynomial; returns the message for all."""
        self._require_running()
        sent = self.transcript.sent(Round1)
        if sent is None:
            with self.at_work(open_holder) as (holder, sealed):
                sent = self.transcript.sent(Round1)
                if sent is None:
                    package, proofs = sealed.draw(lambda: self._part1(entropy))
                    said = Round1(self.id, package.serialize(), package.y_coordinates(), proofs)
                    sent = self.transcript.write(said, holder)
        return sent.to_pem()

    def round2(self, open_holder: OpenHolder, inbox: Inbox, *, entropy: Entropy = system_entropy) -> bytes:
        """Check everybody's round 1 and encrypt a share to each; returns the message for all.

        A wrong package convicts its sender; the signed message is the proof.
        """
        self._require_running()
        received = self.transcript.gather(Round1, inbox)
        sent = self.transcript.find(Round2, inbox).get(self.me.name)
        if sent is None:
            _, others = self.round1_packages(received)
            with self.at_work(open_holder) as (holder, sealed):
                sent = self.transcript.sent(Round2)
                if sent is None:
                    sent = self._send_shares(holder, sealed, received, others, entropy)
        self._require_same(sent.message.round1_hash == transcript_hash(received.values()))
        self.transcript.keep({self.me.name: sent})  # it may have come back from others
        return sent.to_pem()

    def _send_shares(
        self,
        holder: Holder,
        sealed: SealedRounds,
        received: Mapping[str, Signed[Round1]],
        others: Mapping[Identifier, frost_round1.Package],
        entropy: Entropy,
    ) -> Signed[Round2]:
        secret = sealed.recall()
        try:
            state, sending = self._part2(secret, others)
        except ProtocolViolation as violation:
            raise self._blame.convict(*self._of_culprits(violation, received)) from violation
        finally:
            secret.wipe()
        sending[self.seat.own_identifier] = frost_round2.Package(self.suite, state.secret_share)
        try:
            round1_hash = transcript_hash(received.values())
            with sealed.mark_round2(round1_hash, entropy) as root:
                envelopes = shares.encrypt(self.seat, sending, round1_hash, root)
        finally:
            for package in sending.values():
                package.wipe()
        self.transcript.keep(received)
        sent = self.transcript.write(Round2(self.id, round1_hash, envelopes), holder)
        sealed.forget_polynomial()
        return sent

    def finish(self, open_holder: OpenHolder, inbox: Inbox, *, strict: bool | None = None) -> Finished:
        """Open and check the shares and seal the key package, as *pending*; returns the confirmation for all.

        A share that does not match its sender's round 1 convicts the sender. All it needs is in the messages and the
        token, so it can be done again by somebody whose state directory was lost.
        """
        self._require_running()
        first = self.transcript.gather(Round1, inbox)
        second = self.transcript.gather(Round2, inbox)
        round1_hash = transcript_hash(first.values())
        self._require_one_view(round1_hash, second)
        round2_hash = transcript_hash(second.values())
        sent = self.transcript.sent(Confirmation)
        if sent is None:
            packages = self.round1_packages(first)
            with self.at_work(open_holder) as (holder, sealed):
                sent = self.transcript.sent(Confirmation)
                if sent is None:
                    key_package, public = self.add_up_shares(holder, packages, first, second, strict)
                    digest = hashlib.sha256(public.serialize()).digest()
                    confirmation = Confirmation(self.id, (round1_hash, round2_hash), digest)
                    sent = self.seal(holder, sealed, key_package, public, confirmation, first, second)
        self._require_same(sent.message.messages == (round1_hash, round2_hash))
        return self.finished(sent)

    def seal(
        self,
        holder: Holder,
        sealed: SealedRounds,
        package: KeyPackage,
        public: PublicKeyPackage,
        confirmation: Confirmation,
        *received: Mapping[str, Signed[Any]],
    ) -> Signed[Confirmation]:
        """Seal a key package, wipe it, and confirm it: from here on this participant has finished."""
        sealed.seal_share(package, confirmation)
        sealed.forget_polynomial()
        for of_one_step in received:
            self.transcript.keep(of_one_step)
        self.home.put(f"{self.folder}/{kept.PUBLIC_KEY_PACKAGE}", public.to_json().encode())
        return self._confirm(holder, confirmation)

    def add_up_shares(
        self,
        holder: Holder,
        packages: Packages,
        first: Mapping[str, Signed[Round1]],
        second: Mapping[str, Signed[Round2]],
        strict: bool | None,
    ) -> tuple[KeyPackage, PublicKeyPackage]:
        """Open the shares and run part 3; the caller wipes the key package. packages: of `round1_packages`."""
        own = shares.decrypt(self.seat, second[self.me.name], holder)
        state = frost_round2.SecretPackage(
            self.suite,
            self.seat.own_identifier,
            packages[0].commitment,
            own.signing_share,
            self.min_signers,
            len(self.roster),
            dkg.digest_round1(packages[1]),  # part2 checked these: our own round 2 names their hash
        )
        received: dict[Identifier, frost_round2.Package] = {}
        try:
            for name, said in second.items():
                if name != self.me.name:
                    package = self._blame.open_share(holder, first.values(), said, second[self.me.name])
                    received[self.seat.identifier(name)] = package
            try:
                return self._part3(holder, state, packages[1], received, strict)
            except InvalidSecretShare as violation:
                of_second = self._of_culprits(violation, second)
                what = "sent you a share that does not match the round 1 commitment"
                raise self._blame.complain(holder, first.values(), of_second, InvalidSecretShare, what) from violation
            except ProtocolViolation as violation:
                raise self._blame.convict(*self._of_culprits(violation, first)) from violation
        finally:
            for package in (own, *received.values()):
                package.wipe()

    def compare(self, inbox: Inbox) -> Finished:
        """Compare everybody's confirmation with our own; changes nothing unless they differ. Needs no token."""
        return self.finished(self._compare(inbox)[self.me.name])

    def _activate(self, inbox: Inbox) -> Finished:
        """As `compare`; when all n are here and equal, the shares are active."""
        with self.home.lock():
            received = self._compare(inbox)
            self.transcript.keep(received)
        return self.finished(received[self.me.name])

    def _compare(self, inbox: Inbox) -> dict[str, Signed[Confirmation]]:
        if self.is_accepted and (agreed := self.transcript.agreed(inbox)) is not None:
            return agreed
        self._require_running()
        received = self.transcript.gather(Confirmation, inbox)
        own = received[self.me.name]
        for name, said in received.items():
            if said.content_digest != own.content_digest:
                self.transcript.stop([own, said])
                raise Equivocation(
                    f"{name} confirms another transcript: theirs {said.message.check_code}, "
                    f"yours {own.message.check_code}",
                    hint="do not give it up while others may use it; compare all files: frost-hsm inspect --digest",
                )
        return received

    def abort(self, open_holder: OpenHolder) -> bool:
        """Give this up on our side; returns whether it is undone.

        Before one's own confirmation left, that is for good: what was sealed is destroyed. After it, a vote that others
        may hold is not taken back: the shares and all messages are kept, it is noted as given up here, and should all n
        confirm it after all, it ends well. Raises `NotPossible` for what all have confirmed.
        """
        with open_holder() as holder, self.home.lock():
            self.require_unconfirmed()  # maybe taken in while we waited for the token
            if not self.home.exists(f"{self.folder}/{BEGINNING}"):  # given up by another process in the meantime
                raise NotKnown(f"{self.seat.title} was given up already", hint="there is nothing left to do")
            if self.transcript.sent(Confirmation) is None:
                Marks(holder, self.home).gone(self.id)
                SealedRounds(self.seat, holder, self.home).destroy_all()
                self.home.move(self.folder, given_up_folder(self.id))
                return True
            if not self.transcript.is_given_up:
                self.home.put(f"{self.folder}/{GIVEN_UP}", signed.write(GivenUp(self.id), holder))
            return False

    def require_unconfirmed(self) -> None:
        """Raise `NotPossible` if all have confirmed it: then nobody gives it up."""
        if self.is_active:
            raise NotPossible(f"{self.seat.title} was confirmed by all", hint=self._hint_if_done)

    @property
    def is_active(self) -> bool:
        """Whether all n have confirmed, and it was taken in here."""
        return self.transcript.is_complete

    def status(self) -> Status:
        """Say what comes next, and whose message for it has not been taken in."""
        if self.transcript.is_given_up:
            known = self.transcript.known(Confirmation)
            missing = tuple(name for name in self.transcript.voters if name not in known)
            return Status("given-up", tuple(known), missing)
        if self.transcript.is_stopped:
            verdict = self.transcript.verdict()
            return Status("stopped", missing=verdict.awaiting, why=verdict.sentence) if verdict else Status("stopped")
        if self.is_active:
            return Status("active")
        steps: list[tuple[type[Any], str]] = [(Confirmation, "confirm"), (Round2, "finish"), (Round1, "round2")]
        for kind, step in steps:
            if self.transcript.sent(kind) is not None:
                known = self.transcript.known(kind)
                missing = tuple(name for name in self.transcript.expected if name not in known)
                return Status(step, tuple(known), missing)
        return Status("round1")

    # ── Whether a step may be taken ──

    @contextmanager
    def at_work(self, open_holder: OpenHolder) -> Iterator[tuple[Holder, SealedRounds]]:
        """Open the token and keep everybody else out; what happened while we waited is seen from here on."""
        with open_holder() as holder, self.home.lock():
            self._require_running()
            if Marks(holder, self.home).is_gone(self.id):
                raise CeremonyStopped(f"your token shows that you gave {self.seat.title} up", hint="abort it here too")
            yield holder, SealedRounds(self.seat, holder, self.home)

    def _require_running(self) -> None:
        if not self.is_accepted:
            raise NotPossible(f"you have not agreed to take part in {self.seat.title}")
        self.transcript.require_running()

    def _require_same(self, is_same: bool) -> None:
        if not is_same:
            raise StepConflict(f"this step of {self.seat.title} was done before, with other messages")

    # ── What others signed ──

    def round1_packages(self, received: Mapping[str, Signed[Round1]]) -> Packages:
        """Read our own package and those of the others; one that is none, or proves too little, convicts its sender."""
        others = [said for name, said in received.items() if name != self.me.name]
        read = ((self.seat.identifier(said.sender.name), self._round1_package(said)) for said in others)
        return self._round1_package(received[self.me.name]), frost_round1.keep_sums(self.suite, read)

    def _round1_package(self, said: Signed[Round1]) -> frost_round1.Package:
        try:
            return read_proven_round1(self.seat, said)
        except (DeserializationError, ProtocolViolation) as error:
            raise self._blame.convict(said) from error

    def _require_one_view(self, round1_hash: bytes, received: Mapping[str, Signed[Round2]]) -> None:
        self._require_same(received[self.me.name].message.round1_hash == round1_hash)
        for said in received.values():
            if len(said.message.envelopes) != len(self.roster):
                raise self._blame.convict(said)
            if said.message.round1_hash != round1_hash:
                raise self._blame.convict(
                    received[self.me.name],
                    said,
                    hint="somebody sent different messages to different people; compare everybody's files: "
                    "frost-hsm inspect --digest",
                )

    def _of_culprits(self, violation: ProtocolViolation, received: Mapping[str, Signed[M]]) -> list[Signed[M]]:
        """Return what the culprits said in one step."""
        return [said for name, said in received.items() if self.seat.identifier(name) in violation.culprits]

    def _belongs(self, said: Signed[Any]) -> bool:
        if isinstance(said.message, Round1 | Round2 | Confirmation | Dealing):
            return said.message.ceremony == self.id
        return said.content_digest == self.id  # the proposal itself, lying among the others

    def finished(self, confirmation: Signed[Confirmation]) -> Finished:
        """Return what one's own confirmation says."""
        digest = confirmation.message.public_key_package_hash
        package = kept.read_package(self.home, self.folder, self.suite.id, digest)
        return Finished(confirmation.to_pem(), package.verifying_key.serialize(), confirmation.message.check_code)
