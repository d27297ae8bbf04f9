"""Repair between people: a lost share rebuilt for a new identity, or a share made for a new participant.

At least a threshold of others help; the key, the epoch and everybody else's share stay as they are:

    request  the one who receives says who they are, asks helpers, and names what this displaces
    delta    each helper cuts its part into pieces, encrypted, one for each helper
    sigma    each helper adds up its pieces and encrypts the sum to the one who receives
    finish   the one who receives adds up the sums, checks the share against the group, seals it and says so
    confirm  everybody else, but those called absent, confirms it; with all confirmations the roster changes

So a seat is also taken from whoever blocks a step of all: somebody else asks for it, by name of what is blocked.

Where a participant has named a second token, that one makes the share without help, of what was encrypted to it too
(`frost_hsm.ceremony.sharing.recovery`): then the request names no helpers, and the end follows at once.

Nothing secret is kept between the steps but encrypted, in the messages. The lost token still holds its share: refresh.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from frost_hsm.ceremony.history import kept
from frost_hsm.ceremony.history.chapter import Chapter
from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.history.transcript import BEGINNING, Status, Transcript
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.changing import RepairDelta, RepairDone, RepairRequest, RepairSigma
from frost_hsm.ceremony.messages.inbox import NOTHING, Inbox
from frost_hsm.ceremony.messages.making import Confirmation
from frost_hsm.ceremony.messages.message import Enclosure, Envelopes, random_field
from frost_hsm.ceremony.messages.signed import Signed, transcript_hash
from frost_hsm.ceremony.people.identity import Holder, OpenHolder, PublicIdentity
from frost_hsm.ceremony.sealing import envelope
from frost_hsm.ceremony.sealing.context import Context, Kind
from frost_hsm.ceremony.sealing.marks import Marks
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.ceremony.sharing import voting
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import (
    DeserializationError,
    Equivocation,
    ForeignMessage,
    InvalidContents,
    NotKnown,
    NotPossible,
    SealBroken,
    StepConflict,
    UnknownSender,
    UsageProblem,
)
from frost_hsm.frost.keys import repair
from frost_hsm.frost.keys.repair import Delta, Sigma
from frost_hsm.frost.packages import Identifier, KeyPackage
from frost_hsm.frost.values import SecretValue
from frost_hsm.secret import Entropy, system_entropy

S = TypeVar("S", bound=SecretValue)
M = TypeVar("M", RepairDelta, RepairSigma)


def request(
    holder: Holder,
    key: GroupKey,
    position: int,
    helpers: Sequence[str],
    *,
    absent: Sequence[str] = (),
    displaces: Sequence[bytes] = (),
    entropy: Entropy = system_entropy,
) -> bytes:
    """Ask helpers for the share of a position: one's own, lost, or one after the last, to join the group.

    absent: names of those whose confirmation is not waited for. displaces: ids of unfinished successors of the key's
    state whose place this takes. Returns the signed message, to be sent to everybody. Raises `NotPossible`.
    """
    key.require_active()
    message = RepairRequest(
        key.ceremony,
        key.state.digest,
        random_field(entropy),
        position,
        holder.public,
        tuple(sorted(map(key.roster.position, helpers))),
        tuple(sorted(map(key.roster.position, absent))),
        tuple(sorted(displaces)),
    )
    key.state.require_possible(message)
    return signed.write(message, holder)


class Repair:
    """One repair, as somebody sees it: a helper, the one who receives, or another participant.

    key: as it was before.
    """

    def __init__(self, home: StateDirectory, request: Signed[RepairRequest], key: GroupKey) -> None:
        plan = request.message
        if not key.is_changed_by(plan):
            raise ForeignMessage(
                f"{request.sender.name} asked for a repair of {key.name} in another state than it has here",
                hint=f"compare with theirs: frost-hsm history show {key.name}",
            )
        try:
            key.state.require_possible(plan)
        except (UsageProblem, NotKnown) as error:  # who signed it has only said who they are
            raise ForeignMessage(f"the repair request cannot be: {error}") from error
        self.home = home
        self.request = request
        self.id = request.content_digest
        self.key = key
        self.me = key.me
        self.receiver = plan.receiver
        self.position = plan.position
        self.is_new = plan.position > len(key.roster)
        self.helpers = tuple(key.roster.at(position) for position in plan.helpers)
        self.voters = key.state.voters(plan)
        self.roster = key.state.roster_with(plan)
        self.folder = kept.chapter_folder(key.folder, self.id)
        self.stem = f"{key.name}.repair{plan.position}"
        self.transcript = self._transcript([helper.name for helper in self.helpers])
        self._ending = self._transcript([self.receiver.name])

    def _transcript(self, expected: list[str]) -> Transcript:
        return Transcript(
            self.home,
            self.folder,
            self.roster,
            self.me,
            self._belongs,
            title=f"the repair of {self.key.name} for {self.receiver.name}",
            stem=self.stem,
            status=f"repair status {self.stem}.request.pem",
            expected=expected,
            voters=[voter.name for voter in self.voters],
            beginning=lambda: [*self.key.history.lineage(self.key.state), self.request],
        )

    @classmethod
    def read(cls, home: StateDirectory, data: bytes, me: PublicIdentity) -> Repair:
        """Take a request file; its key and state have to be known here. That its author is, `check_receiver` sees."""
        asked = signed.read(data).expect(RepairRequest)
        return cls(home, asked, GroupKey.find(home, asked.message.ceremony, me, at=asked.message.state))

    @classmethod
    def done(cls, home: StateDirectory, key: GroupKey) -> list[Repair]:
        """List the repairs of the key's epoch that led to its state, in order."""
        found = []
        for chapter in key.history.path(key.state):
            before = chapter.before
            if (
                before is not None
                and before.sharing == key.sharing
                and isinstance(chapter.beginning.message, RepairRequest)
            ):
                found.append(cls(home, chapter.beginning, GroupKey.read(home, key.folder, key.me, at=before.digest)))
        return found

    @property
    def chapter(self) -> Chapter:
        """This repair as a chapter of the key's history."""
        return self.key.chapter(self.request)

    @property
    def displaced(self) -> dict[bytes, str]:
        """What it displaces, by id, for people to see all of it before they agree: its title where that is known."""
        return self.key.history.titles(self.request.message.displaces)

    @property
    def absent(self) -> list[PublicIdentity]:
        """Those whose confirmation it does not wait for."""
        return [self.key.roster.at(position) for position in self.request.message.absent]

    @property
    def is_takeover(self) -> bool:
        """Whether a second token takes the place of the first, without help."""
        return not self.helpers

    @property
    def replaced(self) -> PublicIdentity | None:
        """Whose place the one who receives takes; None for a new participant."""
        return None if self.is_new else self.key.roster.at(self.position)

    def check_receiver(self, peers: Mapping[str, PublicIdentity]) -> None:
        """Make sure that the one who receives is somebody we know under this very identity. Raises `UnknownSender`."""
        if self.is_takeover:  # the identity that it replaces has certified it
            return
        if self.receiver != self.me and peers.get(self.receiver.name) != self.receiver:
            raise UnknownSender(
                f"{self.receiver.name} with this identity is not among your peers",
                hint="compare fingerprints with them, by voice or in person; then: frost-hsm peer remove, peer add",
            )

    # ── The steps of a helper ──

    def delta(self, open_holder: OpenHolder, *, entropy: Entropy = system_entropy) -> bytes:
        """Agree to help: cut one's part of the share into a delta for each helper; returns the message for all helpers.

        ZcashFoundation: ``repair_share_part1``.
        """
        self._require_running(self.me in self.helpers, "a helper")
        sent = self.transcript.sent(RepairDelta)
        if sent is None:
            with open_holder() as holder, self.home.lock():
                sent = self.transcript.sent(RepairDelta)
                if sent is None:
                    package = self.key.unseal(SealedRecords(holder, self.home))
                    identifiers = [self._identifier(helper) for helper in self.helpers]
                    try:
                        deltas = repair.repair_share_part1(identifiers, package, self._receiving, entropy)
                    finally:
                        package.wipe()
                    envelopes = Envelopes.of(
                        Enclosure.of(self._encrypt(Kind.REPAIR_DELTA, helper, deltas[self._identifier(helper)]))
                        for helper in self.helpers
                    )
                    self.home.put(f"{self.folder}/{BEGINNING}", self.request.to_pem())
                    sent = self.transcript.write(RepairDelta(self.id, envelopes), holder)
        return sent.to_pem()

    def sigma(self, open_holder: OpenHolder, inbox: Inbox) -> bytes:
        """Add up the deltas of all helpers; returns the message for everybody.

        It holds the sum, for the one who receives. ZcashFoundation: ``repair_share_part2``.
        """
        self._require_running(self.me in self.helpers, "a helper")
        received = self.transcript.gather(RepairDelta, inbox)
        deltas_hash = transcript_hash(received.values())
        sent = self.transcript.sent(RepairSigma)
        if sent is None:
            for said in received.values():
                if len(said.message.envelopes) != len(self.helpers):
                    raise self._convict(said, "other than one envelope a helper")
            with open_holder() as holder, self.home.lock():
                sent = self.transcript.sent(RepairSigma)
                if sent is None:
                    place = self.helpers.index(self.me)
                    envelopes = {name: said.message.envelopes[place].opened for name, said in received.items()}
                    deltas = self._open_all(Kind.REPAIR_DELTA, Delta, received, envelopes, self.me, holder)
                    total = repair.repair_share_part2(list(deltas), deltas)
                    _wipe(deltas)
                    sealed = self._encrypt(Kind.REPAIR_SIGMA, self.receiver, total, deltas_hash)
                    self.transcript.keep(received)
                    sent = self.transcript.write(RepairSigma(self.id, deltas_hash, sealed), holder)
        if sent.message.deltas_hash != deltas_hash:
            raise StepConflict("this step of the repair was done before, with other messages")
        return sent.to_pem()

    # ── The step of the one who receives ──

    def finish(self, open_holder: OpenHolder, inbox: Inbox) -> bytes:
        """Add up the sigmas, check the share against the group's public key package and seal it.

        It signs once all voters have confirmed. Returns the message for everybody. ZcashFoundation:
        ``repair_share_part3``. Raises `IncorrectPackage`, naming nobody, if the share is wrong.
        """
        self._require_running(self.me == self.receiver, "the one who receives")
        if self.is_takeover:
            raise NotPossible("a second token makes the share itself", hint=f"frost-hsm recover {self.key.name}")
        received = self._gather_sigmas(inbox)
        return self._end(open_holder, received, lambda holder: self.add_up(holder, received))

    def take_over(self, open_holder: OpenHolder, rebuild: Callable[[Holder], KeyPackage]) -> bytes:
        """As `finish`, on a second token, with the share that ``rebuild`` returns."""
        self._require_running(self.me == self.receiver, "the one who receives")
        return self._end(open_holder, {}, rebuild)

    def _end(
        self,
        open_holder: OpenHolder,
        received: Mapping[str, Signed[RepairSigma]],
        make: Callable[[Holder], KeyPackage],
    ) -> bytes:
        sigmas_hash = transcript_hash(received.values())
        sent = self._ending.sent(RepairDone)
        if sent is None:
            with open_holder() as holder, self.home.lock():
                sent = self._ending.sent(RepairDone)
                if sent is None:
                    self.key.repaired(self.request.message).seal(make(holder), SealedRecords(holder, self.home))
                    Marks(holder, self.home).made_again(self.key.ceremony)
                    self.home.put(f"{self.folder}/{BEGINNING}", self.request.to_pem())
                    self.transcript.keep(received)
                    sent = self._ending.write(RepairDone(self.id, sigmas_hash), holder)
        if sent.message.sigmas_hash != sigmas_hash:
            raise StepConflict("this step of the repair was done before, with other messages")
        return sent.to_pem()

    def add_up(self, holder: Holder, received: Mapping[str, Signed[RepairSigma]]) -> KeyPackage:
        """Make the share of all sigmas; the caller wipes it. holder: the receiver, or their second token."""
        envelopes = {name: said.message.envelope for name, said in received.items()}
        sigmas = self._open_all(Kind.REPAIR_SIGMA, Sigma, received, envelopes, self.receiver, holder)
        try:
            return repair.repair_share_part3(sigmas, self._receiving, self.key.public_key_package)
        finally:
            _wipe(sigmas)

    @property
    def ending(self) -> Signed[RepairDone] | None:
        """The word of the one who receives that it is done, if that is here."""
        return self._ending.known(RepairDone).get(self.receiver.name)

    # ── The step of everybody else ──

    def confirm(self, open_holder: OpenHolder, inbox: Inbox) -> bytes | None:
        """Confirm that somebody has this share from now on; returns the message for everybody, None if one has no say.

        Whoever's confirmation comes with the inbox is taken in too: with all of them the roster changes (`is_done`).
        """
        self._require_running(self.me in self.roster, "a participant", inbox)
        sigmas, done = self._gather_end(inbox)

        def keep() -> None:
            self.home.put(f"{self.folder}/{BEGINNING}", self.request.to_pem())
            self.transcript.keep(sigmas)
            self._ending.keep({self.receiver.name: done})

        messages = (transcript_hash(sigmas.values()), done.content_digest)
        confirmation = Confirmation(self.id, messages, self._package_hash())
        sent = voting.confirm(
            self.home, self.key, self.chapter, confirmation, self.transcript, open_holder, inbox, keep
        )
        return sent.to_pem() if sent is not None else None

    def _package_hash(self) -> bytes:
        return hashlib.sha256(self.key.repaired(self.request.message).public_key_package.serialize()).digest()

    def _gather_end(self, inbox: Inbox) -> tuple[dict[str, Signed[RepairSigma]], Signed[RepairDone]]:
        sigmas, ending = self._gather_sigmas(inbox), self._ending.gather(RepairDone, inbox)
        done = ending[self.receiver.name]
        if done.message.sigmas_hash != transcript_hash(sigmas.values()):
            raise Equivocation(f"{self.receiver.name} saw other sigmas than these", hint=_COMPARE)
        return sigmas, done

    @property
    def missing(self) -> list[str]:
        """The names of those whose confirmation is not here."""
        known = self.transcript.known(Confirmation)
        return [voter.name for voter in self.voters if voter.name not in known]

    @property
    def is_done(self) -> bool:
        """Whether all voters have confirmed it, and it was taken in here."""
        return self.transcript.is_complete

    def status(self) -> Status:
        """Say what comes next here, and whose message for it has not been taken in."""
        if self.is_done:
            return Status("done")
        if self.transcript.sent(Confirmation) is not None:
            known = tuple(self.transcript.known(Confirmation))
            return Status("confirm", known, tuple(self.missing))
        if self.me in self.helpers and self.transcript.sent(RepairDelta) is None:
            return Status("delta")
        if self.me in self.helpers and self.transcript.sent(RepairSigma) is None:
            known = tuple(self.transcript.known(RepairDelta))
            return Status("sigma", known, tuple(n for n in self.transcript.expected if n not in known))
        return Status("finish" if self.me == self.receiver and self.ending is None else "confirm")

    # ── What all steps need ──

    def _require_running(self, is_role: bool, role: str, inbox: Inbox = NOTHING) -> None:
        if not is_role:
            raise NotPossible(f"{self.me.name} is not {role} in this repair of {self.key.name}")
        if self.transcript.agreed(inbox) is None:  # what all have agreed to counts, whatever stopped it here
            self.transcript.require_running()
        if not self.is_done:
            self.key.require_active()

    def _gather_sigmas(self, inbox: Inbox) -> dict[str, Signed[RepairSigma]]:
        received = self.transcript.gather(RepairSigma, inbox)  # of a takeover none
        if len({said.message.deltas_hash for said in received.values()}) > 1:
            raise Equivocation("the helpers saw different deltas", hint=_COMPARE)
        return received

    def _encrypt(self, kind: Kind, recipient: PublicIdentity, value: SecretValue, binding: bytes = b"") -> bytes:
        with value.serialize() as plaintext:
            value.wipe()
            context = self._context(kind, self.me, recipient, binding)
            return envelope.encrypt(context, plaintext, recipient.addressees)

    def _open_all(
        self,
        kind: Kind,
        type_: type[S],
        received: Mapping[str, Signed[M]],
        envelopes: Mapping[str, bytes],
        recipient: PublicIdentity,
        holder: Holder,
    ) -> dict[Identifier, S]:
        """Open everybody's envelope for ``recipient``; one that holds nothing convicts its sender."""
        envelope.try_token(self._context(kind, holder.public, holder.public, self.id), holder)
        opened: dict[Identifier, S] = {}
        for name, said in received.items():
            binding = said.message.deltas_hash if isinstance(said.message, RepairSigma) else b""
            try:
                context = self._context(kind, said.sender, recipient, binding)
                with envelope.decrypt(envelopes[name], context, holder, recipient.addressees) as plaintext:
                    opened[self._identifier(said.sender)] = type_.deserialize(self.key.suite, plaintext)
            except (SealBroken, DeserializationError) as error:
                _wipe(opened)
                what = f"an envelope for {recipient.name} that holds nothing: {error}"
                raise self._convict(said, what, "nobody else can see it; ask for the repair with others") from error
        return opened

    def _convict(self, said: Signed[Any], what: str, hint: str | None = None) -> InvalidContents:
        self.transcript.stop([said])
        return InvalidContents(f"{said.sender.name} signed {what}", hint=hint, culprits=[said.sender.name])

    def _context(self, kind: Kind, sender: PublicIdentity, recipient: PublicIdentity, binding: bytes) -> Context:
        key = self.key
        return Context(
            self.id,
            kind,
            key.suite.id,
            sender.sign_key.digest,
            recipient.agree_key.digest,
            key.state.digest,
            key.epoch,
            binding,
        )

    def _identifier(self, member: PublicIdentity) -> Identifier:
        return self.key.numbering.identifier(self.key.suite, self.roster, member.name)

    @property
    def _receiving(self) -> Identifier:
        return self._identifier(self.receiver)

    def _belongs(self, said: Signed[Any]) -> bool:
        if isinstance(said.message, RepairDelta | RepairSigma):
            return said.message.repair == self.id and said.sender in self.helpers
        if isinstance(said.message, RepairDone):
            return said.message.repair == self.id and said.sender == self.receiver
        if isinstance(said.message, Confirmation):
            return said.message.ceremony == self.id and said.sender in self.voters
        return said.content_digest == self.id  # the request itself, lying among the others


_COMPARE = "somebody sent different messages to different people; compare everybody's files: frost-hsm inspect --digest"


def _wipe(values: Mapping[Identifier, SecretValue]) -> None:
    for value in values.values():
        value.wipe()
