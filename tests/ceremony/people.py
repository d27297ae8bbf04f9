"""People for the tests of `frost_hsm.ceremony`: each with an identity on a token in memory."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ceremony.memory_token import MemoryToken
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from frost_hsm.backends import KeyKind
from frost_hsm.ceremony.people import identity
from frost_hsm.ceremony.people.identity import Holder, Identity, PublicIdentity, RecordPlace
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.forms import pem
from frost_hsm.forms.oaep import OaepHash


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    """One RSA key for all that need any: making one takes long."""
    return rsa.generate_private_key(65537, 3072)


@cache
def holder(name: str) -> Holder:
    """Return the person of this name, always the same one, with a P-256 agree key."""
    token = MemoryToken()
    return Holder(identity.create(token, name), token)


@cache
def rsa_holder(oaep_hash: OaepHash) -> Holder:
    """Return a person whose token knows RSA-OAEP with one hash only, and no ECDH."""
    token = MemoryToken([oaep_hash], rsa_key())
    return Holder(identity.create(token, f"rsa-{oaep_hash}", KeyKind.DECRYPT), token)


def alice() -> Holder:
    return holder("alice")


def bob() -> Holder:
    return holder("bob")


def roster() -> Roster:
    return Roster((alice().public, bob().public, holder("carol").public))


def golden_alice(identity_file: bytes) -> Holder:
    """Return the Alice of the golden files, whose private keys are the numbers 1001 and 1002."""
    token = MemoryToken()
    for number, kind, key_id in ((1001, KeyKind.SIGN, b"s" * 16), (1002, KeyKind.AGREE, b"a" * 16)):
        token.put(ec.derive_private_key(number, ec.SECP256R1()), kind, key_id, "golden")
    public = PublicIdentity.from_pem(identity_file)
    return Holder(Identity(public, b"s" * 16, b"a" * 16, token.info, RecordPlace.DIRECTORY), token)


def memory_token(person: Holder) -> MemoryToken:
    assert isinstance(person.token, MemoryToken)
    return person.token


def private_key_pem(person: Holder) -> bytes:
    """Return the private agree key for OpenSSL."""
    return memory_token(person).pem(person.identity.agree_key_id)


def openssl(directory: Path, *arguments: str, **files: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run the openssl program in a directory, after writing ``NAME.pem`` for each of ``files``."""
    for name, contents in files.items():
        (directory / f"{name}.pem").write_bytes(contents)
    return subprocess.run(["openssl", *arguments], cwd=directory, capture_output=True, check=False)


def certificate_pem(der: bytes) -> bytes:
    return pem.encode(identity.PEM_LABEL, der)


def flips(data: bytes) -> Iterator[bytes]:
    """Yield ``data`` with each byte changed in turn: in its lowest bit, its highest bit and all of it."""
    for position in range(len(data)):
        for mask in (0x01, 0x80, 0xFF):
            changed = bytearray(data)
            changed[position] ^= mask
            yield bytes(changed)


def truncations(data: bytes) -> Iterator[bytes]:
    """Yield every proper beginning of ``data``."""
    return (data[:length] for length in range(len(data)))
