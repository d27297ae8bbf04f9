"""``frost-hsm doctor``: what works here and what does not."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version

from frost_hsm import __version__, backends
from frost_hsm.backends import Capability, PinState
from frost_hsm.ceremony.people import identity
from frost_hsm.cli import memory, surroundings
from frost_hsm.cli.options import command
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.talk.pin import token_name
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import FrostHsmError, NoConstantTime
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
def doctor(place: Workplace) -> Result:
    """Check the machine, the backends and the token.

    Asks for no PIN and changes nothing. Each finding is a line, ok or warn. The exit status is 0 whatever is
    found: doctor has then done its work. Programs read ok in --json.
    """
    findings: list[Finding] = []
    for part in (_program, _groups, _state, _backends, _token):
        findings += (each for each in _examined(part(place)) if each not in findings)
    warnings = sum(not fine for fine, _ in findings)
    lines = [f"{'ok  ' if fine else 'warn'}  {text}" for fine, text in findings]
    lines.append(f"{warnings or 'no'} warning{'s' * (warnings != 1)}")
    listed = [{"ok": fine, "text": text} for fine, text in findings]
    return Result("doctor", lines, {"warnings": warnings, "findings": listed})


def _examined(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Pass findings on; what ends them is one more: whatever is broken, the other parts are still looked at."""
    try:
        yield from findings
    except FrostHsmError as error:
        yield False, f"{error}; {error.hint}" if error.hint else str(error)
    except Exception as error:  # a plug-in, or a module, may fail in any way
        said = (str(error).splitlines() or [""])[0]  # some libraries write a page
        yield False, f"{type(error).__name__}: {said}"


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
        yield from backend.describe()


def _token(place: Workplace) -> Iterator[Finding]:
    with place.public_token() as token:
        info = token.info
        name = token_name(info)
        yield True, f"{name} is here: {info.manufacturer} {info.model}".rstrip()
        yield info.pin_state is PinState.OK, f"{name}: {_PIN[info.pin_state]}"
        lacking = [capability for capability in Capability if capability not in token.capabilities]
        if lacking:
            yield True, f"{name} cannot: {', '.join(lacking)}; other ways are used instead"
        if Capability.DATA in lacking:
            yield False, f"{name} holds no records: never put an older copy of the state directory back, for {_NONCES}"
        if info.is_software:
            yield False, f"{name} is software: it can be copied; never put an older copy of it back, for {_NONCES}"
        found = [each.name for each in identity.find(token)]
        held = f"the identity of {', '.join(found)}" if found else "no identity yet"
        yield bool(found), f"{name} holds {held}"
    if place.home.exists("identity.pem") and place.me.recovery is not None:
        yield True, "your identity names a second token: with its PIN and the messages it has your shares, too"
