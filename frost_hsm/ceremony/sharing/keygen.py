"""Key generation between people: propose → round1 → round2 → finish → confirm, as `rounds` has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from frost_hsm.ceremony.history import kept
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.inbox import Inbox
from frost_hsm.ceremony.messages.making import Confirmation, Proposal
from frost_hsm.ceremony.messages.message import random_field
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.people.identity import Holder, PublicIdentity
from frost_hsm.ceremony.people.numbering import Numbering
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.ceremony.sealing.seat import Seat
from frost_hsm.ceremony.sharing.rounds import Finished, Rounds
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import NotKnown, StepConflict, UnknownSender
from frost_hsm.frost import ciphersuites
from frost_hsm.frost.keys import dkg, round1, round2
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
    ciphersuite = ciphersuites.by_name(suite)
    proposal = Proposal(random_field(entropy), name, purpose, ciphersuite.id, min_signers, 1, roster, numbering)
    return signed.write(proposal, holder)


class KeyGeneration(Rounds):
    """One run of key generation (ZcashFoundation: ``keys::dkg``), as one of its participants sees it.

    home: where it is kept; me: one's own identity, which has to be in the proposal's roster.
    """

    def __init__(self, home: StateDirectory, proposal: Signed[Proposal], me: PublicIdentity) -> None:
        seat = Seat.take(proposal, me)
        folder = kept.chapter_folder(kept.folder_of(proposal), proposal.content_digest)
        super().__init__(home, proposal, seat, folder, title=f"ceremony {seat.name}", stem=seat.name)

    @classmethod
    def load(cls, home: StateDirectory, name: str, me: PublicIdentity) -> KeyGeneration:
        """Take up a ceremony that was accepted before; of several of a name, one not given up. Raises `NotKnown`."""
        folders = kept.folders(home, name)
        for folder in [each for each in folders if not kept.given_up(home, each, me)] or folders:
            proposal = kept.proposal(home, folder)
            if proposal is not None:
                return cls(home, proposal, me)
        raise NotKnown(f'there is no ceremony "{name}" here', hint="begin with: frost-hsm dkg round1 PROPOSAL.pem")

    @classmethod
    def all(cls, home: StateDirectory, me: PublicIdentity) -> list[KeyGeneration]:
        """List the ceremonies one took part in, which leaves out keys of which one got a share later, by repair."""
        proposals = [kept.proposal(home, folder) for folder in kept.folders(home)]
        return [cls(home, each, me) for each in proposals if each is not None and me in each.message.roster]

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

    def _beginning(self) -> Iterable[Signed[Any]]:
        return [self.proposal]

    def _require_no_other(self) -> None:
        for folder in kept.folders(self.home, self.name):
            given_up = kept.given_up(self.home, folder, self.me)
            if kept.chapter_folder(folder, kept.id_of(folder)) != self.folder and kept.id_of(folder) not in given_up:
                raise StepConflict(
                    f'another ceremony or key has the name "{self.name}" here',
                    hint="propose another name, or let go of the old one: frost-hsm dkg abort, frost-hsm keys delete",
                )

    def _confirm(self, holder: Holder, confirmation: Confirmation) -> Signed[Confirmation]:
        return self.transcript.write(confirmation, holder)

    @property
    def _hint_if_done(self) -> str:
        return f"to give up its share: frost-hsm keys delete {self.name}"

    def _part1(self, entropy: Entropy) -> tuple[round1.SecretPackage, round1.Package, bytes]:
        secret, package = dkg.part1(
            self.suite,
            self.seat.own_identifier,
            max_signers=len(self.roster),
            min_signers=self.min_signers,
            entropy=entropy,
        )
        return secret, package, b""

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
