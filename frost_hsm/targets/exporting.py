"""The group's key as the tools read it that verify by it, in one table of formats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from frost_hsm.errors import NotPossible
from frost_hsm.frost.values import VerifyingKey


@dataclass(frozen=True, slots=True)
class Format:
    """The suites of which a tool knows keys, the ending of a file, and what writes it of a key and its name."""

    suites: frozenset[str]
    ending: str
    write: Callable[[VerifyingKey, str], bytes]


def _ssh(key: VerifyingKey, name: str) -> bytes:
    from frost_hsm.targets.ssh import wire as ssh_wire

    return ssh_wire.key_line(key, name)


def _allowed_signers(key: VerifyingKey, name: str) -> bytes:
    from frost_hsm.targets.ssh import wire as ssh_wire

    return ssh_wire.allowed_signers(key, name)


def _minisign(key: VerifyingKey, name: str) -> bytes:
    from frost_hsm.targets import minisign

    return minisign.public_key(key, name)


def _jwk(key: VerifyingKey, name: str) -> bytes:
    from frost_hsm.targets import jwk

    return jwk.write(key, name)


_ED25519: Final = frozenset({"ed25519"})

FORMATS: Final = {
    "ssh": Format(_ED25519, "pub", _ssh),
    "allowed-signers": Format(_ED25519, "allowed_signers", _allowed_signers),
    "minisign": Format(_ED25519, "minisign.pub", _minisign),
    "signify": Format(_ED25519, "signify.pub", _minisign),
    "jwk": Format(_ED25519 | {"ed448"}, "jwk", _jwk),
}
"""By name. The certificates of X.509 and OpenPGP are not here: the group signs them."""


def export(form: str, key: VerifyingKey, name: str) -> bytes:
    """Write a key in a format, under a name; raises `NotPossible` if the format has no keys of its suite."""
    found = FORMATS[form]
    if key.ciphersuite.name not in found.suites:
        raise NotPossible(
            f"there is no {form} form of a key of {key.ciphersuite.name}",
            hint=f"it is for keys of {' and '.join(sorted(found.suites))}; --format json or hex",
        )
    return found.write(key, name)
