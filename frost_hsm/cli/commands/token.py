"""``frost-hsm token``: the tokens in reach."""

from __future__ import annotations

import click

from frost_hsm import backends
from frost_hsm.cli.options import command, modules
from frost_hsm.cli.parsing import group
from frost_hsm.cli.talk.output import Result, table, undisturbed
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import ConfigProblem, NotKnown


@group
def token() -> None:
    """See the tokens in reach."""


@command(token, "list")
@click.option(
    "--backend", "names", multiple=True, metavar="NAME", help="Ask this backend; else pkcs11 and the configured one."
)
@modules
def list_(place: Workplace, names: tuple[str, ...], modules: dict[str, str]) -> Result:
    """List the tokens in reach.

    Needs no PIN. The last column is what --token takes.
    """
    configured = _configured_backends(place)
    found = []
    for name in names or ("pkcs11", *(name for name in configured if name != "pkcs11")):
        own = modules if name == "pkcs11" and modules else configured.get(name, {})
        with undisturbed():
            found += backends.load(name, own, place.terminal).tokens()
    header = ["LABEL", "SERIAL", "MODEL", "PIN", "SOURCE", "URI"]
    rows = [
        [
            info.label or "-",
            info.serial or "-",
            info.model,
            info.pin_state if info.initialised else "-",
            info.source,
            info.uri,
        ]
        for info in found
    ]
    listed = [
        {
            "label": info.label,
            "serial": info.serial,
            "manufacturer": info.manufacturer,
            "model": info.model,
            "source": info.source,
            "uri": info.uri,
            "initialised": info.initialised,
            "pin": info.pin_state,
            "software": info.is_software,
        }
        for info in found
    ]
    return Result("token-list", table(header, rows) if rows else ["no tokens"], {"tokens": listed})


@command(token, "restore")
def restore(place: Workplace) -> Result:
    """Put a SoftHSM2 token back that a crash took away.

    SoftHSM2 rewrites one file of a token, token.object, at each login. If the machine stops in that instant, the file
    is left empty, and the token is not found any more. At each login a copy of it is kept in the state directory; keys
    and records lie in other files, and are not touched. Needs no PIN.
    """
    from frost_hsm.cli.token_copy import restore as put_back

    files = [str(file) for file in put_back(place.home)]
    return Result("token-restore", [f"Wrote {file}" for file in files], {"files": files}, "frost-hsm doctor")


def _configured_backends(place: Workplace) -> dict[str, dict[str, str]]:
    try:
        config = place.config
    except (ConfigProblem, NotKnown):  # not set up yet: this command helps to
        return {}
    tables = {name: dict(settings) for name, settings in config.backends.items()}
    tables.setdefault(backends.scheme(config.token), {})
    return tables
