"""``frost-hsm status``: all that is open, in one table."""

from __future__ import annotations

from contextlib import ExitStack

import click

from frost_hsm.ceremony.history.transcript import board_label
from frost_hsm.ceremony.messages.inbox import Inbox
from frost_hsm.cli.options import command
from frost_hsm.cli.sittings.heard import Heard
from frost_hsm.cli.sittings.matter import Matter
from frost_hsm.cli.talk.output import Result, table
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import BoardUnreachable

_LOOK = 10.0  # seconds between two looks, should the board tell of no news


@command(None, "status")
@click.option("--board", metavar="URI", help="Look at this board too; else at the one of config.toml for all keys.")
@click.option("--watch", is_flag=True, help="Say it again whenever it changes, until Ctrl-C.")
def status(place: Workplace, board: str | None, watch: bool) -> Result:
    """Say all that is open, and whose turn it is.

    In one table: what, the next step, who is waited for, and the one command to type. Keys that are made, shares that
    are made anew or again, what all are asked to abandon, signatures. Needs no token and changes nothing.
    """
    uri = board or place.config.board_of("")
    with ExitStack() as stack:
        there = stack.enter_context(place.board(uri, board_label(place.me))) if uri is not None else None
        heard = Heard(place, there)
        heard.read()
        found = _found(heard, uri)
        while watch and there is not None:
            for line in _lines(found):
                place.terminal.message(line)
            shown = found
            while found == shown:
                try:
                    there.wait(_LOOK)
                    heard = Heard(place, there)  # the state directory may have changed too
                    heard.read()
                    found = _found(heard, uri)
                except BoardUnreachable as error:
                    place.terminal.waiting(str(error))
    return Result("status", _lines(found), {"board": uri, "open": found})


def _found(heard: Heard, uri: str | None) -> list[dict[str, object]]:
    waiting = ((matter, heard.inbox(matter)) for matter in heard.matters.values() if not matter.is_over)
    return [_entry(matter, inbox, uri) for matter, inbox in waiting if not matter.is_ended(inbox)]


def _entry(matter: Matter, inbox: Inbox, uri: str | None) -> dict[str, object]:
    found = matter.standing(inbox)
    return {
        "what": matter.title,
        "id": matter.id.hex(),
        "next": found.step,
        "have": list(found.have),
        "waits_for": matter.waits_for(inbox),
        "type": f"frost-hsm join {uri}" if uri is not None else matter.next_command,
    }


def _lines(found: list[dict[str, object]]) -> list[str]:
    """Lay it out as a table."""
    if not found:
        return ["nothing is open"]
    rows = [[str(each["what"]), str(each["next"]), _names(each), str(each["type"])] for each in found]
    return table(["WHAT", "NEXT", "WAITS FOR", "TYPE"], rows)


def _names(entry: dict[str, object]) -> str:
    names = entry["waits_for"]
    return ", ".join(map(str, names)) if isinstance(names, list) else ""
