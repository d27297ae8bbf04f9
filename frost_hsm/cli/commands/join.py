"""``frost-hsm join``: everything that is open for me, over a board, until a person has to decide."""

from __future__ import annotations

import click

from frost_hsm.cli.options import command, own_copies
from frost_hsm.cli.sittings.sitting import Sitting
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import UsageProblem


@command(None, "join", token=True, asks=True)
@click.argument("board", metavar="[BOARD]", required=False)
@click.option("--once", is_flag=True, help="Do what can be done now, and do not wait for the others.")
@click.option("--stay", is_flag=True, help="Do not end when nothing is left: wait for what comes next, until Ctrl-C.")
@own_copies
def join(place: Workplace, board: str | None, once: bool, stay: bool, files: str | None, clone: str | None) -> Result:
    """Do every step that is open for you, over a board.

    It waits for the others as long as it takes. Whatever is on BOARD and concerns you: keys that are made, shares that
    are made anew or again, signatures. You are asked what only a person can decide, each question once: whether
    identities and check codes are the same, whether you take part, whether you sign. The PIN is asked once. Your
    identity is handed out there too.

    It ends when nothing is left for you to do; if there is nothing yet, it waits for it. Ctrl-C ends it at any time:
    nothing is lost, and the same command goes on where it was. Without BOARD it is the one of config.toml for all keys.
    """
    uri = board or place.config.board_of("")
    if uri is None:
        raise UsageProblem("no board is named", hint='name one, or put it into config.toml: [boards] "*" = "dir:PATH"')
    if once and stay:
        raise UsageProblem("--once and --stay exclude each other")
    with Sitting(place, uri, files, clone) as sitting:
        done = sitting.run(is_once=once, is_staying=stay)
    lines = [f"{title}: nothing is left for you to do" for title in done] or [f"nothing is open for you on {uri}"]
    return Result("join", lines, {"board": uri, "done": done})
