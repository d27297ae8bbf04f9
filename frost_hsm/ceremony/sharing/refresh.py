"""Making the shares of a key anew, between all its participants: the rounds of `frost_hsm.ceremony.sharing.rounds`.

The group key, the participants and the threshold stay; every share is replaced, and the key is in its next epoch.
Shares of different epochs are worth nothing together. Until all n have confirmed, the old epoch signs; from the
instant that a participant has taken in all confirmations, the new one does. The old share signs nothing from then on,
but it is destroyed only when nothing can bring people back to it: when as many as sign are seen to be in the new
epoch (`retire`), because they have committed in it or because a signature by the new shares was verified.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from frost_hsm.ceremony.history import kept
from frost_hsm.ceremony.history.chapter import Chapter
from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.history.transcript import GIVEN_UP
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.inbox import Inbox
from frost_hsm.ceremony.messages.making import Confirmation, RefreshProposal
from frost_hsm.ceremony.messages.message import random_field
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.people.identity import Holder, OpenHolder, PublicIdentity
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.ceremony.sealing.seat import Seat
from frost_hsm.ceremony.sharing import voting
from frost_hsm.ceremony.sharing.rounds import Finished, Rounds
from frost_hsm.ceremony.sharing.sealed_rounds import SealedRounds
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import CeremonyStopped, ForeignMessage, NotKnown, StepConflict, UnchangedShare
from frost_hsm.frost.keys import refresh as frost_refresh
from frost_hsm.frost.keys import round1, round2
from frost_hsm.frost.packages import Identifier, KeyPackage, PublicKeyPackage
from frost_hsm.secret import Entropy, system_entropy


def propose(holder: Holder, key: GroupKey, *, entropy: Entropy = system_entropy) -> bytes:
    """Write a proposal to make the shares of a key anew; any participant may. Returns the signed message for all."""
    key.require_active()
    return signed.write(RefreshProposal(key.ceremony, key.state.digest, key.position, random_field(entropy)), holder)


_SIGNED = "signed"  # in the chapter that made the shares: a signature by them was verified here


def note_signed(key: GroupKey, home: StateDirectory) -> None:
    """Remember that a signature by the present shares was verified, if there were others before."""
    if key.epoch:
        home.put(f"{kept.chapter_folder(key.folder, key.sharing)}/{_SIGNED}", b"")


def has_signed(key: GroupKey, home: StateDirectory) -> bool:
    """Whether that was noted."""
    return home.exists(f"{kept.chapter_folder(key.folder, key.sharing)}/{_SIGNED}")


def retire(key: GroupKey, holder: Holder, home: StateDirectory) -> None:
    """Destroy what is left of earlier epochs, now that as many people as sign are seen to be in this one.

    key: as it is in its present state. The caller holds the state directory's lock.
    """
    earlier = [each for each in key.earlier(home) if each.sharing != key.sharing and key.me in each.roster]
    if not earlier:
        return
    records = SealedRecords(holder, home)
    sealed = records.names()
    for each in earlier:
        if any(each.sharing[:16].hex() in name for name in sealed):
            records.destroy_all(each.sharing, each.position)


class Refresh(Rounds):
    """One run of refreshing (ZcashFoundation: ``keys::refresh``), as one of the participants sees it.

    key: as it was in the state that the refresh ends. old_share: where one's share of that epoch comes from, if not out
    of the token; it is wiped. Raises `ForeignMessage` for a proposal to refresh another key, or the same from another
    state.
    """

    def __init__(
        self,
        home: StateDirectory,
        proposal: Signed[RefreshProposal],
        key: GroupKey,
        old_share: Callable[[Holder], KeyPackage] | None = None,
    ) -> None:
        if not key.is_changed_by(proposal.message):
            raise ForeignMessage(
                f"{proposal.sender.name} proposed to refresh {key.name} from another state than it has here",
                hint=f"compare with theirs: frost-hsm history show {key.name}",
            )
        self.key = key
        self.old_share = old_share or (lambda holder: key.unseal(SealedRecords(holder, home)))
        epoch = key.epoch + 1
        seat = Seat(
            proposal.content_digest,
            key.name,
            key.suite,
            key.roster,
            key.min_signers,
            key.me,
            epoch,
            key.state.digest,
            key.numbering,
        )
        folder = kept.chapter_folder(key.folder, proposal.content_digest)
        super().__init__(home, proposal, seat, folder, title=seat.title, stem=f"{key.name}.refresh{epoch}")

    @classmethod
    def read(cls, home: StateDirectory, data: bytes, me: PublicIdentity) -> Refresh:
        """Take a proposal file; its sender, its key and the state that it is made in have to be known here."""
        wanted = signed.peek(data, RefreshProposal)
        key = GroupKey.find(home, wanted.ceremony, me, at=wanted.state)
        return cls(home, signed.read(data, key.roster).expect(RefreshProposal), key)

    @classmethod
    def load(cls, home: StateDirectory, name: str, me: PublicIdentity) -> Refresh:
        """Take up the last refresh that was accepted here, finished or not.

        Raises `NotKnown`, and `CeremonyStopped` where there is one that does not count.
        """
        key = GroupKey.load(home, name, me)
        own = [each for each in key.history.chapters.values() if _is_refresh(each) and me in each.roster]
        found = [cls._of(home, key, chapter) for chapter in key.unfinished() if chapter in own]
        found.sort(key=lambda each: (each.transcript.is_given_up, not _has_agreed(each)))
        counting = [chapter for chapter in key.history.path(key.state) if chapter in own]
        found += [cls._of(home, key, chapter) for chapter in counting[-1:]]
        if not found:
            passed = sorted(own, key=lambda each: each.is_complete)
            if passed:
                raise _not_counting(key, passed[-1])
            raise NotKnown(
                f"there is no refresh of {name} here", hint="begin with: frost-hsm refresh round1 PROPOSAL.pem"
            )
        return found[0]

    @classmethod
    def _of(cls, home: StateDirectory, key: GroupKey, chapter: Chapter) -> Refresh:
        before = chapter.before
        at = before.digest if before is not None else None
        return cls(home, chapter.beginning, GroupKey.read(home, key.folder, key.me, at=at))

    def confirm(self, open_holder: OpenHolder, inbox: Inbox) -> Finished:
        """As `compare`; when all n are here and equal, the new shares are active, and the token knows it.

        The new share is opened and checked first. May be repeated if it was cut short.
        """
        confirmations = self._compare(inbox)
        with open_holder() as holder, self.home.lock():
            records = SealedRecords(holder, self.home)
            refreshed = self.key.after(self.chapter, confirmations[self.me.name], self.home)
            refreshed.unseal(records).wipe()
            finished = self._activate(inbox)
            present = GroupKey.read(self.home, self.key.folder, self.me)
            if present.state == refreshed.state:  # and not hindered by a vote of one's own for what displaces it
                voting.settle(present, holder, self.home)
                SealedRounds(self.seat, holder, self.home).forget_root()
        return finished

    @property
    def chapter(self) -> Chapter:
        """This refresh as a chapter of the key's history."""
        return self.key.chapter(self.proposal)

    @property
    def is_counting(self) -> bool:
        """Whether the key is here what this refresh made of it, or went on from there."""
        present = GroupKey.read(self.home, self.key.folder, self.me)
        return any(chapter.id == self.id for chapter in present.history.path(present.state))

    @property
    def _hint_if_done(self) -> str:
        return "a key goes on from its last state: frost-hsm refresh propose makes the next"

    def _require_running(self) -> None:
        super()._require_running()
        if not self.is_active:
            self.key.require_active()

    def _beginning(self) -> Iterable[Signed[Any]]:
        return [*self.key.history.lineage(self.key.state), self.proposal]

    def _require_no_other(self) -> None:
        self.key.require_active()
        for chapter in self.key.unfinished():
            note = f"{kept.chapter_folder(self.key.folder, chapter.id)}/{GIVEN_UP}"
            if chapter.id != self.id and _is_refresh(chapter) and not self.home.exists(note):
                other = self._of(self.home, self.key, chapter)
                if other.has_agreed:
                    raise StepConflict(
                        f"another proposal to refresh {self.name} was accepted here",
                        hint=f"agree on one with the others; to let go of yours: frost-hsm refresh abort {self.name}",
                    )

    def _confirm(self, holder: Holder, confirmation: Confirmation) -> Signed[Confirmation]:
        key = GroupKey.read(self.home, self.key.folder, self.me, at=self.key.state.digest)
        return voting.cast(key, self.chapter, confirmation, self.transcript, holder, self.home)

    def _part1(self, entropy: Entropy) -> tuple[round1.SecretPackage, round1.Package, bytes]:
        secret, package = frost_refresh.refresh_dkg_part1(
            self.suite,
            self.seat.own_identifier,
            max_signers=len(self.roster),
            min_signers=self.min_signers,
            entropy=entropy,
        )
        return secret, package, frost_refresh.prove_coefficients(secret, self.id, entropy)

    def _part2(
        self, secret: round1.SecretPackage, others: Mapping[Identifier, round1.Package]
    ) -> tuple[round2.SecretPackage, dict[Identifier, round2.Package]]:
        return frost_refresh.refresh_dkg_part2(secret, others)

    def _part3(
        self,
        holder: Holder,
        state: round2.SecretPackage,
        others: Mapping[Identifier, round1.Package],
        received: Mapping[Identifier, round2.Package],
        strict: bool | None,
    ) -> tuple[KeyPackage, PublicKeyPackage]:
        old = self.old_share(holder)
        before = self.key.public_key_package
        try:
            package, public = frost_refresh.refresh_dkg_shares(state, others, received, before, old, strict=strict)
        finally:
            old.wipe()
        try:
            frost_refresh.check_every_share_changed(before, public)
        except UnchangedShare:
            package.wipe()
            raise
        return package, public


def _has_agreed(ceremony: Refresh) -> bool:
    try:
        return ceremony.has_agreed
    except CeremonyStopped:  # another process has given it up since it was listed
        return False


def _not_counting(key: GroupKey, chapter: Chapter) -> CeremonyStopped:
    """Say why a refresh is not taken up: one's own vote hinders it, or something else followed its state."""
    hindering = key.history.view(key.state, key.me).hindering(chapter.successor)
    if chapter.is_complete and hindering:
        titles = " and ".join(key.history.chapters[each.id].title for each in hindering)
        return CeremonyStopped(
            f"{chapter.title} was confirmed by all, and does not count here: you have confirmed {titles}",
            hint=f"ask somebody who is in it to say so, with: frost-hsm history standing {key.name}; "
            "then: frost-hsm history take FILE",
        )
    return CeremonyStopped(
        f"{chapter.title} does not count here: something else followed the state that it begins in",
        hint=f"see what: frost-hsm history show {key.name}",
    )


def _is_refresh(chapter: Chapter) -> bool:
    return isinstance(chapter.beginning.message, RefreshProposal)
