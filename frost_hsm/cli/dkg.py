"""``frost-hsm dkg``: make a key together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from frost_hsm.ceremony import keygen, signed
from frost_hsm.ceremony.keygen import Finished, KeyGeneration
from frost_hsm.ceremony.messages import Confirmation, Message, Proposal, Round1, Round2
from frost_hsm.ceremony.names import require_name
from frost_hsm.ceremony.signed import Signed
from frost_hsm.ceremony.store import ceremony_folder
from frost_hsm.ceremony.transcript import STEPS
from frost_hsm.cli.options import command, inputs, output
from frost_hsm.cli.output import Result, grouped
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import Aborted, NotKnown, ProtocolViolation, StepConflict


@click.group()
def dkg() -> None:
    """Make a key together: propose, round1, round2, finish, confirm.

    Every participant sends one file a step, the same to everybody, over any channel. A step can be repeated: the
    same input gives the same output.
    """


@command(dkg, "propose", token=True)
@click.argument("name")
@click.option("-t", "--threshold", type=int, required=True, help="How many must sign.")
@click.option("--with", "others", metavar="NAMES", required=True, help="The other participants: bob,carol.")
@click.option("--suite", default="p256", show_default=True, help="The ciphersuite.")
@click.option("--purpose", default="", metavar="TEXT", help="What the key is for; every signer sees it.")
@output
def propose(
    place: Workplace,
    name: str,
    threshold: int,
    others: str,
    suite: str,
    purpose: str,
    output: str | None,
    force: bool,
) -> Result:
    """Propose a key: its name, its threshold, its participants."""
    path = output or f"{require_name(name)}.proposal.pem"
    place.check_output(path, force=force)
    if place.home.exists(ceremony_folder(name)):
        raise StepConflict(f'a ceremony or key has the name "{name}" here', hint="propose another name")
    peers = place.peers()
    names = [other.strip() for other in others.split(",") if other.strip()]
    for other in names:
        if other not in peers:
            raise NotKnown(
                f'there is no peer "{other}"', hint=f"add them first: frost-hsm peer add {other}.identity.pem"
            )
    with place.holder() as holder:
        data = keygen.propose(
            holder,
            name,
            [peers[other] for other in names],
            min_signers=threshold,
            suite=suite,
            purpose=purpose,
        )
    ceremony = KeyGeneration(place.home, signed.read(data).expect(Proposal), place.me)
    ceremony.accept()
    raw = place.write(path, data, force=force)
    lines = [*_plan(ceremony), f"Wrote {path}"]
    after = f"send {path} to {_others(ceremony)}; everyone, you too, runs: frost-hsm dkg round1 {path}"
    return Result("dkg-propose", lines, {**_fields(ceremony), "file": path}, after, raw)


@command(dkg, "round1", token=True, asks=True)
@click.argument("proposal")
@output
def round1(place: Workplace, proposal: str, output: str | None, force: bool) -> Result:
    """Agree to a PROPOSAL, a file, and send your commitment."""
    ceremony = KeyGeneration(place.home, signed.read(place.read(proposal)).expect(Proposal), place.me)
    lines = []
    if not ceremony.is_accepted:
        ceremony.check_roster(place.peers())
        lines = _plan(ceremony)
        for line in lines:
            place.terminal.message(line)
        if not place.terminal.confirm("Take part?"):
            raise Aborted("you did not agree to take part; nothing was changed")
    path = _check_output(place, ceremony, Round1, output, force)
    ceremony.accept()
    data = ceremony.round1(place.holder)
    return _wrote(place, ceremony, Round1, path, data, force, "round2", [])


@command(dkg, "round2", token=True)
@click.argument("name")
@inputs
@output
def round2(
    place: Workplace,
    name: str,
    files: tuple[str, ...],
    directory: str | None,
    output: str | None,
    force: bool,
) -> Result:
    """Check the commitments of all and send everybody their encrypted share."""
    ceremony = KeyGeneration.load(place.home, name, place.me)
    path = _check_output(place, ceremony, Round2, output, force)
    with _keeping_evidence(place, ceremony), place.inbox(files, directory) as inbox:
        data = ceremony.round2(place.holder, inbox)
    lines = [f"Checked the messages of {_others(ceremony)}"]
    return _wrote(place, ceremony, Round2, path, data, force, "finish", lines)


@command(dkg, "finish", token=True)
@click.argument("name")
@inputs
@output
def finish(
    place: Workplace,
    name: str,
    files: tuple[str, ...],
    directory: str | None,
    output: str | None,
    force: bool,
) -> Result:
    """Check the shares, seal your own in the token, and send your confirmation."""
    ceremony = KeyGeneration.load(place.home, name, place.me)
    path = _check_output(place, ceremony, Confirmation, output, force)
    with _keeping_evidence(place, ceremony), place.inbox(files, directory) as inbox:
        finished = ceremony.finish(place.holder, inbox)
    raw = place.write(path, finished.message, force=force)
    lines = [
        f"Checked the shares of {_others(ceremony)}",
        "Your share is sealed in the token; the key is pending",
        *_key_lines(finished),
        f"Wrote {path}",
    ]
    after = (
        f"compare the check code with {_others(ceremony)} by voice and send them {path}; "
        f"with theirs: frost-hsm dkg confirm {name} --in DIR"
    )
    return Result("dkg-finish", lines, {**_fields(ceremony), **_key_fields(finished), "file": path}, after, raw)


@command(dkg, "confirm", asks=True)
@click.argument("name")
@inputs
def confirm(place: Workplace, name: str, files: tuple[str, ...], directory: str | None) -> Result:
    """Take in the confirmations of all: when they agree, the key is active. Needs no token."""
    ceremony = KeyGeneration.load(place.home, name, place.me)
    with _keeping_evidence(place, ceremony), place.inbox(files, directory) as inbox:
        agreed = ceremony.compare(inbox)
        if ceremony.status().step != "active" and not place.terminal.confirm(
            f"Did {_others(ceremony)} read the same check code {agreed.check_code}?"
        ):
            raise Aborted("the check codes were not compared; the key stays pending")
        finished = ceremony.confirm(inbox)
    lines = [
        f"All {len(ceremony.roster)} confirm the same transcript",
        *_key_lines(finished),
        f'Key "{name}" is active',
    ]
    after = f"frost-hsm sign request {name} FILE"
    return Result("dkg-confirm", lines, {**_fields(ceremony), **_key_fields(finished), "state": "active"}, after)


@command(dkg, "status")
@click.argument("name", required=False)
def status(place: Workplace, name: str | None) -> Result:
    """Say where a ceremony stands and what comes next; without NAME, of all."""
    names = [name] if name is not None else place.home.names("ceremonies")
    lines, entries, after = [], [], None
    for each in names:
        ceremony = KeyGeneration.load(place.home, each, place.me)
        found = ceremony.status()
        after = _next(ceremony, found.step)
        line = f"{each}: {_STATES[found.step]}"
        if found.missing:
            line += f"; here from {', '.join(found.have)}; not yet from {', '.join(found.missing)}"
        lines.append(line)
        entries.append(
            {
                **_fields(ceremony),
                "state": found.step,
                "have": list(found.have),
                "missing": list(found.missing),
            }
        )
    if name is not None:
        return Result("dkg-status", lines, entries[0], after)
    return Result("dkg-status-list", lines or ["no ceremonies"], {"ceremonies": entries})


@command(dkg, "abort", token=True)
@click.argument("name")
@click.option("--confirm-name", metavar="NAME", help="The name again, instead of typing it.")
def abort(place: Workplace, name: str, confirm_name: str | None) -> Result:
    """Give a ceremony up, for good, on your side. A key that is active is not touched."""
    ceremony = KeyGeneration.load(place.home, name, place.me)
    place.terminal.confirm_by_name(f"This gives up ceremony {name} and what you sealed for it", name, confirm_name)
    ceremony.abort(place.holder)
    return Result("dkg-abort", [f"Ceremony {name} is given up and forgotten here"], _fields(ceremony))


_STATES = {
    "round1": "proposed; round 1 is not done",
    "round2": "round 1 is sent",
    "finish": "round 2 is sent",
    "confirm": "finished; the key is pending",
    "active": "the key is active",
    "stopped": "stopped",
}


def _check_output(
    place: Workplace, ceremony: KeyGeneration, kind: type[Message], output: str | None, force: bool
) -> str:
    path = output or f"{ceremony.name}.{place.me.name}.{STEPS[kind]}.pem"
    sent: Signed[Message] | None = ceremony.transcript.sent(kind)
    place.check_output(path, force=force, again=sent.to_pem() if sent is not None else None)
    return path


def _wrote(
    place: Workplace,
    ceremony: KeyGeneration,
    kind: type[Message],
    path: str,
    data: bytes,
    force: bool,
    step: str,
    lines: list[str],
) -> Result:
    raw = place.write(path, data, force=force)
    after = (
        f"send {path} to {_others(ceremony)}, put theirs into one directory; "
        f"then: frost-hsm dkg {step} {ceremony.name} --in DIR"
    )
    fields = {**_fields(ceremony), "file": path}
    return Result(f"dkg-{STEPS[kind]}", [*lines, f"Wrote {path}"], fields, after, raw)


@contextmanager
def _keeping_evidence(place: Workplace, ceremony: KeyGeneration) -> Iterator[None]:
    """When a participant is convicted, write the proof beside the other files, to be shown around."""
    try:
        yield
    except ProtocolViolation as violation:
        evidence = ceremony.transcript.evidence()
        if evidence is not None:
            path = f"{ceremony.name}.evidence.pem"
            place.write(path, evidence, force=True)
            violation.hint = f"{violation.hint}; evidence in {path}"
        raise


def _plan(ceremony: KeyGeneration) -> list[str]:
    plan = ceremony.proposal.message
    names = ", ".join(f"{each.name} (you)" if each == ceremony.me else each.name for each in ceremony.roster)
    return [
        f'Key "{plan.name}", proposed by {ceremony.proposal.sender.name} (signature good)',
        *([f"  purpose       {plan.purpose}"] if plan.purpose else []),
        f"  suite         {plan.suite}",
        f"  threshold     {plan.min_signers} of {len(ceremony.roster)}",
        f"  participants  {names}",
        f"  ceremony      {grouped(ceremony.id[:8])}",
    ]


def _others(ceremony: KeyGeneration) -> str:
    return ", ".join(each.name for each in ceremony.roster if each != ceremony.me)


def _fields(ceremony: KeyGeneration) -> dict[str, object]:
    return {
        "name": ceremony.name,
        "ceremony": ceremony.id.hex(),
        "suite": ceremony.suite.id,
        "min_signers": ceremony.min_signers,
        "participants": [each.name for each in ceremony.roster],
    }


def _key_lines(finished: Finished) -> list[str]:
    return [f"  group key   {finished.verifying_key.hex()}", f"  check code  {finished.check_code}"]


def _key_fields(finished: Finished) -> dict[str, object]:
    return {"key": finished.verifying_key.hex(), "check_code": finished.check_code.replace(" ", "")}


def _next(ceremony: KeyGeneration, step: str) -> str | None:
    name = ceremony.name
    return {
        "round1": f"frost-hsm dkg round1 {name}.proposal.pem",
        "round2": f"frost-hsm dkg round2 {name} --in DIR",
        "finish": f"frost-hsm dkg finish {name} --in DIR",
        "confirm": f"frost-hsm dkg confirm {name} --in DIR",
        "active": f"frost-hsm sign request {name} FILE",
        "stopped": f"frost-hsm dkg abort {name}, then propose a new one",
    }[step]
