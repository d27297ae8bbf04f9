"""Making the shares of a key anew, between all its participants: the rounds of `frost_hsm.ceremony.sharing.rounds`.

The group key, the participants and the threshold stay; each share is replaced, and the key is in its next epoch.
Shares of different epochs are worth nothing together. Until all n have confirmed, the old epoch signs; from the
instant that a participant has taken in all confirmations, the new one does. Only then is the old share destroyed,
with all nonces of its epoch: a crash anywhere leaves exactly one epoch that signs, and a state directory put back in
time finds no share to sign with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.history.lineage import lineage
from frost_hsm.ceremony.history.transcript import read_kept
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.inbox import Inbox
from frost_hsm.ceremony.messages.making import HASH_LENGTH
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.messages.upkeep import RefreshProposal
from frost_hsm.ceremony.people.identity import Holder, OpenHolder, PublicIdentity
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.ceremony.sealing.seat import Seat
from frost_hsm.ceremony.sharing.rounds import Finished, Rounds
from frost_hsm.ceremony.sharing.sealed_rounds import SealedRounds
from frost_hsm.ceremony.store import PROPOSAL, StateDirectory, epoch_folder
from frost_hsm.errors import ForeignMessage, NotKnown, NotPossible, StepConflict
from frost_hsm.frost import refresh as frost_refresh
from frost_hsm.frost import round1, round2
from frost_hsm.frost.packages import Identifier, KeyPackage, PublicKeyPackage
from frost_hsm.secret import Entropy, system_entropy


def propose(holder: Holder, key: GroupKey, *, entropy: Entropy = system_entropy) -> bytes:
    """Write a proposal to make the shares of a key anew; any participant may. Returns the signed message for all."""
    key.require_active()
    random = bytearray(HASH_LENGTH)
    entropy(memoryview(random))
    message = RefreshProposal(
        key.ceremony, key.verifying_key, key.epoch + 1, key.transcript, key.roster.digest, bytes(random)
    )
    return signed.write(message, holder)


class Refresh(Rounds):
    """One run of refreshing (ZcashFoundation: ``keys::refresh``), as one of the participants sees it.

    key: as it was in the epoch that the refresh ends. old_share: where one's share of that epoch comes from, if not out
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
        if not key.is_refreshed_by(proposal.message):
            raise ForeignMessage(
                f"{proposal.sender.name} proposed to refresh {key.name} from another state than it has here",
                hint=f"compare participants and epoch with theirs: frost-hsm keys show {key.name}",
            )
        self.key = key
        self.old_share = old_share or (lambda holder: key.unseal(SealedRecords(holder, home)))
        epoch = proposal.message.epoch
        seat = Seat(
            proposal.content_digest,
            key.name,
            key.suite,
            key.roster,
            key.min_signers,
            key.me,
            epoch,
            key.verifying_key,
            key.numbering,
        )
        folder = epoch_folder(key.name, epoch)
        super().__init__(home, proposal, seat, folder, title=seat.title, stem=f"{key.name}.refresh{epoch}")

    @classmethod
    def read(cls, home: StateDirectory, data: bytes, me: PublicIdentity) -> Refresh:
        """Take a proposal file; its sender and its key have to be known here."""
        wanted = signed.peek(data, RefreshProposal)
        key = GroupKey.find(home, wanted.ceremony, me)
        before = wanted.epoch - 1
        if before > key.epoch:
            raise ForeignMessage(
                f"the proposal is to end epoch {before} of {key.name}, which is in epoch {key.epoch} here",
                hint=f"finish the refresh before it first: frost-hsm refresh status {key.name}",
            )
        key = GroupKey.load(home, key.name, me, epoch=before)
        return cls(home, signed.read(data, key.roster).expect(RefreshProposal), key)

    @classmethod
    def load(cls, home: StateDirectory, name: str, me: PublicIdentity) -> Refresh:
        """Take up the last refresh that was accepted here, finished or not. Raises `NotKnown`."""
        key = GroupKey.load(home, name, me)
        for before in (key.epoch, key.epoch - 1):
            path = f"{epoch_folder(name, before + 1)}/{PROPOSAL}"
            if before >= 0 and home.exists(path):
                key = GroupKey.load(home, name, me, epoch=before)
                proposal = read_kept(home, path, RefreshProposal, key.roster)
                if proposal is not None:
                    return cls(home, proposal, key)
        raise NotKnown(f"there is no refresh of {name} here", hint="begin with: frost-hsm refresh round1 PROPOSAL.pem")

    def confirm(self, open_holder: OpenHolder, inbox: Inbox) -> Finished:
        """As `compare`; when all n are here and equal, the new shares are active and the old one is destroyed.

        The new share is opened and checked first. May be repeated if it was cut short.
        """
        self.compare(inbox)
        with open_holder() as holder, self.home.lock():
            records = SealedRecords(holder, self.home)
            refreshed = GroupKey.load(self.home, self.name, self.me, epoch=self.key.epoch + 1)
            refreshed.unseal(records).wipe()
            finished = self._activate(inbox)
            records.destroy_all(self.key.sharing, self.key.position)
            SealedRounds(self.seat, holder, self.home).forget_root()
        return finished

    def abort(self, open_holder: OpenHolder) -> None:
        """Give this refresh up for good, on our side, and the share that was made; the old epoch goes on."""
        if self.is_active:
            raise NotPossible(f"{self.seat.title} is done: the old shares are gone")
        self._give_up(open_holder)

    def _require_running(self) -> None:
        super()._require_running()
        if not self.is_active:
            self.key.require_active()

    def _beginning(self) -> Iterable[Signed[Any]]:
        return [*lineage(self.home, self.key), self.proposal]

    def _kept_proposal(self) -> Signed[RefreshProposal] | None:
        return read_kept(self.home, f"{self._folder}/{PROPOSAL}", RefreshProposal, self.roster)

    def _conflict(self) -> StepConflict:
        return StepConflict(
            f"another proposal to refresh {self.name} was accepted here",
            hint=f"agree on one with the others; to let go of yours: frost-hsm refresh abort {self.name}",
        )

    def _part1(self, entropy: Entropy) -> tuple[round1.SecretPackage, round1.Package]:
        return frost_refresh.refresh_dkg_part1(
            self.suite,
            self._own_identifier,
            max_signers=len(self.roster),
            min_signers=self.min_signers,
            entropy=entropy,
        )

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
        try:
            return frost_refresh.refresh_dkg_shares(
                state, others, received, self.key.public_key_package, old, strict=strict
            )
        finally:
            old.wipe()
