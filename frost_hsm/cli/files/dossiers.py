"""What a file of several messages shows, as fields: whose fault something is, or that all agree."""

from __future__ import annotations

from frost_hsm.ceremony.history import agreement
from frost_hsm.ceremony.history.dossier import Dossier
from frost_hsm.ceremony.history.judgement import judge_dossier
from frost_hsm.ceremony.messages.making import Confirmation, Proposal
from frost_hsm.ceremony.messages.upkeep import RefreshProposal, RepairRequest, RepairSigma
from frost_hsm.ceremony.people.identity import PublicIdentity

_AGREEMENT = (Proposal, RefreshProposal, RepairRequest, RepairSigma, Confirmation)


def describe(case: Dossier) -> dict[str, object]:
    """Say what it shows. Raises `MalformedMessage` for confirmations that are not those of all, once each."""
    verdict = judge_dossier(case)
    is_agreement = all(isinstance(said.message, _AGREEMENT) for said in case.messages)
    if is_agreement and verdict.error is None and any(isinstance(s.message, Confirmation) for s in case.messages):
        return _agreement(case)
    return {
        "kind": "evidence",
        "shows": verdict.sentence,
        "at_fault": _people(verdict.culprits),
        "waits_for": list(verdict.awaiting),
        "name": case.proposal.message.name,
        "ceremony": list(case.seats)[-1].hex(),
    }


def _agreement(case: Dossier) -> dict[str, object]:
    agreed = agreement.verify(case)
    seat = agreed.seat
    return {
        "kind": "confirmations of all participants",
        "name": seat.name,
        "suite": seat.suite.id,
        "key": agreed.package.verifying_key.serialize().hex(),
        "epoch": seat.epoch,
        "threshold": f"{seat.min_signers} of {len(seat.roster)}",
        "participants": _people(seat.roster.members),
        "check_code": agreed.confirmation.check_code,
        "ceremony": seat.ceremony.hex(),
        "origin": "a dealer made the shares, and knew them" if agreed.confirmation.is_dealt else None,
    }


def _people(identities: tuple[PublicIdentity, ...]) -> list[str]:
    return [f"{each.name} {each.fingerprint}" for each in identities]
