"""A key as one of its participants has it, in one state of its history: everything but the share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from frost_hsm.ceremony.history import kept
from frost_hsm.ceremony.history.chain import History, package_with
from frost_hsm.ceremony.history.chapter import Chapter
from frost_hsm.ceremony.history.state import State
from frost_hsm.ceremony.history.transcript import EVIDENCE, STEPS
from frost_hsm.ceremony.messages.changing import Abandonment, RepairRequest
from frost_hsm.ceremony.messages.making import Confirmation, RefreshProposal
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.people.identity import Holder, PublicIdentity
from frost_hsm.ceremony.people.numbering import Numbering
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.ceremony.sealing.context import Context, Kind
from frost_hsm.ceremony.sealing.marks import Marks
from frost_hsm.ceremony.sealing.records import SealedRecords, own_context, record_name
from frost_hsm.ceremony.store import StateDirectory, given_up_folder
from frost_hsm.errors import (
    CeremonyStopped,
    Equivocation,
    ForeignMessage,
    KeyExists,
    KeyNotFound,
    NotKnown,
    NotPossible,
    NotYet,
    SealBroken,
    StorageProblem,
    UnknownIdentifier,
    UnknownSender,
)
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.packages import Identifier, KeyPackage, PublicKeyPackage


class KeyStatus(StrEnum):
    """Whether a key may sign."""

    PENDING = "pending"  # the share is sealed, not all have confirmed yet
    ACTIVE = "active"
    STOPPED = "stopped"  # evidence stopped it before all had confirmed
    GIVEN_UP = "given up"  # its owner gave it up here, but it may end well
    SUPERSEDED = "superseded"  # a state that another one has followed
    PARTED = "parted"  # somebody confirmed what excludes each other, and people have to decide


@dataclass(frozen=True, slots=True)
class GroupKey:
    """A key that a group has made; public throughout.

    state: the one of its history that this is about. me: one's own identity, whether one has a share or not. why: what
    stopped or parted it, if anything did.
    """

    status: KeyStatus
    state: State
    public_key_package: PublicKeyPackage = field(repr=False)
    me: PublicIdentity = field(repr=False)
    history: History = field(repr=False, compare=False)
    why: str = ""

    @classmethod
    def load(cls, home: StateDirectory, name: str, me: PublicIdentity, *, at: bytes | None = None) -> GroupKey:
        """Read a key from the state directory.

        at: the digest of a state; None is the present one. Raises `NotKnown` if the key, or the state, is not here.
        """
        found = kept.folders(home, name)
        if len(found) > 1:  # of one that was given up and may end well, another may have the name
            found = [each for each in found if not kept.given_up(home, each, me)] or found[:1]
        if not found:
            raise kept.unknown(home, name)
        return cls.read(home, found[0], me, at=at)

    @classmethod
    def find(cls, home: StateDirectory, ceremony: bytes, me: PublicIdentity, *, at: bytes | None = None) -> GroupKey:
        """Read the key that a message names by its ceremony, in the state that it names; other keys may be damaged.

        Raises `UnknownSender` if there is none: whoever wrote it is nobody that we share a key with; `ForeignMessage`
        for a state that is not known here.
        """
        folder = kept.find(home, ceremony)
        if folder is None:
            raise UnknownSender("this is about no key that is known here", hint="see: frost-hsm keys list")
        return cls.read(home, folder, me, at=at)

    @classmethod
    def read(cls, home: StateDirectory, folder: str, me: PublicIdentity, *, at: bytes | None = None) -> GroupKey:
        """Read the key of a folder. Raises as `load` and `find` do."""
        with kept.reading(home, folder):
            return cls._read(home, folder, me, at)

    @classmethod
    def _read(cls, home: StateDirectory, folder: str, me: PublicIdentity, at: bytes | None) -> GroupKey:
        history = kept.read(home, folder)
        given_up, why = kept.given_up(home, folder, me), ""
        line: list[State] = []
        try:
            for state in history.line(me, given_up):
                line.append(state)  # what comes before people were parted counts
        except Equivocation as error:
            why = str(error)
        if not line and at is None:
            return cls._unfinished(home, folder, history, me, bool(given_up))
        wanted = line[-1] if at is None and line else history.states.get(at or b"")
        if wanted is None:
            raise ForeignMessage(
                f"this is about a state of {history.plan.name} that is not known here",
                hint="take in what was signed since, from another participant: "
                f"frost-hsm keys export {history.plan.name}, and here: frost-hsm keys import",
            )
        status = KeyStatus.ACTIVE if line and wanted == line[-1] else KeyStatus.SUPERSEDED
        if why and status is KeyStatus.ACTIVE:
            status = KeyStatus.PARTED
        return cls(status, wanted, _package(home, folder, history, wanted), me, history, why)

    @classmethod
    def _unfinished(
        cls, home: StateDirectory, folder: str, history: History, me: PublicIdentity, is_given_up: bool
    ) -> GroupKey:
        """Read a key that not all have confirmed."""
        making = history.chapters[history.proposal.content_digest]
        state = _state_confirmed_by(making, me)
        if state is None:
            name = history.plan.name
            raise NotKnown(f'key "{name}" is not made yet', hint=f"what is next: frost-hsm dkg status {name}")
        chapter = kept.chapter_folder(folder, making.id)
        status = KeyStatus.GIVEN_UP if is_given_up else KeyStatus.PENDING
        if home.exists(f"{chapter}/{EVIDENCE}"):
            status = KeyStatus.STOPPED
        package = kept.read_package(home, chapter, state.plan.suite, state.package_hash)
        return cls(status, state, package, me, history)

    @classmethod
    def names(cls, home: StateDirectory) -> list[str]:
        """List the keys there are, by name, pending ones included."""
        step = STEPS[Confirmation]
        with_end = (
            each for each in kept.folders(home) if home.names(f"{kept.chapter_folder(each, kept.id_of(each))}/{step}")
        )
        return sorted({kept.name_of(each) for each in with_end})

    def latest(self, home: StateDirectory) -> GroupKey:
        """Return the key as a refresh will have left it that only lacks confirmations of others; else itself."""
        for chapter in self.history.successors(self.state):
            confirmed = chapter.by_sender(Confirmation).get(self.me)
            is_refresh = isinstance(chapter.beginning.message, RefreshProposal)
            if confirmed is not None and is_refresh and not chapter.is_complete:
                return self.after(chapter, confirmed, home)
        return self

    def earlier(self, home: StateDirectory) -> list[GroupKey]:
        """Return the key as it was in each state before this one, oldest first."""
        states = [chapter.before for chapter in self.history.path(self.state) if chapter.before is not None]
        return [
            replace(
                self,
                status=KeyStatus.SUPERSEDED,
                state=state,
                public_key_package=_package(home, self.folder, self.history, state),
            )
            for state in states
        ]

    # ── What it is ──

    @property
    def name(self) -> str:
        """Its name."""
        return self.state.name

    @property
    def ceremony(self) -> bytes:
        """The id of its making, 32 bytes, by which everybody knows the key."""
        return self.state.ceremony

    @property
    def folder(self) -> str:
        """Where it lies in the state directory."""
        return kept.folder_of(self.history.proposal)

    @property
    def suite(self) -> Ciphersuite:
        """Its suite."""
        return self.state.suite

    @property
    def purpose(self) -> str:
        """What it is for, as was proposed."""
        return self.state.plan.purpose

    @property
    def roster(self) -> Roster:
        """Who has a share."""
        return self.state.roster

    @property
    def min_signers(self) -> int:
        """The threshold."""
        return self.state.min_signers

    @property
    def epoch(self) -> int:
        """How often its shares were made anew."""
        return self.state.epoch

    @property
    def sharing(self) -> bytes:
        """The id of the chapter that made the present shares, 32 bytes."""
        return self.state.sharing

    @property
    def is_dealt(self) -> bool:
        """Whether a dealer made the key, and knew it."""
        return self.state.is_dealt

    @property
    def numbering(self) -> Numbering:
        """Where identifiers come from."""
        return self.state.numbering

    @property
    def transcript(self) -> bytes:
        """The content digest of what all confirmed at the end of the present sharing."""
        return self.state.sharing_confirmed

    @property
    def verifying_key(self) -> bytes:
        """The encoded group key."""
        return self.public_key_package.verifying_key.serialize()

    @property
    def position(self) -> int:
        """One's own position in the roster, from 1. Raises `NotKnown` for somebody who is no participant."""
        if self.me not in self.roster:
            raise NotKnown(
                f"{self.me.name} with this identity has no share of {self.name}",
                hint=f"to ask for one: frost-hsm repair request {self.name}",
            )
        return self.roster.position(self.me.name)

    def identifier(self, name: str) -> Identifier:
        """Return the identifier of a participant."""
        return self.state.identifier(name)

    def participants(self, identifiers: Iterable[Identifier]) -> list[str]:
        """Return the names behind identifiers, in their order; raises `UnknownIdentifier`."""
        names = {self.identifier(identity.name): identity.name for identity in self.roster}
        found = []
        for identifier in identifiers:
            if identifier not in names:
                raise UnknownIdentifier(f"no participant of {self.name} has identifier {identifier}")
            found.append(names[identifier])
        return found

    def require_signers(self, names: Sequence[str]) -> None:
        """Raise `NotPossible` unless these are enough to sign, none of them twice; and as `require_active` does."""
        self.require_active()
        if len(set(names)) < self.min_signers or len(set(names)) != len(names):
            raise NotPossible(
                f"{self.name} needs {self.min_signers} or more different signers, not {len(set(names))}",
                hint="names are written with commas between them: --signers alice,bob",
            )

    def require_active(self) -> None:
        """Raise unless the key may sign: `NotYet` while pending, `CeremonyStopped` where it must not."""
        match self.status:
            case KeyStatus.STOPPED:
                raise CeremonyStopped(f"key {self.name} must not be used: its ceremony was stopped")
            case KeyStatus.PARTED:
                raise CeremonyStopped(
                    f"key {self.name} is not used until its owner decides: {self.why}",
                    hint=f"see what excludes each other: frost-hsm history show {self.name}",
                )
            case KeyStatus.PENDING | KeyStatus.GIVEN_UP:
                raise NotYet(
                    f"key {self.name} is {self.status}: not all participants have confirmed it",
                    hint=f"take in their confirmations: frost-hsm dkg confirm {self.name}",
                )
            case KeyStatus.SUPERSEDED:
                raise ForeignMessage(
                    f"this is said in a state of {self.name} that has ended here: {self._what_followed()}",
                    hint="ask for it to be made again, in the present state",
                )

    def _what_followed(self) -> str:
        titles = [each.title for each in self.history.successors(self.state) if each.is_complete]
        return f"it was followed by {' and '.join(titles)}" if titles else "another one counts"

    # ── Changes ──

    def is_changed_by(self, change: RefreshProposal | RepairRequest | Abandonment) -> bool:
        """Whether a change starts from exactly this: this key, in this state."""
        return (change.ceremony, change.state) == (self.ceremony, self.state.digest)

    def repaired(self, request: RepairRequest) -> GroupKey:
        """Return the key as it is once the one who receives has their share: in the roster, at their position."""
        state = replace(self.state, roster=self.state.roster_with(request))
        return replace(self, state=state, public_key_package=package_with(self.public_key_package, state, request))

    def after(self, chapter: Chapter, confirmed: Signed[Confirmation], home: StateDirectory) -> GroupKey:
        """Return the key as it will be once a chapter that makes shares is confirmed by all as somebody has."""
        state = chapter.state_by(confirmed)
        folder = kept.chapter_folder(self.folder, chapter.id)
        package = kept.read_package(home, folder, state.plan.suite, state.package_hash)
        return replace(self, status=KeyStatus.PENDING, state=state, public_key_package=package)

    def chapter(self, beginning: Signed[Any]) -> Chapter:
        """Return the chapter that follows this state and begins so, whether or not anything of it is kept here."""
        found = self.history.chapters.get(beginning.content_digest)
        return found if found is not None else Chapter(beginning, self.state)

    @property
    def overtaken(self) -> frozenset[bytes]:
        """The digests of the states that this one took the place of: its owner may have been in them."""
        return self.history.overtaken(self.state, self.me)

    def unfinished(self) -> list[Chapter]:
        """List the successors of this state that somebody has begun and not all have confirmed."""
        return [each for each in self.history.successors(self.state) if not each.is_complete]

    def voted_for(self) -> Sequence[Chapter]:
        """List the unfinished successors of this state that ``me`` has confirmed."""
        return [each for each in self.unfinished() if self.me in each.by_sender(Confirmation)]

    # ── The share ──

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
        share that all n confirmed. Raises `KeyNotFound` if the token holds no share of this epoch, `StateRolledBack` if
        it has seen a newer state of the key.
        """
        records.require_not_behind(self.ceremony, self.state.height, self.state.digest, self.overtaken)
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
        """Destroy one's share and nonces for good: the token makes them never again. Put away what was public."""
        with home.lock():
            if not home.names(self.folder):  # done by another process while we waited
                raise kept.unknown(home, self.name)
            now = GroupKey.read(home, self.folder, self.me)  # it may have gone on meanwhile, and have other shares
            records = SealedRecords(holder, home)
            marks = Marks(holder, home)
            marks.gone(self.ceremony)
            marks.forget(now.history.states, now.history.chapters)
            states = (now.state, *now.history.states.values())
            positions = {state.roster.position(self.me.name) for state in states if self.me in state.roster}
            for chapter in now.history.chapters:
                for position in positions:
                    records.destroy_all(chapter, position)
            home.move(self.folder, given_up_folder(self.ceremony))


