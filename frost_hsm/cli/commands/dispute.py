"""``frost-hsm dispute``: settle whose fault it is."""

from __future__ import annotations

import click

from frost_hsm.ceremony.history.evidence import Verdict
from frost_hsm.ceremony.sharing import dispute as ceremony_dispute
from frost_hsm.ceremony.sharing.rounds import Rounds
from frost_hsm.cli.files import door
from frost_hsm.cli.options import command, output
from frost_hsm.cli.parsing import group
from frost_hsm.cli.steps import rounds
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.talk.text import quoted
from frost_hsm.cli.workplace import Workplace


@group
def dispute() -> None:
    """Settle whose fault it is that a ceremony was stopped.

    Only its recipient can read a share. Who gets none that is good complains, with a file. Who is accused answers:
    opens that one envelope for all to see, without any key of theirs. Then everybody sees who was wrong. A file of
    evidence is judged by itself: inspect gives anybody the same answer.
    """


@command(dispute, "answer", token=True)
@click.argument("complaint")
@output
def answer(place: Workplace, complaint: str, output: str | None, force: bool) -> Result:
    """Open your envelope that COMPLAINT, a file, is about.

    Writes NAME.YOU.opening.pem, for everybody. What it shows, whoever complains was sent before. The ceremony is over.
    """
    found = door.parse(complaint, lambda data: ceremony_dispute.find(place.home, data, place.me))
    ceremony = found.ceremony
    path = output or f"{ceremony.stem}.{place.me.name}.opening.pem"
    with door.naming(complaint):
        again = found.answered()
    door.check_output(path, force=force, again=again)
    data, verdict = found.answer(place.holder)
    raw = door.write(path, data, force=force)
    lines = ["Opened the one envelope that is disputed", *_lines(verdict), door.wrote(path)]
    file = door.as_typed(path)
    after = f"send {file} to {rounds.others(ceremony)}; all others run: frost-hsm dispute settle {file}"
    return Result("dispute-answer", lines, {**_fields(ceremony, verdict), "file": path}, after, raw)


@command(dispute, "settle")
@click.argument("evidence")
def settle(place: Workplace, evidence: str) -> Result:
    """Take in EVIDENCE, a file: a complaint, an answer, or what stopped somebody else.

    Stops the ceremony here too, unless all have confirmed it. Needs no token.
    """
    found = door.parse(evidence, lambda data: ceremony_dispute.find(place.home, data, place.me))
    ceremony = found.ceremony
    with door.naming(evidence):
        verdict = found.settle()
    state = "is done, all have confirmed it, and stays" if ceremony.is_active else "is stopped"
    lines = [f"{ceremony.title} {state}", *_lines(verdict)]
    after = f"frost-hsm {ceremony.command} abort {ceremony.name}, then propose a new one"
    if place.me.name in verdict.awaiting:
        after = f"frost-hsm dispute answer {quoted(evidence)}"
    elif verdict.awaiting:
        after = f"ask {', '.join(verdict.awaiting)} for an answer: frost-hsm dispute answer {quoted(evidence)}"
    elif ceremony.is_active:
        after = f"show {evidence} to {rounds.others(ceremony)}"
    return Result("dispute-settle", lines, _fields(ceremony, verdict), after)


def _lines(verdict: Verdict) -> list[str]:
    return [
        f"  it shows  {verdict.sentence}",
        *(f"  at fault  {culprit.name}, fingerprint {culprit.fingerprint}" for culprit in verdict.culprits),
    ]


def _fields(ceremony: Rounds, verdict: Verdict) -> dict[str, object]:
    return {
        **rounds.fields(ceremony),
        "state": ceremony.status().step,
        "shows": verdict.sentence,
        "culprits": list(verdict.names),
        "awaiting": list(verdict.awaiting),
    }
