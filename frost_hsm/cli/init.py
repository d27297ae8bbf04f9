"""``frost-hsm init``: who I am and which token is mine."""

from __future__ import annotations

from pathlib import Path

import click

from frost_hsm import backends
from frost_hsm.ceremony.names import require_name
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.cli.config import FILE, Config
from frost_hsm.cli.options import command
from frost_hsm.cli.output import Result
from frost_hsm.cli.terminal import PinEntry, token_name
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import OutputExists, TokenNotFound, UsageProblem


@command(None, "init", token=True)
@click.option("--me", metavar="NAME", required=True, help="Your name among the participants.")
@click.option("--module", "modules", metavar="[ALIAS=]PATH", multiple=True, help="A PKCS#11 module to use.")
@click.option("--create", is_flag=True, help="Make the token, where its backend can: a software: file.")
@click.option("--force", is_flag=True, help="Replace an earlier configuration.")
def init(place: Workplace, me: str, modules: tuple[str, ...], create: bool, force: bool) -> Result:
    """Say who you are and which token is yours.

    Writes config.toml into the state directory. Without --token there has to be exactly one initialised token.
    A PKCS#11 token is initialised with its vendor's own tool; frost-hsm doctor prints the command for SoftHSM2.
    """
    require_name(me)
    uri = place.token_uri
    backend_name = backends.scheme(uri) if uri is not None else "pkcs11"
    settings = {"pkcs11": dict(map(_module, modules))} if modules else {}
    home = StateDirectory.create(place.resolved_home())
    if home.exists(FILE) and not force:
        raise OutputExists(f"{home.path / FILE} exists", hint="use it as it is, or replace it with --force")
    backend = backends.load(backend_name, settings.get(backend_name, {}), place.terminal)
    if create:
        if uri is None:
            raise UsageProblem("--create needs --token", hint="for example --token software:alice.token --create")
        entry = PinEntry(place.pin_source, place.terminal)
        backend.create(uri, lambda info: entry.new(info.label))
    try:
        info = place.select_token(backend, uri)
    except TokenNotFound as error:
        if backend_name == "software" and not create:
            raise TokenNotFound(str(error), hint="make it now with --create") from error
        raise
    with home.lock():
        Config(me, info.uri, settings).save(home)
    lines = [f"You are {me}; your token is {token_name(info)}", f"Wrote {home.path / FILE}"]
    if info.is_software:
        lines.append("This is a software token: a file, without the protection of hardware")
    fields = {"me": me, "token": info.uri, "home": str(home.path), "software": info.is_software}
    return Result("init", lines, fields, "frost-hsm identity create")


def _module(text: str) -> tuple[str, str]:
    alias, equals, path = text.partition("=")
    if not equals:
        alias, path = Path(text).name.split(".")[0].removeprefix("lib"), text
    return alias, str(Path(path).absolute())
