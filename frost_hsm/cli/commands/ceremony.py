"""``frost-hsm ceremony``: a ceremony as a document."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click

from frost_hsm.cli.commands.rehearsing import rehearse
from frost_hsm.cli.files import door
from frost_hsm.cli.options import command, output
from frost_hsm.cli.paper import printing, stating
from frost_hsm.cli.paper.stating import Planned
from frost_hsm.cli.parsing import group
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.talk.text import quoted
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import Aborted, ForeignMessage, FrostHsmError, InvalidSignature, NotYet
from frost_hsm.plans import record as records
from frost_hsm.plans import signature as signatures
from frost_hsm.plans.statement import Statement, statement_name


@group
def ceremony() -> None:
    """Plan a ceremony, rehearse it, and sign a record of it.

    A plan is a file that says which key is made, by whom, and what is signed at the end. From it comes a script to
    print, with every command that each person types; a rehearsal of that script; and at the end a record that the
    tokens of all have signed. Everything lies in one folder, the plan's.
    """


@command(ceremony, "plan")
@click.argument("file", metavar="FILE")
@output
def plan(place: Workplace, file: str, output: str | None, force: bool) -> Result:
    """Write the script of the ceremony that FILE plans, to be printed.

    Writes KEY.script.html beside FILE, for any browser, with boxes to tick. The files that are to be signed have to lie
    beside FILE already: the script says their hashes.
    """
    planned = Planned.read(file)
    plan = planned.plan
    path = output or planned.path(f"{plan.key}.script.html")
    raw = door.write(path, printing.script(plan, planned.name, planned.digests), force=force)
    lines = [
        f'Key "{plan.key}", {plan.threshold} of {len(plan.people)}, {plan.suite}: {plan.title}',
        *(f"  signs {each.output}, as {each.target}, by {', '.join(each.signers)}" for each in plan.signings),
        door.wrote(path),
    ]
    fields = {"key": plan.key, "participants": list(plan.people), "file": path, "sha256": planned.digests[planned.name]}
    return Result("ceremony-plan", lines, fields, f"{stating.command('rehearse', planned)}; then print {path}", raw)


ceremony.add_command(rehearse)


@command(ceremony, "record")
@click.argument("file", metavar="FILE")
@click.option(
    "--began", metavar="TEXT", help="When the ceremony began, by the clock on the wall; else it is asked for."
)
@click.option("--ended", metavar="TEXT", help="When it ended; else it is asked for.")
@click.option("--force", is_flag=True, help="State it anew, in place of what was stated before.")
def record(place: Workplace, file: str, began: str | None, ended: str | None, force: bool) -> Result:
    """State what you saw of a ceremony; when all have, write its record.

    FILE is the plan. Writes KEY.YOU.statement.json: versions, your token, fingerprints, check code, hashes, and the
    times that you enter. What was signed is verified first. When the statements of all lie beside FILE and say the
    same, KEY.record.html is written, the same bytes whoever does it. Needs no PIN.
    """
    planned = Planned.read(file)
    path = planned.path(statement_name(planned.plan.key, place.me.name))
    mine = stating.state(place, planned, began or "", ended or "")
    before = None if force else planned.statements().get(place.me.name)
    if before is None:
        door.check_output(path, force=force)
    mine = replace(
        mine,
        began=began or (before.began if before is not None else _ask_time(place, "began", "begin")),
        ended=ended or (before.ended if before is not None else _ask_time(place, "ended", "end")),
    )
    door.write(path, mine.encode(), force=force)
    found = planned.statements()
    missing = _missing(planned, found)
    written = planned.path(records.record_name(planned.plan.key))
    code = mine.agreed.check_code.replace(" ", "")
    fields = {"check_code": code, "statement": path, "missing": missing, "record": written}
    lines = [door.wrote(path)]
    if missing:
        after = f"{', '.join(missing)} type the same; the last of them has the record written"
        return Result("ceremony-record", lines, fields, after)
    paper = stating.paper(place, planned, found, mine)
    door.write(written, paper, force=force)
    lines += [f"Wrote {written}", f"  sha256  {hashlib.sha256(paper).hexdigest()}"]
    after = f"read {written} in a browser; then, each: {stating.command('sign', planned)}"
    return Result("ceremony-record", lines, fields, after)


@command(ceremony, "sign", token=True, asks=True)
@click.argument("file", metavar="FILE")
def sign(place: Workplace, file: str) -> Result:
    """Sign the record of the ceremony that FILE plans, with your token.

    The record is made again, of what everybody stated and of what this machine sees, and signed only if it is the one
    that lies beside FILE. Writes KEY.record.YOU.p7s, detached CMS, which OpenSSL verifies too.
    """
    planned = Planned.read(file)
    found = planned.statements()
    if missing := _missing(planned, found):
        raise NotYet(
            f"no statement of {', '.join(missing)} is here", hint=f"each types: {stating.command('record', planned)}"
        )
    own = found.get(place.me.name)
    mine = stating.state(place, planned, own.began if own else "", own.ended if own else "")
    paper = stating.paper(place, planned, found, mine)
    path = planned.path(records.record_name(planned.plan.key))
    if door.read(path) != paper:
        raise ForeignMessage(
            f"{path} is not the record that this machine makes of the statements",
            hint=f"with the same version of frost-hsm, write it anew: {stating.command('record', planned)} --force",
        )
    digest = hashlib.sha256(paper).hexdigest()
    written = planned.path(records.signature_name(planned.plan.key, mine.name))
    fields = {"record": path, "sha256": digest, "file": written}
    pattern = f"{quoted(path.removesuffix('.html'))}.*.p7s"
    after = f"once all have signed: frost-hsm ceremony verify {door.as_typed(path)} {pattern}"
    if _is_signed(place, paper, written):
        return Result("ceremony-sign", [f"{written} is your signature on this record already"], fields, after)
    door.check_output(written, force=False)
    is_agreed = place.terminal.agree(
        "You have read this record, and it is right?",
        what="its sha256",
        shown=digest,
        last=4,
        lines=[f"Record of: {planned.plan.title}", f"  file    {path}", f"  sha256  {digest}"],
    )
    if not is_agreed:
        raise Aborted("you did not agree to sign the record; nothing was changed")
    with place.holder() as holder:
        data = signatures.sign(paper, holder)
    door.write(written, data)
    return Result("ceremony-sign", [f"Wrote {written}"], fields, after)


@command(ceremony, "verify")
@click.argument("record", metavar="FILE")
@click.argument("given", nargs=-1, required=True, metavar="FILES...")
def verify(place: Workplace, record: str, given: tuple[str, ...]) -> Result:
    """Say whose tokens have signed a record.

    FILE is the record, FILES are the signatures on it. Who signed is told by name and fingerprint, which stand in the
    record too; that these are the people who they are said to be, only comparing with themselves tells. Needs no token
    and no PIN. The exit status is 0 if every signature is good, and 10 if one is not.
    """
    paper = door.read(record)
    with door.naming(record):
        expected = records.participants(paper)
    signed: dict[str, str] = {}
    for path in given:
        data = door.read(path)
        with door.naming(path, data):
            signer = signatures.verify(paper, data)
        if expected.get(signer.name) != signer.fingerprint:
            raise InvalidSignature(
                f"{path} is by a {signer.name} with fingerprint {signer.fingerprint}, who is no participant in {record}"
            )
        signed[signer.name] = path
    missing = [name for name in expected if name not in signed]
    lines = [f"{path}: good signature by {name}, {expected[name]}" for name, path in signed.items()]
    lines.append(f"Signed by {len(signed)} of {len(expected)} participants")
    lines += [f"  not by {', '.join(missing)}"] if missing else []
    fields = {"sha256": hashlib.sha256(paper).hexdigest(), "signed": list(signed), "missing": missing}
    return Result("ceremony-verify", lines, fields)


def _missing(planned: Planned, found: Mapping[str, Statement]) -> list[str]:
    return [name for name in planned.plan.people if name not in found]


def _ask_time(place: Workplace, option: str, verb: str) -> str:
    question = f"When did the ceremony {verb}, by the clock on the wall?"
    return place.terminal.ask(question, hint=f"say it with --{option}") or "not said"


def _is_signed(place: Workplace, paper: bytes, path: str) -> bool:
    """Whether there is one's own signature on this record already."""
    try:
        return Path(path).exists() and signatures.verify(paper, door.read(path)) == place.me
    except FrostHsmError:
        return False
