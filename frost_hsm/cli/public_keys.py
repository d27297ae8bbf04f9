"""Finding the public side of a key for those who only verify: by name, in a file, or in hex."""

from __future__ import annotations

import re
from pathlib import Path

from frost_hsm.ceremony.names import NAME
from frost_hsm.ceremony.store import PUBLIC_KEY_PACKAGE, ceremony_folder
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import DeserializationError, NotKnown
from frost_hsm.frost import ciphersuites
from frost_hsm.frost.packages import PublicKeyPackage
from frost_hsm.frost.values import VerifyingKey

_HEX = re.compile(r"([0-9a-fA-F]{2}){32,57}")


def find(place: Workplace, key: str, suite: str) -> VerifyingKey:
    """Return the verifying key. A name in the state directory goes before a file, a file before hex."""
    if NAME.fullmatch(key) and place.resolved_home().is_dir():
        data = place.home.read(f"{ceremony_folder(key)}/{PUBLIC_KEY_PACKAGE}")
        if data is not None:
            return read_package(data, key).verifying_key
    if not Path(key).exists() and _HEX.fullmatch(key):
        return VerifyingKey.deserialize(ciphersuites.by_name(suite), bytes.fromhex(key))
    if NAME.fullmatch(key) and not Path(key).exists():
        raise NotKnown(
            f'there is no key "{key}" here',
            hint="see: frost-hsm keys list; or name a public key package file",
        )
    return read_package(place.read(key), key).verifying_key


def read_package(data: bytes, name: str) -> PublicKeyPackage:
    """Read a public key package, JSON or postcard, of whichever suite its header names."""
    for suite in ciphersuites.ALL:
        if data[:5] == suite.header:
            return PublicKeyPackage.deserialize(suite, data)
        if b'"' + suite.id.encode() + b'"' in data[:200]:
            return PublicKeyPackage.from_json(suite, data)
    raise DeserializationError(f"{name} is not a public key package of a known suite")
