"""``frost-hsm identity``: one's own."""

from __future__ import annotations

import click

from frost_hsm.backends import Capability, KeyKind
from frost_hsm.ceremony import identity as identities
from frost_hsm.ceremony.identity import PublicIdentity
from frost_hsm.cli import files
from frost_hsm.cli.options import command, output
from frost_hsm.cli.output import Result
from frost_hsm.cli.pin import token_name
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import OutputExists, UsageProblem


@click.group()
def identity() -> None:
    """Make, show and hand out your identity."""


@command(identity, "create", token=True)
@output
@click.option("--rsa", is_flag=True, help="Open envelopes with RSA: for a token without ECDH.")
@click.option("--adopt-sign", metavar="ID", help="Use this key of the token to sign; its CKA_ID in hex.")
@click.option("--adopt-agree", metavar="ID", help="Use this key of the token to open envelopes.")
@click.option("--allow-imported", is_flag=True, help="Adopt keys that may have been outside the token.")
def create(
    place: Workplace,
    output: str | None,
    force: bool,
    rsa: bool,
    adopt_sign: str | None,
    adopt_agree: str | None,
    allow_imported: bool,
) -> Result:
    """Make your identity: two keys and their certificates.

    Both keys are made in the token and cannot leave it: the first signs what you send, the second opens what is
    encrypted to you. Writes YOU.identity.pem, which is public. The same again changes nothing.
    """
    name = place.config.me
    path = output or f"{name}.identity.pem"
    present = place.home.read("identity.pem")
    files.check_output(path, force=force, again=present)
    if (adopt_sign is None) != (adopt_agree is None):
        raise UsageProblem("--adopt-sign and --adopt-agree belong together")
    with place.token() as token:
        if adopt_sign is not None and adopt_agree is not None:
            ids = (_key_id(adopt_sign), _key_id(adopt_agree))
            made = identities.adopt(token, name, *ids, allow_imported=allow_imported)
        else:
            wants_rsa = rsa or Capability.AGREE not in token.capabilities
            made = identities.create(token, name, KeyKind.DECRYPT if wants_rsa else KeyKind.AGREE)
        where = token_name(token.info)
    data = made.public.to_pem()
    if present is not None and present != data:
        raise OutputExists(f"{name} has another identity already", hint="use another state directory for a second one")
    place.home.put("identity.pem", data)
    raw = files.write(path, data, force=force)
    lines = [*_lines(made.public), f"Keys and certificates are in {where}", f"Wrote {path}"]
    after = f"send {path} to the others, and read the fingerprint to them over another channel"
    return Result("identity-create", lines, {**_fields(made.public), "file": path}, after, raw)


@command(identity, "show", token=True)
@click.option("--from-token", is_flag=True, help="Show every identity that the token holds.")
def show(place: Workplace, from_token: bool) -> Result:
    """Show your identity and its fingerprint.

    Needs no PIN.
    """
    if not from_token:
        return Result("identity-show", _lines(place.me), {"identities": [_fields(place.me)]})
    with place.public_token() as token:
        found = [each.public for each in identities.find(token)]
        nothing = f"{token_name(token.info)} holds no identity"
    lines = [line for public in found for line in _lines(public)] or [nothing]
    return Result("identity-show", lines, {"identities": [_fields(public) for public in found]})


@command(identity, "export")
@output
def export(place: Workplace, output: str | None, force: bool) -> Result:
    """Write your identity file again.

    Needs no token.
    """
    path = output or f"{place.me.name}.identity.pem"
    data = place.me.to_pem()
    files.check_output(path, force=force, again=data)
    raw = files.write(path, data, force=force)
    return Result("identity-export", [f"Wrote {path}"], {**_fields(place.me), "file": path}, raw=raw)


def _lines(public: PublicIdentity) -> list[str]:
    return [f"Identity of {public.name}", f"  fingerprint  {public.fingerprint}"]


def _fields(public: PublicIdentity) -> dict[str, object]:
    return {"name": public.name, "fingerprint": public.fingerprint.replace(" ", "")}


def _key_id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise UsageProblem(f'"{text}" is not a key id in hex') from None
