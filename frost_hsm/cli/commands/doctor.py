"""``frost-hsm doctor``: what works here and what does not."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version

import click

from frost_hsm import __version__, backends
from frost_hsm.backends import Capability, KeyKind, PinState, Token, TokenKey
from frost_hsm.ceremony.people import identity, trial
from frost_hsm.ceremony.people.identity import Identity, RecordPlace
from frost_hsm.cli import memory, surroundings
from frost_hsm.cli.options import command
from frost_hsm.cli.talk.output import Result, undisturbed
from frost_hsm.cli.talk.pin import token_name
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import ConfigProblem, FrostHsmError, KeyNotFound, NoConstantTime, NotKnown
from frost_hsm.frost.ciphersuites import ALL, describe_native_library

Finding = tuple[bool, str]

_NONCES = "used nonces come back with it, and nonces that serve twice reveal your share"

_PIN = {
    PinState.OK: "its user PIN is set, its tries are not low",
    PinState.LOW: "a wrong PIN was given lately; few tries may be left",
    PinState.FINAL_TRY: "its next wrong PIN locks it",
    PinState.LOCKED: "its PIN is locked",
    PinState.NOT_SET: "its user PIN is not set",
}


@command(None, "doctor", token=True)
@click.option("--login", is_flag=True, help="Log in, try your keys, and list those that could be adopted.")
def doctor(place: Workplace, login: bool) -> Result:
    """Check the machine, the backends and the token.

    Changes nothing, and asks for no PIN without --login. Each finding is a line, ok or warn. The last line says whether
    you can take part in a key, or what to do first. The exit status is 0 whatever is found: doctor has then done its
    work. Programs read ok and ready in --json.
    """
    findings: list[Finding] = []
    others = (_groups, _state, _backends, _token, *([_keys] if login else []))
    for part in (_program, *(others if surroundings.lacking() is None else ())):
        findings += (each for each in _examined(part(place)) if each not in findings)
    warnings = sum(not fine for fine, _ in findings)
    lines = [f"{'ok  ' if fine else 'warn'}  {text}" for fine, text in findings]
    lines.append(f"{warnings or 'no'} warning{'s' * (warnings != 1)}")
    first = _first(place)
    tried = "" if login else " (login not tried: add --login)"
    lines.append(f"Ready to take part in a key{tried}" if first is None else f"Not ready for a key; first: {first}")
    listed = [{"ok": fine, "text": text} for fine, text in findings]
    fields = {"warnings": warnings, "findings": listed, "ready": first is None, "first": first}
    return Result("doctor", lines, fields)


def _first(place: Workplace) -> str | None:
    """Return what has to be done before anything else; None if nothing has."""
    if (lack := surroundings.lacking()) is not None:
        return f"{lack}; {surroundings.HINT}"
    try:
        place.config  # noqa: B018 - read, or not
    except FrostHsmError as error:
        return _to_begin(place) if isinstance(error, NotKnown | ConfigProblem) else str(error)
    try:
        with place.public_token() as token:
            if Capability.SIGN not in token.capabilities:
                return "frost-hsm init --force with another token: this one makes no ECDSA signatures on P-256"
            state = token.info.pin_state
            if state not in (PinState.OK, PinState.LOW):
                return f"see to the PIN of {token_name(token.info)} with its vendor's tool: {_PIN[state]}"
            if not place.home.exists("identity.pem"):
                return "frost-hsm identity create"
            place.identity_in(token)
    except Exception as error:  # a plug-in, or a module, may fail in any way
        return _told(error)
    return None


def _to_begin(place: Workplace) -> str:
    """Say what comes first where nothing is set up: a token, if there is none."""
    from frost_hsm.backends.pkcs11 import MAKE_ONE, known_modules

    try:
        with undisturbed():
            found = backends.load("pkcs11", known_modules(), place.terminal).tokens()
    except Exception:  # told with the findings
        found = []
    if any(info.can_log_in for info in found):
        return "frost-hsm setup"
    return f"make a token with its vendor's tool ({MAKE_ONE}), then: frost-hsm setup"


def _told(error: Exception) -> str:
    if isinstance(error, FrostHsmError):
        return f"{error}; {error.hint}" if error.hint else str(error)
    said = (str(error).splitlines() or [""])[0]  # some libraries write a page
    return f"{type(error).__name__}: {said}"


def _examined(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Pass findings on; what ends them is one more: whatever is broken, the other parts are still looked at."""
    try:
        yield from findings
    except Exception as error:  # a plug-in, or a module, may fail in any way
        yield False, _told(error)


def _program(place: Workplace) -> Iterator[Finding]:
    yield True, f"frost-hsm {__version__}, Python {platform.python_version()}"
    for name in ("python-pkcs11", "asn1crypto", "cryptography", "pycryptodome", "click"):
        try:
            yield True, f"{name} {version(name)}"
        except PackageNotFoundError:
            yield False, f"{name} is not installed"
    yield memory.swap()
    if (lack := surroundings.lacking()) is not None:
        yield False, f"{lack}: nothing works; {surroundings.HINT}"


def _groups(place: Workplace) -> Iterator[Finding]:
    yield describe_native_library()
    for suite in ALL:
        try:
            yield True, f"{suite.id} computes on {suite.group.backend}"
        except NoConstantTime as error:
            yield False, f"{suite.id} cannot be used: {error}; {error.hint}"


