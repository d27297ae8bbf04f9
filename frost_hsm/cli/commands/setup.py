"""``frost-hsm setup``: from nothing to an identity in one's token."""

from __future__ import annotations

import getpass
from contextlib import suppress

import click

from frost_hsm import backends
from frost_hsm.backends import Backend, TokenInfo
from frost_hsm.ceremony.people.names import NAME, require_name
from frost_hsm.cli.commands.identity import make
from frost_hsm.cli.commands.init import write_down
from frost_hsm.cli.config import FILE, Config
from frost_hsm.cli.files import door
from frost_hsm.cli.options import command, modules, output
from frost_hsm.cli.talk.output import Result, undisturbed
from frost_hsm.cli.talk.pin import token_name
from frost_hsm.cli.talk.terminal import ATTEMPTS, Terminal
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import Aborted, NoTerminal, OutputExists, TokenAmbiguous, TokenNotFound


@command(None, "setup", token=True)
@click.option("--me", metavar="NAME", help="Your name among the participants, in lower case; else it is asked for.")
@modules
@output
def setup(place: Workplace, me: str | None, modules: dict[str, str], output: str | None, force: bool) -> Result:
    """Find your token and make your identity in it.

    Looks for PKCS#11 modules where p11-kit and their makers put them, asks which token is yours if there are several,
    and for your name. Then it does what init and identity create do; what is done already stays as it is. Until your
    identity is made, --token and --me, typed again, take back what you said before.
    """
    begun = place.config if (place.resolved_home / FILE).exists() else None
    if begun is not None and (place.home.exists("identity.pem") or not (me or place.token_uri or modules)):
        _require_same(begun, me, modules)
        place.terminal.message(f"going on as {begun.me}, with {begun.token}")
        return make(place, output, force=force)
    if output is not None:
        door.check_output(output, force=force)
    uri, of_token = place.token_uri or (begun.token if begun is not None else None), modules
    if uri is None or (backends.scheme(uri) == "pkcs11" and "module-path" not in uri and not modules):
        uri, of_token = _found(place, modules, uri)
    name = require_name(me or (begun.me if begun is not None else _ask_name(place.terminal)))
    lines, fields = write_down(place, name, of_token, uri=uri, force=begun is not None)
    made = make(place, output, force=force)
    return Result("setup", [*lines, *made.lines], {**fields, **made.fields}, made.next_step, made.raw)


def _require_same(begun: Config, me: str | None, modules: dict[str, str]) -> None:
    """Raise `OutputExists` if who has an identity is said to be somebody else, or to have another module."""
    if me not in (None, begun.me) or not modules.items() <= dict(begun.backends.get("pkcs11", {})).items():
        raise OutputExists(
            f"{begun.me} has an identity already, in {begun.token}",
            hint="for another, name another state directory: --home DIR; for another module, edit config.toml",
        )


def _found(place: Workplace, modules: dict[str, str], uri: str | None) -> tuple[str, dict[str, str]]:
    """Look in all modules; returns the URI of the token to use, and its module alone."""
    from frost_hsm.backends.pkcs11 import known_modules

    modules = modules or known_modules()
    if not modules:
        raise TokenNotFound(
            "no PKCS#11 module is where it would be looked for",
            hint="install your token's, or name it: --module /usr/lib/…/module.so; without a token: see frost-hsm init",
        )
    backend = backends.load("pkcs11", modules, place.terminal)
    info = _selected(backend, uri) if uri is not None else _chosen(place.terminal, backend)
    return info.uri, {info.source: modules[info.source]}


def _selected(backend: Backend, uri: str) -> TokenInfo:
    with undisturbed(), backend.open(uri, None) as token:
        return token.info


def _chosen(terminal: Terminal, backend: Backend) -> TokenInfo:
    """Return the only token that can be used, or the one that somebody chooses."""
    with undisturbed():
        usable = [info for info in backend.tokens() if info.can_log_in]
    if not usable:
        raise TokenNotFound("no initialised token with a PIN is in reach", hint="frost-hsm doctor says how to make one")
    if len(usable) == 1:
        terminal.message(f"found {_described(usable[0])}")
        return usable[0]
    for number, info in enumerate(usable, 1):
        terminal.message(f"{number}  {_described(info)}")
    for _ in range(ATTEMPTS):
        try:
            answer = terminal.ask(f"Which of the {len(usable)} is yours?", hint="name it with --token")
        except NoTerminal:
            raise TokenAmbiguous(f"{len(usable)} tokens are in reach", details=[info.uri for info in usable]) from None
        if answer.isdecimal() and 1 <= int(answer) <= len(usable):
            return usable[int(answer) - 1]
        terminal.message(f"that is not a number from 1 to {len(usable)}")
    raise Aborted("no token was chosen; nothing was written")


def _described(info: TokenInfo) -> str:
    software = ", software" if info.is_software else ""
    return f"{token_name(info)}, {' '.join(f'{info.manufacturer} {info.model}'.split())}{software}"


def _ask_name(terminal: Terminal) -> str:
    offered = ""
    with suppress(OSError, KeyError, ImportError):  # nobody in particular
        offered = getpass.getuser().lower()
    if not NAME.fullmatch(offered):
        offered = ""
    shown = f" [{offered}]" if offered else ""
    return terminal.ask(f"Your name among the participants, in lower case?{shown}", hint="give it with --me") or offered
