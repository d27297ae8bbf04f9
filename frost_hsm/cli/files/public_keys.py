"""The public side of a key for those who only verify: found by name, in hex or in a file, and written for others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from frost_hsm.ceremony.people.names import NAME
from frost_hsm.cli.files import door
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import DeserializationError, FileMissing, NotKnown, NotPossible
from frost_hsm.frost import ciphersuites
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.values import VerifyingKey

if TYPE_CHECKING:
    from frost_hsm.frost.packages import PublicKeyPackage

_MAX_POSTCARD = 1 << 17  # bytes: 1024 participants of the largest suite have fewer
_LONGEST_HEX = 256  # bytes of a file, white space among them
_HEX = re.compile(r"([0-9a-fA-F]{2}){32,57}")


def find(place: Workplace, key: str, suite: str | None) -> VerifyingKey:
    """Return the verifying key. A name in the state directory goes before hex, hex before a file.

    In hex, a Taproot key may be x alone, as BIP-340 has it. suite: of a key in hex, p256 if None; what says itself of
    which suite it is has to be of this one, else `NotPossible` is raised.
    """
    wanted = ciphersuites.by_name(suite) if suite is not None else None
    found = _find(place, key, wanted)
    if wanted is not None and found.ciphersuite.id != wanted.id:
        raise NotPossible(f"{key} is a key of {found.ciphersuite.name}, not of {wanted.name}", hint="leave out --suite")
    return found


def _find(place: Workplace, key: str, suite: Ciphersuite | None) -> VerifyingKey:
    if NAME.fullmatch(key) and place.resolved_home.is_dir():
        from frost_hsm.ceremony.history import kept  # here, because a key that is given needs none of it

        if kept.folders(place.home, key):
            return kept.verifying_key(place.home, key)
    if _HEX.fullmatch(key):
        return _from_hex(key, suite)
    try:
        return door.parse(key, lambda data: _read_key(data, suite))
    except FileMissing:
        if not NAME.fullmatch(key):
            raise
        also = "; or name a public key package file"
        if place.resolved_home.is_dir():
            from frost_hsm.ceremony.history import kept

            raise kept.unknown(place.home, key, also) from None
        raise NotKnown(f'there is no key "{key}" here', hint=f"see: frost-hsm keys list{also}") from None


def _read_key(data: bytes, suite: Ciphersuite | None) -> VerifyingKey:
    text = data.decode(errors="replace").strip() if len(data) <= _LONGEST_HEX else ""
    return _from_hex(text, suite) if _HEX.fullmatch(text) else read_package(data).verifying_key


def _from_hex(digits: str, suite: Ciphersuite | None) -> VerifyingKey:
    found, data = suite or ciphersuites.by_name("p256"), bytes.fromhex(digits)
    if len(data) < found.group.element_length:
        data = found.hooks.restore(data)
    try:
        return VerifyingKey.deserialize(found, data)
    except DeserializationError as error:
        raise type(error)(f"no key of {found.name}: {error}", hint="say which suite it is of: --suite NAME") from None


def read_package(data: bytes) -> PublicKeyPackage:
    """Read a public key package, JSON or postcard, of whichever suite its header names."""
    from frost_hsm.cli.files import packages  # here, because a key in hex needs none of it
    from frost_hsm.frost.packages import PublicKeyPackage

    for suite in ciphersuites.ALL:
        if data.startswith(suite.header) and len(data) <= _MAX_POSTCARD:
            return PublicKeyPackage.deserialize(suite, data)
        if f'"{suite.id}"'.encode() in data[:200]:
            return packages.read(PublicKeyPackage, suite, data)
    raise DeserializationError("this is not a public key package of a known suite")


def to_pem(key: VerifyingKey) -> bytes:
    """Write a key as others know keys whose signatures are those of FROST: SubjectPublicKeyInfo (RFC 8410) in PEM.

    Raises `NotPossible` for all suites but ed25519 and ed448. P-256 and secp256k1 have such a form too, but there it
    stands for ECDSA, which the group's signatures are not.
    """
    from cryptography.hazmat.primitives.asymmetric import ed448, ed25519  # here, because verifying needs none of it
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    kinds: dict[str, type[ed25519.Ed25519PublicKey | ed448.Ed448PublicKey]] = {
        "ed25519": ed25519.Ed25519PublicKey,
        "ed448": ed448.Ed448PublicKey,
    }
    suite = key.ciphersuite
    if suite.name not in kinds:
        raise NotPossible(
            f"in PEM a key of {suite.id} would stand for another kind of signature, or for none",
            hint="--format json or hex; a BIP-340 key is the hex without its first two digits"
            if suite.name == "secp256k1-tr"
            else "--format json or hex",
        )
    public_key = kinds[suite.name].from_public_bytes(key.serialize())
    return public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