def _state_confirmed_by(chapter: Chapter, me: PublicIdentity) -> State | None:
    """Return the state that ``me`` confirmed, or anybody if one's share was made later, by repair."""
    said: dict[PublicIdentity, Signed[Confirmation]] = chapter.by_sender(Confirmation)
    confirmed = said.get(me) or (None if me in chapter.roster else next(iter(said.values()), None))
    return chapter.state_by(confirmed) if confirmed is not None else None


def _package(home: StateDirectory, folder: str, history: History, state: State) -> PublicKeyPackage:
    """Return the public key package of a state, as all confirmed it."""
    path = history.path(state)
    start = next(number for number, chapter in enumerate(path) if chapter.id == state.sharing)
    states = [*(chapter.before for chapter in path[start + 1 :]), state]
    first = states[0]
    if first is None:
        raise StorageProblem(f"what made {home.path / folder} is gone", hint="restore it from a backup")
    package = kept.read_package(home, kept.chapter_folder(folder, state.sharing), state.plan.suite, first.package_hash)
    for chapter, after in zip(path[start + 1 :], states[1:], strict=True):
        if after is not None and isinstance(chapter.beginning.message, RepairRequest):
            package = package_with(package, after, chapter.beginning.message)
    if hashlib.sha256(package.serialize()).digest() != state.package_hash:
        raise StorageProblem(
            f"what all confirmed of {home.path / folder} is another key", hint="restore it from a backup"
        )
    return package
