"""Evidence of agreement: the confirmations of all n in one file, for anybody who knows the participants' identities.

It begins with the proposal; for every refresh there are its proposal and again n confirmations; where somebody else
took a place, the repair stands between them. At the end is the public key package that was confirmed last. It needs no
token, no state directory, and not this program: each message is one that OpenSSL verifies, and the confirmations of an
epoch have the same contents, in which the hashes of everything that was sent stand.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from frost_hsm.ceremony.history import dossier
from frost_hsm.ceremony.history.dossier import Dossier
from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.history.lineage import confirmed_package, lineage
from frost_hsm.ceremony.messages.making import Confirmation
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.messages.upkeep import RefreshProposal
from frost_hsm.ceremony.sealing.seat import Seat
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.errors import MalformedMessage
from frost_hsm.frost.packages import PublicKeyPackage


@dataclass(frozen=True, slots=True)
class Agreement:
    """What all n have confirmed: the shares of a key in its last epoch, as ``seat`` says who has them."""

    seat: Seat
    confirmation: Confirmation
    package: PublicKeyPackage


def write(home: StateDirectory, key: GroupKey) -> bytes:
    """Return the confirmations of a key, from its beginning on. Raises what `GroupKey.require_active` raises."""
    key.require_active()
    return dossier.write(lineage(home, key, is_confirmed=True), confirmed_package(home, key))


def verify(case: Dossier) -> Agreement:
    """Make sure that everybody confirmed every epoch, and the same. Raises `MalformedMessage` for what is not shown."""
    confirmed: Signed[Confirmation] | None = None
    for epoch, (ceremony, seat) in enumerate(case.seats.items()):
        proposal = next(said for said in case.messages if said.content_digest == ceremony)
        if seat.epoch != epoch or (confirmed is not None and not _follows(proposal, confirmed)):
            raise MalformedMessage(f"epoch {seat.epoch} in it does not follow from what is before it")
        confirmed = _confirmed_by_all(case, seat)
    if confirmed is None or case.package is None:
        raise MalformedMessage("there is no public key package in it")
    if hashlib.sha256(case.package).digest() != confirmed.message.public_key_package_hash:
        raise MalformedMessage("the public key package in it is not the one that was confirmed")
    package = PublicKeyPackage.deserialize(seat.suite, case.package)
    if seat.key not in (b"", package.verifying_key.serialize()):
        raise MalformedMessage("the public key package in it is of another key")
    return Agreement(seat, confirmed.message, package)


def _follows(proposal: Signed[RefreshProposal], confirmed: Signed[Confirmation]) -> bool:
    return proposal.message.previous == confirmed.content_digest


def _confirmed_by_all(case: Dossier, seat: Seat) -> Signed[Confirmation]:
    """Return what all confirmed; each has to be there once."""
    found = case.of(Confirmation, seat.ceremony)
    by = [said.sender for said in found]
    missing = [member.name for member in seat.roster if member not in by]
    if missing:
        raise MalformedMessage(f"no confirmation from {', '.join(missing)} of epoch {seat.epoch}")
    if len(found) != len(seat.roster):
        raise MalformedMessage(f"somebody's confirmation of epoch {seat.epoch} is in it twice")
    if len({said.content_digest for said in found}) != 1:
        raise MalformedMessage(f"the confirmations of epoch {seat.epoch} differ")
    return found[0]
