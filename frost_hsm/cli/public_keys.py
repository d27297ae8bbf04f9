"""Finding the public side of a key for those who only verify: by name, in hex, or in a file."""

from __future__ import annotations

import re

from frost_hsm.ceremony.names import NAME
from frost_hsm.ceremony.store import PUBLIC_KEY_PACKAGE, ceremony_folder
from frost_hsm.cli import files
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import DeserializationError, FileMissing, NotKnown
from frost_hsm.frost import ciphersuites
from frost_hsm.frost.packages import PublicKeyPackage
from frost_hsm.frost.values import VerifyingKey

_HEX = re.compile(r"([0-9a-fA-F]{2}){32,57}")


def find(place: Workplace, key: str, suite: str) -> VerifyingKey:
    """Return the verifying key. A name in the state directory goes before hex, hex before a file."""
    if NAME.fullmatch(key) and place.resolved_home.is_dir():
        data = place.home.read(f"{ceremony_folder(key)}/{PUBLIC_KEY_PACKAGE}")
        if data is not None:
            return read_package(data).verifying_key
    if _HEX.fullmatch(key):
        return _from_hex(key, suite)
    try:
        return files.parse(key, lambda data: _read_key(data, suite))
    except FileMissing:
        if not NAME.fullmatch(key):
            raise
        raise NotKnown(
            f'there is no key "{key}" here',
            hint="see: frost-hsm keys list; or name a public key package file",
        ) from None


def _read_key(data: bytes, suite: str) -> VerifyingKey:
    text = data.strip().decode(errors="replace")
    return _from_hex(text, suite) if _HEX.fullmatch(text) else read_package(data).verifying_key


def _from_hex(digits: str, suite: str) -> VerifyingKey:
    return VerifyingKey.deserialize(ciphersuites.by_name(suite), bytes.fromhex(digits))


def read_package(data: bytes) -> PublicKeyPackage:
    """Read a public key package, JSON or postcard, of whichever suite its header names."""
    for suite in ciphersuites.ALL:
        if data.startswith(suite.header):
            return PublicKeyPackage.deserialize(suite, data)
        if f'"{suite.id}"'.encode() in data[:200]:
            return PublicKeyPackage.from_json(suite, data)
    raise DeserializationError("this is not a public key package of a known suite")
