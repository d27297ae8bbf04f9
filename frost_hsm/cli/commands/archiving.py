"""``frost-hsm sign archive``: put finished requests away."""

from __future__ import annotations

import click

from frost_hsm.ceremony.signing import archiving
from frost_hsm.ceremony.signing.session import SigningSession
from frost_hsm.cli import completing
from frost_hsm.cli.options import command
from frost_hsm.cli.steps import requests
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.workplace import Workplace


@command(None, "archive")
@click.argument("names", metavar="[REQUEST]...", nargs=-1, shell_complete=completing.requests)
def archive(place: Workplace, names: tuple[str, ...]) -> Result:
    """Put finished requests away, so that lists are short.

    Finished is what is signed or ended, or what somebody else asked for and you have answered. Without REQUEST, all of
    them. Nothing is deleted: sign status REQUEST still knows each, and sign status --archived lists them. Needs no
    token.
    """
    if names:
        found = [requests.take(place, name) for name in names]
    else:
        every = requests.readable(place, SigningSession.names(place.home))
        found = [session for session in every if archiving.is_finished(session)]
    for session in found:
        archiving.archive(session)
    digits = [session.id[:8].hex() for session in found]
    lines = [f"Put away: {each}" for each in digits] or ["nothing is finished that was not put away before"]
    return Result("sign-archive", lines, {"requests": [session.id.hex() for session in found]})
