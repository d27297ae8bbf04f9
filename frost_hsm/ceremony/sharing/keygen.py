"""Key generation between people: propose → round1 → round2 → finish → confirm, as `rounds` has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from frost_hsm.ceremony.history.transcript import read_kept
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.inbox import Inbox
from frost_hsm.ceremony.messages.making import HASH_LENGTH, Proposal
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.people.identity import Holder, OpenHolder, PublicIdentity
from frost_hsm.ceremony.people.numbering import Numbering
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.ceremony.sealing.seat import Seat
from frost_hsm.ceremony.sharing.rounds import Finished, Rounds
from frost_hsm.ceremony.store import PROPOSAL, StateDirectory, ceremony_folder
from frost_hsm.errors import NotKnown, NotPossible, StepConflict, UnknownSender
from frost_hsm.frost import ciphersuites, dkg, round1, round2
from frost_hsm.frost.packages import Identifier, KeyPackage, PublicKeyPackage
from frost_hsm.secret import Entropy, system_entropy


def propose(
    holder: Holder,
    name: str,
    peers: list[PublicIdentity],
    *,
    min_signers: int,
    suite: str,
    purpose: str = "",
    numbering: Numbering = Numbering.POSITIONS,
    entropy: Entropy = system_entropy,
) -> bytes:
    """Write a proposal: who makes which key, with which threshold. The author comes first in the roster.

    Returns the signed message, to be sent to all; the digest of its contents is the ceremony's id.
    """
    roster = Roster((holder.public, *peers))
    random = bytearray(HASH_LENGTH)
    entropy(memoryview(random))
    ciphersuite = ciphersuites.by_name(suite)
    proposal = Proposal(bytes(random), name, purpose, ciphersuite.id, min_signers, roster, numbering)
    return signed.write(proposal, holder)


class KeyGeneration(Rounds):
    """One run of key generation (ZcashFoundation: ``keys::dkg``), as one of its participants sees it.

    home: where it is kept; me: one's own identity, which has to be in the proposal's roster.
    """

    def __init__(self, home: StateDirectory, proposal: Signed[Proposal], me: PublicIdentity) -> None:
        seat = Seat.take(proposal, me)
        folder = ceremony_folder(seat.name)
        super().__init__(home, proposal, seat, folder, title=f"ceremony {seat.name}", stem=seat.name)

    @classmethod
    def load(cls, home: StateDirectory, name: str, me: PublicIdentity) -> KeyGeneration:
        """Take up a ceremony that was accepted before. Raises `NotKnown`."""
        proposal = read_kept(home, f"{ceremony_folder(name)}/{PROPOSAL}", Proposal)
        if proposal is None:
            raise NotKnown(f'there is no ceremony "{name}" here', hint="begin with: frost-hsm dkg round1 PROPOSAL.pem")
        return cls(home, proposal, me)

    @classmethod
    def names(cls, home: StateDirectory, me: PublicIdentity) -> list[str]:
        """List the ceremonies one took part in, which leaves out keys of which one got a share later, by repair."""
        found = []
        for name in home.names("ceremonies"):
            proposal = read_kept(home, f"{ceremony_folder(name)}/{PROPOSAL}", Proposal)
            if proposal is not None and me in proposal.message.roster:
                found.append(name)
        return found

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

    def confirm(self, inbox: Inbox) -> Finished:
        """As `compare`; when all n are here and equal, the key is active."""
        return self._activate(inbox)

    def abort(self, open_holder: OpenHolder) -> None:
        """Give this ceremony up for good, on our side; an active key cannot be aborted."""
        if self.is_active:
            raise NotPossible(f"{self.name} is an active key", hint="to give up its share: frost-hsm keys delete")
        self._give_up(open_holder)

    def _beginning(self) -> Iterable[Signed[Any]]:
        return [self.proposal]

    def _kept_proposal(self) -> Signed[Proposal] | None:
        return read_kept(self.home, f"{self._folder}/{PROPOSAL}", Proposal)

    def _conflict(self) -> StepConflict:
        return StepConflict(
            f'another ceremony or key has the name "{self.name}" here',
            hint="propose another name, or let go of the old one: frost-hsm dkg abort, frost-hsm keys delete",
        )

    def _part1(self, entropy: Entropy) -> tuple[round1.SecretPackage, round1.Package]:
        return dkg.part1(
            self.suite,
            self._own_identifier,
            max_signers=len(self.roster),
            min_signers=self.min_signers,
            entropy=entropy,
        )

    def _part2(
        self, secret: round1.SecretPackage, others: Mapping[Identifier, round1.Package]
    ) -> tuple[round2.SecretPackage, dict[Identifier, round2.Package]]:
        return dkg.part2(secret, others)

    def _part3(
        self,
        holder: Holder,
        state: round2.SecretPackage,
        others: Mapping[Identifier, round1.Package],
        received: Mapping[Identifier, round2.Package],
        strict: bool | None,
    ) -> tuple[KeyPackage, PublicKeyPackage]:
        return dkg.part3(state, others, received, strict=strict)
