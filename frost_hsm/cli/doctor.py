"""``frost-hsm doctor``: what works here and what does not."""

from __future__ import annotations

import platform
from importlib.metadata import version

from frost_hsm import backends
from frost_hsm.backends import PinState
from frost_hsm.ceremony import identity
from frost_hsm.cli.options import command
from frost_hsm.cli.output import Result, emphasis
from frost_hsm.cli.terminal import token_name
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import FrostHsmError
from frost_hsm.frost.ciphersuites import ALL

Finding = tuple[bool, str]


@command(None, "doctor", token=True)
def doctor(place: Workplace) -> Result:
    """Check the machine, the backends and the token. Asks for no PIN and changes nothing."""
    findings = [*_program(), *_groups(), *_state(place), *_backends(place), *_token(place)]
    worst = sum(not fine for fine, _ in findings)
    lines = [f"{emphasis('ok  ', 'green') if fine else emphasis('warn', 'yellow')}  {text}" for fine, text in findings]
    lines.append("no warnings" if worst == 0 else f"{worst} warning{'s' * (worst > 1)}")
    return Result("doctor", lines, {"findings": [{"ok": fine, "text": text} for fine, text in findings]})


def _program() -> list[Finding]:
    packages = ", ".join(f"{name} {version(name)}" for name in ("python-pkcs11", "cryptography", "click"))
    return [(True, f"frost-hsm {version('frost-hsm')}, Python {platform.python_version()}, {packages}")]


def _groups() -> list[Finding]:
    return [(True, f"{suite.id} computes on {suite.group.backend}") for suite in ALL]


def _state(place: Workplace) -> list[Finding]:
    try:
        with place.home.lock():
            return [(True, f"state directory {place.home.path} is private, its lock is free")]
    except FrostHsmError as error:
        return [(False, _text(error))]


def _backends(place: Workplace) -> list[Finding]:
    """Try every installed backend, each on its own: one that fails breaks nothing else."""
    findings: list[Finding] = []
    try:
        configured = place.config.backends
        used = backends.scheme(place.config.token)
    except FrostHsmError:
        configured, used = {}, None
    try:
        names = sorted(backends.installed())
    except FrostHsmError as error:
        return [(False, _text(error))]
    for name in names:
        try:
            backend = backends.load(name, configured.get(name, {}), place.terminal)
        except FrostHsmError as error:
            findings.append((False, f"{error}" + ("" if name == used else "  [not used]")))
            continue
        findings.append((True, f'backend "{name}" loads' + ("  [used]" if name == used else "")))
        if name in (used, "pkcs11"):
            findings += backend.describe()
    return findings


def _token(place: Workplace) -> list[Finding]:
    try:
        uri = place.token_uri or place.config.token
        with place.backend(backends.scheme(uri)).open(uri, None) as token:
            info = token.info
            lacking = [capability for capability in backends.Capability if capability not in token.capabilities]
            found = [each.name for each in identity.find(token)]
    except FrostHsmError as error:
        return [(False, _text(error))]
    findings: list[Finding] = [(True, f"{token_name(info)} is here: {info.manufacturer} {info.model}".rstrip())]
    pin = {
        PinState.OK: "its user PIN is set, its tries are not low",
        PinState.LOW: "a wrong PIN was given lately; few tries may be left",
        PinState.FINAL_TRY: "its next wrong PIN locks it",
        PinState.LOCKED: "its PIN is locked",
        PinState.NOT_SET: "its user PIN is not set",
    }[info.pin_state]
    findings.append((info.pin_state is PinState.OK, f"{token_name(info)}: {pin}"))
    if lacking:
        findings.append((True, f"{token_name(info)} cannot: {', '.join(lacking)}; other ways are used instead"))
    findings.append(
        (
            bool(found),
            f"{token_name(info)} holds the identity of {', '.join(found)}" if found else "no identity on it yet",
        )
    )
    if info.is_software:
        findings.append(
            (False, f"{token_name(info)} is software: it can be copied, and an older copy put back unnoticed")
        )
    return findings


def _text(error: FrostHsmError) -> str:
    return f"{error}; {error.hint}" if error.hint else str(error)
