"""``frost-hsm identity``: one's own."""

from __future__ import annotations

from dataclasses import replace

import click

from frost_hsm.backends import Capability, KeyKind
from frost_hsm.ceremony.history import kept
from frost_hsm.ceremony.people import identity as identities
from frost_hsm.ceremony.people.identity import Holder, PublicIdentity
from frost_hsm.ceremony.sealing.marks import Marks
from frost_hsm.cli.files import door
from frost_hsm.cli.options import command, output
from frost_hsm.cli.parsing import group
from frost_hsm.cli.talk.fingerprints import identity_fields, identity_lines
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.talk.pin import token_name
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import NotPossible, OutputExists, UsageProblem


@group
def identity() -> None:
    """Make, show and hand out your identity."""


@command(identity, "create", token=True)
@output
@click.option("--rsa", is_flag=True, help="Open envelopes with RSA: for a token without ECDH.")
@click.option("--adopt-sign", metavar="ID", help="Use this key of the token to sign; its CKA_ID in hex.")
@click.option("--adopt-agree", metavar="ID", help="Use this key of the token to open envelopes.")
@click.option("--earlier", metavar="FILE", help="Your identity of these keys, for a token that keeps no certificates.")
@click.option("--allow-imported", is_flag=True, help="Take keys that the token does not claim to have made.")
@click.option("--recovery", metavar="FILE", help="The identity of your second token, made there under your name.")
def create(
    place: Workplace,
    output: str | None,
    force: bool,
    rsa: bool,
    adopt_sign: str | None,
    adopt_agree: str | None,
    earlier: str | None,
    allow_imported: bool,
    recovery: str | None,
) -> Result:
    """Make your identity: two keys and their certificates.

    Both keys are made in the token and cannot leave it: the first signs what you send, the second opens what is
    encrypted to you. Writes YOU.identity.pem, which is public. The same again changes nothing.

    With --recovery, every share that others send you is encrypted to a second token of yours as well. Should this one
    be lost, the second one makes your shares again and takes its place: see frost-hsm recover. So whoever has the
    second token, its PIN and the messages has your shares, too. Name it before you take part in any key.
    """
    if (adopt_sign is None) != (adopt_agree is None):
        raise UsageProblem("--adopt-sign and --adopt-agree belong together")
    adopt = None if adopt_sign is None or adopt_agree is None else (_key_id(adopt_sign), _key_id(adopt_agree))
    return make(
        place,
        output,
        force=force,
        rsa=rsa,
        adopt=adopt,
        earlier=earlier,
        allow_imported=allow_imported,
        recovery=recovery,
    )


def make(
    place: Workplace,
    output: str | None,
    *,
    force: bool,
    rsa: bool = False,
    adopt: tuple[bytes, bytes] | None = None,
    earlier: str | None = None,
    allow_imported: bool = False,
    recovery: str | None = None,
) -> Result:
    """Make the identity of whoever init named, in their token, and write it to a file."""
    name = place.config.me
    path = output or f"{name}.identity.pem"
    present = place.home.read("identity.pem")
    before = door.parse(earlier, PublicIdentity.from_pem) if earlier is not None else None
    door.check_output(path, force=force, again=before.to_pem() if before is not None else present)
    second = door.parse(recovery, PublicIdentity.from_pem) if recovery is not None else None
    if present is not None and second is not None and not place.me.is_recovered_by(second):
        _require_unused(place)
    with place.token() as token, place.home.lock():
        if adopt is not None:
            made = identities.adopt(
                token, name, *adopt, allow_imported=allow_imported, recovery=second, earlier=before or _present(place)
            )
        else:
            wants_rsa = rsa or Capability.AGREE not in token.capabilities
            kind = KeyKind.DECRYPT if wants_rsa else KeyKind.AGREE
            made = identities.create(token, name, kind, allow_imported=allow_imported, recovery=second)
        is_in_token = any(made.public.is_same_token(each.public) for each in identities.find(token))
        made = replace(made, records=place.note(made, is_in_token=is_in_token).records)
        Marks(Holder(made, token), place.home).require_own()
        where = token_name(token.info)
    public = made.public
    if present is not None and not made.public.is_same_token(place.me):
        raise OutputExists(f"{name} has another identity already", hint="use another state directory for a second one")
    if present is not None and (second is None or place.me.is_recovered_by(second)):
        public = place.me  # not every token can tell of the second
    data = public.to_pem()
    place.home.replace("identity.pem", data)
    raw = door.write(path, data, force=force)
    kept = "Keys and certificates are" if is_in_token else "Keys, and no certificates, are"
    lines = [*identity_lines(public), f"{kept} in {where}", door.wrote(path)]
    after = f"send {door.as_typed(path)} to the others, and read the fingerprint to them over another channel"
    return Result("identity-create", lines, {**identity_fields(public), "file": path}, after, raw)


@command(identity, "show", token=True, login=False)
@click.option("--from-token", is_flag=True, help="Show every identity that the token holds.")
def show(place: Workplace, from_token: bool) -> Result:
    """Show your identity and its fingerprint.

    With --token, as with --from-token, every identity that is in the token. Needs no PIN.
    """
    if not from_token and place.token_uri is None:
        return Result("identity-show", identity_lines(place.me), {"identities": [identity_fields(place.me)]})
    with place.public_token() as token:
        found = [each.public for each in identities.find(token)]
        nothing = f"{token_name(token.info)} holds no identity"
    lines = [line for public in found for line in identity_lines(public)] or [nothing]
    return Result("identity-show", lines, {"identities": [identity_fields(public) for public in found]})


@command(identity, "export")
@output
def export(place: Workplace, output: str | None, force: bool) -> Result:
    """Write your identity file again.

    Needs no token.
    """
    path = output or f"{place.me.name}.identity.pem"
    data = place.me.to_pem()
    door.check_output(path, force=force, again=data)
    raw = door.write(path, data, force=force)
    return Result("identity-export", [door.wrote(path)], {**identity_fields(place.me), "file": path}, raw=raw)


def _require_unused(place: Workplace) -> None:
    """Raise `NotPossible` if others know us in a ceremony: there the identity stays as it is."""
    if place.home.names(kept.KEYS):
        raise NotPossible(
            f"{place.me.name} takes part in ceremonies with an identity that does not name this second token",
            hint="make a new identity, on another token, and have your shares repaired for it",
        )


def _present(place: Workplace) -> PublicIdentity | None:
    return place.me if place.home.exists("identity.pem") else None


def _key_id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise UsageProblem(f'"{text}" is not a key id in hex') from None
