"""The native library, where it was built, and its groups: whether or not it is switched off for everybody else."""

from __future__ import annotations

from pathlib import Path

from frost_hsm.groups import Group, libcrypto
from frost_hsm.groups.native.curves import Ed448, Ed25519, Ristretto255, Secp256k1
from frost_hsm.groups.native.library import FILE, Library
from frost_hsm.groups.native.p256 import P256

LIBRARY = Library() if Path(FILE).exists() else None
"""`test_native` says what is missing where it is None."""

GROUPS: dict[str, Group] = {}
if LIBRARY:
    GROUPS = {f"{make.name}-native": make(LIBRARY) for make in (Ed25519, Ristretto255, Secp256k1, Ed448)}
    GROUPS["P-256-native"] = P256(next(libcrypto.find()), LIBRARY)