def _state(place: Workplace) -> Iterator[Finding]:
    with place.home.lock():
        yield True, f"state directory {place.home.path} is private, its lock is free"
    yield True, f"you are {place.config.me}; your token is {place.config.token}"


def _backends(place: Workplace) -> Iterator[Finding]:
    """Try every installed backend, each on its own: one that fails breaks nothing else."""
    try:
        used = backends.scheme(place.token_uri or place.config.token)
        settings = place.config.backends
    except FrostHsmError:  # found already, with the state directory
        used, settings = "pkcs11", {}
    for name in sorted(backends.installed()):
        yield from _examined(_backend(place, name, settings.get(name, {}), is_used=name == used))


def _backend(place: Workplace, name: str, settings: Mapping[str, str], *, is_used: bool) -> Iterator[Finding]:
    suffix = "  [used]" if is_used else "  [not used]"
    try:
        backend = backends.load(name, settings, place.terminal)
    except Exception as error:
        yield False, f"{error}{suffix}"
        return
    yield True, f'backend "{name}" loads{suffix}'
    if is_used:
        with undisturbed():
            described = list(backend.describe())
        yield from described


def _token(place: Workplace) -> Iterator[Finding]:
    with place.public_token() as token:
        info = token.info
        name = token_name(info)
        yield True, f"{name} is here: {info.manufacturer} {info.model}".rstrip()
        yield info.pin_state is PinState.OK, f"{name}: {_PIN[info.pin_state]}"
        yield from _abilities(name, token)
        noted = place.config.identity
        if noted.records is RecordPlace.DIRECTORY if noted is not None else Capability.DATA not in token.capabilities:
            yield False, f"{name} holds no records: never put an older copy of the state directory back, for {_NONCES}"
        if info.is_software:
            yield False, f"{name} is software: it can be copied; never put an older copy of it back, for {_NONCES}"
        found = [each.name for each in identity.find(token)]
        held = f"the identity of {', '.join(found)}" if found else "no identity yet"
        yield bool(found), f"{name} holds {held}"
    if place.home.exists("identity.pem") and place.me.recovery is not None:
        yield True, "your identity names a second token: with its PIN and the messages it has your shares, too"


def _abilities(name: str, token: Token) -> Iterator[Finding]:
    """Say what a token cannot, and what is done in its place."""
    lacking = set(Capability) - token.capabilities
    if Capability.SIGN in lacking:
        yield False, f"{name} makes no ECDSA signatures on P-256: it cannot be used"
        return
    if {Capability.AGREE, Capability.DECRYPT} <= lacking:
        yield False, f"{name} knows neither ECDH nor RSA-OAEP: it cannot be used"
    elif Capability.AGREE in lacking:
        yield True, f"{name} knows no ECDH: RSA-OAEP is used instead"
    if Capability.GENERATE in lacking:
        yield True, f"{name} makes no keys: adopt those that its own tool made"


def _keys(place: Workplace) -> Iterator[Finding]:
    """Log in and try what is there."""
    with place.public_token() as public:
        own = place.identity_in(public) if place.home.exists("identity.pem") else None
        with place.token() as token:
            name, keys = token_name(token.info), token.keys()
            yield True, f"{name}: the PIN is right"
            if own is None:
                yield from _adoptable(keys)
                return
            for key_id, kinds in (
                (own.sign_key_id, {KeyKind.SIGN}),
                (own.agree_key_id, {KeyKind.AGREE, KeyKind.DECRYPT}),
            ):
                yield from _examined(_tried(token, own, [key for key in keys if key.id == key_id], kinds))


def _tried(token: Token, own: Identity, keys: list[TokenKey], kinds: set[KeyKind]) -> Iterator[Finding]:
    if not keys:
        raise KeyNotFound(f"{token_name(token.info)} lacks a key of your identity")
    key = next((key for key in keys if key.kind in kinds), keys[0])
    if KeyKind.SIGN in kinds:
        trial.sign(token, key)
        yield True, "your sign key signs, and its signatures verify"
    elif own.public.oaep_hash is not None:
        trial.decrypt(token, key, own.public.oaep_hash)
        yield True, "your agree key opens what is encrypted to it, by RSA-OAEP"
    else:
        trial.agree(token, key)
        yield True, "your agree key opens what is encrypted to it, by ECDH"


def _adoptable(keys: list[TokenKey]) -> Iterator[Finding]:
    """List keys that an identity could be made of, and the command for the first two."""
    for key_id in dict.fromkeys(key.id for key in keys):
        same = [key for key in keys if key.id == key_id]
        inside = "" if same[0].attributes.stays_inside else "; the token says it was made outside it, or may leave it"
        yield True, f'key {key_id.hex()} "{same[0].label}" can {" and ".join(key.kind for key in same)}{inside}'
    signs = [key for key in keys if key.kind is KeyKind.SIGN]
    opens = [key for key in keys if key.kind is not KeyKind.SIGN]
    opens = opens or signs[1:]  # some modules say of none that it agrees
    pairs = [(sign, other) for other in opens for sign in signs if sign.id != other.id]
    if pairs:
        sign, other = next((each for each in pairs if all(key.attributes.stays_inside for key in each)), pairs[0])
        allow = "" if sign.attributes.stays_inside and other.attributes.stays_inside else " --allow-imported"
        command = f"frost-hsm identity create --adopt-sign {sign.id.hex()} --adopt-agree {other.id.hex()}{allow}"
        yield True, f"to adopt keys that are there, rather than have new ones made: {command}"
