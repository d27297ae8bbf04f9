"""``frost-hsm peer``: the identities of the others."""

from __future__ import annotations

import hmac

import click

from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.cli import completing
from frost_hsm.cli.files import door
from frost_hsm.cli.options import command
from frost_hsm.cli.parsing import group
from frost_hsm.cli.talk.fingerprints import identity_fields, identity_lines
from frost_hsm.cli.talk.output import Result, table
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import Aborted, FingerprintMismatch, NotKnown, NotPossible, OutputExists, UsageProblem


@group
def peer() -> None:
    """Keep the identities of the others."""


@command(peer, "add", asks=True)
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@click.option("--fingerprint", metavar="HEX", help="What its owner read to you, of one file; compared, not asked.")
def add(place: Workplace, files: tuple[str, ...], fingerprint: str | None) -> Result:
    """Add the identities of peers.

    Compare each fingerprint with its owner first, by voice or in person: --yes says that you have.

    Everything rests on this: whoever swaps an identity here takes part in their place.
    """
    if fingerprint is not None and len(files) > 1:
        raise UsageProblem("a fingerprint belongs to one file", hint="add that file by itself")
    found = [door.parse(file, PublicIdentity.from_pem) for file in files]
    for public in found:
        _require_addable(place, public, found)
    added = [public for public in found if _is_right(place, public, fingerprint)]
    for public in added:
        place.home.put(f"peers/{public.name}.pem", public.to_pem())
    if len(added) < len(found):
        raise Aborted(f"{', '.join(public.name for public in found if public not in added)} was not added")
    fields = identity_fields(found[0]) if len(found) == 1 else {"peers": [identity_fields(public) for public in found]}
    return Result(
        "peer-add" if len(found) == 1 else "peer-add-list",
        [f"Added peer {public.name}" for public in added],
        fields,
        "frost-hsm dkg propose NAME -t T --with NAMES",
    )


def _require_addable(place: Workplace, public: PublicIdentity, given: list[PublicIdentity]) -> None:
    """Raise `NotPossible` or `OutputExists` for one's own name, and for a second identity of one name."""
    if place.config.me == public.name:
        raise NotPossible(f"{public.name} is your own name")
    present = place.home.read(f"peers/{public.name}.pem")
    if present is not None and present != public.to_pem():
        raise OutputExists(
            f"you have another identity for {public.name}",
            hint=f"if they really made a new one: frost-hsm peer remove {public.name}, then add it",
        )
    if any(each.name == public.name and each != public for each in given):
        raise NotPossible(f"there are two identities of {public.name}", hint="ask them which one is theirs")


def _is_right(place: Workplace, public: PublicIdentity, fingerprint: str | None) -> bool:
    """Have somebody say whether the identity is its owner's, unless that was said before."""
    if fingerprint is not None:
        _require_equal(public, fingerprint)
        return True
    return place.home.exists(f"peers/{public.name}.pem") or place.terminal.agree(
        f"Compare it with {public.name} by voice or in person. Does it match?",
        what="the fingerprint",
        shown=public.fingerprint,
        last=4,
        lines=identity_lines(public),
    )


@command(peer, "list")
def list_(place: Workplace) -> Result:
    """List your peers."""
    peers = place.peers()
    rows = [[name, public.fingerprint] for name, public in peers.items()]
    lines = table(["NAME", "FINGERPRINT"], rows) if rows else ["no peers"]
    return Result("peer-list", lines, {"peers": [identity_fields(public) for public in peers.values()]})


@command(peer, "remove", asks=True)
@click.argument("name", shell_complete=completing.peers)
def remove(place: Workplace, name: str) -> Result:
    """Forget a peer.

    Keys made with them stay as they are.
    """
    public = place.peers().get(name)
    if public is None:
        raise NotKnown(f'there is no peer "{name}"', hint="see: frost-hsm peer list")
    question = f"Forget {name}? To take them in again, the fingerprint has to be compared again."
    if not place.terminal.agree(question, what="the name", shown=name, lines=identity_lines(public)):
        raise Aborted(f"{name} is still a peer")
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
