"""``frost-hsm peer``: the identities of the others."""

from __future__ import annotations

import hmac

import click

from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.cli import completing
from frost_hsm.cli.files import door
from frost_hsm.cli.options import command
from frost_hsm.cli.talk.fingerprints import identity_fields, identity_lines
from frost_hsm.cli.talk.output import Result, table
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import Aborted, FingerprintMismatch, NotKnown, NotPossible, OutputExists, UsageProblem


@click.group()
def peer() -> None:
    """Keep the identities of the others."""


@command(peer, "add", asks=True)
@click.argument("file")
@click.option("--fingerprint", metavar="HEX", help="What its owner read to you; compared instead of asking.")
def add(place: Workplace, file: str, fingerprint: str | None) -> Result:
    """Add the identity of a peer.

    Compare its fingerprint with its owner first, by voice or in person: --yes says that you have.

    Everything rests on this: whoever swaps an identity here takes part in their place.
    """
    public = door.parse(file, PublicIdentity.from_pem)
    path = f"peers/{public.name}.pem"
    if place.config.me == public.name:
        raise NotPossible(f"{public.name} is your own name")
    present = place.home.read(path)
    if present is not None and present != public.to_pem():
        raise OutputExists(
            f"you have another identity for {public.name}",
            hint=f"if they really made a new one: frost-hsm peer remove {public.name}, then add it",
        )
    if fingerprint is not None:
        _require_equal(public, fingerprint)
    elif present is None:
        for line in identity_lines(public):
            place.terminal.message(line)
        if not place.terminal.confirm(f"Compare it with {public.name} by voice or in person. Does it match?"):
            raise Aborted(f"{public.name} was not added")
    place.home.put(path, public.to_pem())
    return Result(
        "peer-add",
        [f"Added peer {public.name}"],
        identity_fields(public),
        "frost-hsm dkg propose NAME -t T --with NAMES",
    )


@command(peer, "list")
def list_(place: Workplace) -> Result:
    """List your peers."""
    peers = place.peers()
    rows = [[name, public.fingerprint] for name, public in peers.items()]
    lines = table(["NAME", "FINGERPRINT"], rows) if rows else ["no peers"]
    return Result("peer-list", lines, {"peers": [identity_fields(public) for public in peers.values()]})


@command(peer, "remove")
@click.argument("name", shell_complete=completing.peers)
def remove(place: Workplace, name: str) -> Result:
    """Forget a peer.

    Keys made with them stay as they are.
    """
    if name not in place.peers():
        raise NotKnown(f'there is no peer "{name}"', hint="see: frost-hsm peer list")
    place.home.remove(f"peers/{name}.pem")
    return Result("peer-remove", [f"Removed peer {name}"], {"name": name})


def _require_equal(public: PublicIdentity, given: str) -> None:
    wanted = public.fingerprint.replace(" ", "")
    digits = "".join(given.split()).replace(":", "").lower()
    if len(digits) != len(wanted):
        raise UsageProblem(f"a fingerprint has {len(wanted)} hexadecimal digits, not {len(digits)}")
    if not hmac.compare_digest(digits.encode(), wanted.encode()):
        raise FingerprintMismatch(
            f"the fingerprint of this identity of {public.name} is {public.fingerprint}, not the one given"
        )
