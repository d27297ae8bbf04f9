"""The implementations of P-256 that every protocol test runs on, ZcashFoundation's vectors, and short cuts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from frost_hsm.frost.ciphersuites import P256, Ciphersuite
from frost_hsm.frost.values import Identifier
from frost_hsm.groups import Group, SecretScalar, libcrypto
from frost_hsm.groups.libcrypto.curves import P256Libcrypto
from frost_hsm.groups.pycryptodome.weierstrass import P256Pycryptodome
from frost_hsm.secret import Secret

GROUPS: dict[str, Group] = {
    "libcrypto": P256Libcrypto(next(libcrypto.find())),
    "libcrypto-without-points-mul": P256Libcrypto(next(libcrypto.find()), points_mul=False),
    "pycryptodome": P256Pycryptodome(),
}

SUITES: dict[str, Ciphersuite] = {name: P256.with_group(group) for name, group in GROUPS.items()}

G = bytes.fromhex("036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296")

_VECTORS = Path(__file__).parents[1] / "vectors" / "zf" / "frost-p256"


def vectors(name: str) -> Any:
    return json.loads((_VECTORS / name).read_text())


def public_bytes(data: Secret | bytes) -> bytes:
    """Give a test what no program gets: the bytes of a secret."""
    if isinstance(data, bytes):
        return data
    with data.reveal() as view:
        return bytes(view)


def number(group: Group, scalar: SecretScalar) -> int:
    return int.from_bytes(public_bytes(group.encode_scalar(scalar)), group.byteorder)


def scalar(group: Group, value: int) -> SecretScalar:
    return group.decode_scalar(Secret(value.to_bytes(group.scalar_length, group.byteorder)))


def identifiers(suite: Ciphersuite, *numbers: int) -> list[Identifier]:
    return [Identifier(suite, number) for number in numbers]


class ScriptedEntropy:
    """Entropy that gives the bytes it was told to, in order."""

    def __init__(self, *draws: bytes) -> None:
        self.left = list(draws)

    def __call__(self, buffer: memoryview) -> None:
        buffer[:] = self.left.pop(0)
