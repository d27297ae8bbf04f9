"""What people are asked to take part in, in words: the lines that stand before the question."""

from __future__ import annotations

from frost_hsm.ceremony.people.numbering import Numbering
from frost_hsm.ceremony.sharing.abandonment import Abandonment
from frost_hsm.ceremony.sharing.keygen import KeyGeneration
from frost_hsm.ceremony.sharing.refresh import Refresh
from frost_hsm.ceremony.sharing.repair import Repair
from frost_hsm.cli.talk.output import grouped
from frost_hsm.frost import ciphersuites
from frost_hsm.targets import suites


def making(ceremony: KeyGeneration) -> list[str]:
    """Say what key is proposed."""
    plan = ceremony.proposal.message
    names = ", ".join(f"{each.name} (you)" if each == ceremony.me else each.name for each in ceremony.roster)
    return [
        f'Key "{plan.name}", proposed by {ceremony.proposal.sender.name} (signature good)',
        *([f"  purpose       {plan.purpose}"] if plan.purpose else []),
        f"  suite         {plan.suite}",
        *suites.takers(ciphersuites.by_id(plan.suite).name),
        f"  threshold     {plan.min_signers} of {len(ceremony.roster)}",
        f"  participants  {names}",
        *(["  identifiers   derived from the names"] if plan.numbering is Numbering.NAMES else []),
        f"  ceremony      {grouped(ceremony.id[:16])}",
    ]


def refreshing(ceremony: Refresh) -> list[str]:
    """Say what refresh is proposed."""
    names = ", ".join(f"{each.name} (you)" if each == ceremony.me else each.name for each in ceremony.roster)
    return [
        f"Refresh of the shares of {ceremony.name}, proposed by {ceremony.proposal.sender.name} (signature good)",
        f"  epoch         {ceremony.epoch - 1}, then {ceremony.epoch}",
        f"  group key     {ceremony.key.verifying_key.hex()} stays",
        f"  threshold     {ceremony.min_signers} of {len(ceremony.roster)} stays",
        f"  participants  {names}",
        f"  ceremony      {grouped(ceremony.id[:16])}",
    ]


def abandoning(asked: Abandonment) -> list[str]:
    """Say who asks to give up what."""
    return [
        f"{asked.asked.sender.name} asks to abandon for good, of key {asked.key.name} (signature good)",
        *(f"  abandons     {title} ({grouped(id_[:16])})" for id_, title in asked.displaced.items()),
    ]


def repairing(asked: Repair) -> list[str]:
    """Say who asks for which share."""
    old = asked.replaced
    return [
        f"Repair of {asked.key.name} for {asked.receiver.name} (signature good)",
        f"  fingerprint  {asked.receiver.fingerprint}",
        f"  receives     {'a new share' if old is None else f'the share of {old.name}'}, position {asked.position}",
        *([f"  in place of  {old.fingerprint}"] if old is not None else []),
        f"  helpers      {_helpers(asked)}",
        *(f"  displaces    {title} ({grouped(id_[:16])})" for id_, title in asked.displaced.items()),
        *([f"  not asked    {', '.join(each.name for each in asked.absent)}"] if asked.absent else []),
        f"  request      {grouped(asked.id[:16])}",
    ]


def _helpers(asked: Repair) -> str:
    if asked.is_takeover:
        return "none: it is the second token that the identity in that place names"
    return f"{', '.join(helper.name for helper in asked.helpers)} ({asked.key.min_signers} needed)"
