"""``frost-hsm inspect``: what a file is, without a token."""

from __future__ import annotations

from collections.abc import Iterator

import click

from frost_hsm.ceremony.history import kept
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.cli.files import door
from frost_hsm.cli.files.description import Description, describe, message_of
from frost_hsm.cli.options import command
from frost_hsm.cli.talk.output import Result, grouped
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import NotPossible

_COMPARED = ("fingerprint", "digest")
"""What people compare by eye or voice: shown in groups of four digits."""


@command(None, "inspect")
@click.argument("paths", nargs=-1, required=True, metavar="FILES...")
@click.option("--digest", is_flag=True, help="Only the digest of the contents: two files that say the same have one.")
@click.option("--message", is_flag=True, help="Write the message to be signed to stdout, as it is.")
def inspect(place: Workplace, paths: tuple[str, ...], digest: bool, message: bool) -> Result:
    """Say what files are, without a token.

    Identities, messages, evidence, packages in JSON, statements, records of ceremonies and signatures on them; - is
    stdin. A signature is checked where its maker is known here, as a peer or from a proposal, or stands in it. Opens
    nothing that is sealed.
    """
    if message:
        if len(paths) != 1:
            raise NotPossible("--message takes one file")
        return Result("inspect-message", raw=door.parse(paths[0], message_of))
    known = {identity.sign_key.key_id: identity for identity in _known(place)}
    lines: list[str] = []
    entries: list[Description] = []
    for path in paths:
        for entry in door.parse(path, lambda data: list(describe(data, known))):
            entries.append({"file": path, **entry})
            lines += [f"{entry.get('digest', '-')}  {path}"] if digest else _lines(path, entry)
    return Result("inspect", lines, {"files": entries})


def _known(place: Workplace) -> Iterator[PublicIdentity]:
    """Everybody whose identity is kept here; nobody where nothing is set up."""
    if not place.resolved_home.is_dir():
        return
    for folder in kept.folders(place.home):
        proposal = kept.proposal(place.home, folder)
        if proposal is not None:
            yield from proposal.message.roster
    yield from place.peers().values()
    own = place.home.read("identity.pem")
    if own is not None:
        yield PublicIdentity.from_pem(own)


def _lines(path: str, entry: Description) -> list[str]:
    lines = [f"{path}: {entry['kind']}"]
    for name, value in entry.items():
        if name == "kind" or value in (None, ""):
            continue
        values = value if isinstance(value, list) else [value]
        for number, each in enumerate(values):
            shown = grouped(bytes.fromhex(str(each))) if name in _COMPARED else str(each)
            lines.append(f"  {'' if number else name.replace('_', ' '):<14}  {shown}")
    return lines
