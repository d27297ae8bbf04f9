"""``frost-hsm init``: who I am and which token is mine."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import click

from frost_hsm import backends
from frost_hsm.backends import Backend, TokenInfo
from frost_hsm.ceremony.people import identity as identities
from frost_hsm.ceremony.people.identity import Holder
from frost_hsm.ceremony.people.names import require_name
from frost_hsm.ceremony.sealing.marks import Marks
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.cli.config import FILE, Config
from frost_hsm.cli.options import command, modules
from frost_hsm.cli.talk.output import Result, undisturbed
from frost_hsm.cli.talk.pin import token_name
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import (
    Aborted,
    FrostHsmError,
    NotPossible,
    OutputExists,
    TokenAmbiguous,
    TokenNotFound,
    UsageProblem,
)


@command(None, "init", token=True, asks=True)
@click.option("--me", metavar="NAME", help="Your name among the participants, in lower case.")
@modules
@click.option("--create", is_flag=True, help="Make the token, where its backend can: a software: file.")
@click.option("--force", is_flag=True, help="Replace an earlier configuration.")
@click.option("--take-over", is_flag=True, help="Shut out the state directory that the token worked with until now.")
def init(
    place: Workplace, me: str | None, modules: dict[str, str], create: bool, force: bool, take_over: bool
) -> Result:
    """Say who you are and which token is yours.

    Makes the state directory, readable by you alone, and writes config.toml into it; the same again changes nothing.
    Without --token there has to be exactly one initialised PKCS#11 token. Initialising one erases it and is left to
    its vendor's tool; frost-hsm doctor prints the command for SoftHSM2.

    A token works with one state directory. To go on with a token in another one, because the first is lost or this is
    to be used in its place, add --take-over, alone if this directory has its configuration already. From then on the
    other one is refused every step, and nonces that waited in the token are destroyed.
    """
    if me is None:
        if not take_over:
            raise UsageProblem("--me is missing", hint="for example frost-hsm init --me alice")
        return _take_over(place)
    lines, fields = write_down(place, me, modules, uri=place.token_uri, create=create, force=force)
    if take_over:
        taken = _take_over(place)
        return Result("init", [*lines, *taken.lines], {**fields, **taken.fields}, taken.next_step)
    return Result("init", lines, fields, "frost-hsm identity create")


def write_down(
    place: Workplace, me: str, modules: dict[str, str], *, uri: str | None, create: bool = False, force: bool = False
) -> tuple[list[str], dict[str, object]]:
    """Write config.toml; returns what to say of it, for people and for programs."""
    require_name(me)
    backend_name = backends.scheme(uri) if uri is not None else "pkcs11"
    if create and uri is None:
        raise UsageProblem("--create needs --token", hint="for example --token software:alice.token --create")
    settings = {"pkcs11": modules} if modules else {}
    backend = backends.load(backend_name, settings.get(backend_name, {}), place.terminal)
    is_done = (place.resolved_home / FILE).exists() and not force
    if create and uri is not None and not is_done:
        _create(place, backend, uri)
    try:
        info, settings = _settle(place, _select(backend, uri), settings)
        config = _written(place, me, info, settings)
    except FrostHsmError as error:
        if is_done:
            raise _exists(place) from error
        raise
    if is_done:
        _require_same(place, config)
    home = StateDirectory.create(place.resolved_home)
    with home.lock():
        place.config = config
        config.save(home)
    lines = [f"You are {me}; your token is {token_name(info)}", f"Wrote {home.path / FILE}"]
    if backend_name == "pkcs11" and settings.get("pkcs11", {}) != modules:
        lines.append(f"From now on it is looked for in its own module alone: {', '.join(settings['pkcs11'].values())}")
    if info.is_software:
        lines.append("This is a software token: a file, without the protection of hardware")
    fields: dict[str, object] = {"me": me, "token": info.uri, "home": str(home.path), "software": info.is_software}
    return lines, fields


def _take_over(place: Workplace) -> Result:
    """Make the token this state directory's, once that was agreed to."""
    me, home = place.config.me, place.home
    with place.public_token() as public:
        found = [each for each in identities.find(public) if each.name == me]
        if not found and home.exists("identity.pem"):
            found = [place.identity_in(public)]
        where = token_name(public.info)
    if not found:
        raise NotPossible(f"{where} holds no identity of {me} to take over", hint="make one: frost-hsm identity create")
    with place.token() as token:
        marks = [Marks(Holder(replace(each, records=place.noted(each, token).records), token), home) for each in found]
        if any(each.is_owned_elsewhere() for each in marks):
            is_agreed = place.terminal.agree(
                "Take the token over?",
                what="your name",
                shown=me,
                lines=[
                    f"{where}, of {me}, works with another state directory. From now on that one is refused",
                    "every step, and what waits in the token to sign is destroyed: requests that were",
                    "committed to and not answered need new ones",
                ],
            )
            if not is_agreed:
                raise Aborted("the token was not taken over; nothing was changed")
        for each in marks:
            each.take_over()
    lines = [f"{where} works with {home.path}, and with no other state directory"]
    return Result("init", lines, {"taken_over": True}, "frost-hsm backup restore FILE, or frost-hsm identity create")


def _require_same(place: Workplace, config: Config) -> None:
    """Raise `OutputExists` unless this is what an earlier run wrote down."""
    with suppress(FrostHsmError):  # what cannot be read is not the same
        if place.config == config:
            return
    raise _exists(place)


def _exists(place: Workplace) -> OutputExists:
    return OutputExists(f"{place.resolved_home / FILE} exists", hint="use it as it is, or replace it with --force")


def _settle(
    place: Workplace, info: TokenInfo, settings: dict[str, dict[str, str]]
) -> tuple[TokenInfo, dict[str, dict[str, str]]]:
    """Look for a token that p11-kit brought in its own module from now on, if it is there, too."""
    if settings or backends.scheme(info.uri) != "pkcs11" or "module-path" in info.uri:
        return info, settings
    from frost_hsm.backends.pkcs11 import own_module

    own = own_module(info)
    if own is None:
        return info, settings
    name, path = own
    settings = {"pkcs11": {name: path}}
    return _select(backends.load("pkcs11", settings["pkcs11"], place.terminal), info.uri), settings


def _written(place: Workplace, me: str, info: TokenInfo, settings: dict[str, dict[str, str]]) -> Config:
    """Return what is to be written: boards stay as they were, and what was noted of the identity in the same token."""
    with suppress(FrostHsmError):  # no earlier configuration, or a broken one
        before = place.config
        identity = before.identity if before.token == info.uri else None
        return replace(before, me=me, token=info.uri, backends=settings, identity=identity)
    return Config(me, info.uri, settings)


def _create(place: Workplace, backend: Backend, uri: str) -> None:
    """Make the token; one without an identity, which an earlier run that was cut short made, will do as it is."""
    try:
        backend.create(uri, place.pin.new)
    except OutputExists:
        with backend.open(uri, None) as public:
            if public.certificates():
                raise
        place.pin.log_in(backend, uri, allow_final_try=False).close()


def _select(backend: Backend, uri: str | None) -> TokenInfo:
    """Return the token that ``uri`` selects, or the only initialised one that has a PIN."""
    if uri is not None:
        with backend.open(uri, None) as token:
            return token.info
    with undisturbed():
        found = backend.tokens()
    usable = [info for info in found if info.can_log_in]
    if not usable:
        raise TokenNotFound("no initialised token is in reach", hint="frost-hsm doctor says how to make one")
    if len(usable) > 1:
        raise TokenAmbiguous(f"{len(usable)} tokens match", details=[info.uri for info in usable])
    return usable[0]
