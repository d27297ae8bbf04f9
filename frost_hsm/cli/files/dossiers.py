"""What a file of several messages shows, as fields: whose fault something is, or that all agree."""

from __future__ import annotations

from collections.abc import Iterable

from frost_hsm.ceremony.history import agreement
from frost_hsm.ceremony.history.chain import History
from frost_hsm.ceremony.history.evidence import judge_history
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.cli.files import things


def describe(history: History) -> dict[str, object]:
    """Say what it shows. Raises `MalformedMessage` for confirmations that are not those of all, once each."""
    verdict = judge_history(history, things.derive)
    if history.packages and not history.requests and verdict.error is None and not verdict.awaiting:
        return _agreement(history)
    return {
        "kind": "evidence",
        "shows": verdict.sentence,
        "at_fault": _people(verdict.culprits),
        "waits_for": list(verdict.awaiting),
        "name": history.plan.name,
        "ceremony": list(history.chapters)[-1].hex(),
    }


def _agreement(history: History) -> dict[str, object]:
    agreed = agreement.verify(history)
    state = agreed.state
    return {
        "kind": "confirmations of all participants",
        "name": state.name,
        "suite": state.suite.id,
        "key": agreed.package.verifying_key.serialize().hex(),
        "epoch": state.epoch,
        "threshold": f"{state.min_signers} of {len(state.roster)}",
        "participants": _people(state.roster),
        "check_code": agreed.confirmation.check_code,
        "ceremony": state.ceremony.hex(),
        "origin": "a dealer made the key, and knew it" if state.is_dealt else None,
    }


def _people(identities: Iterable[PublicIdentity]) -> list[str]:
    return [f"{each.name} {each.fingerprint}" for each in identities]
