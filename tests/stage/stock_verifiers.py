"""Verifiers that know nothing of FROST: RFC 8032 by cryptography and by OpenSSL, BIP-340 by libsecp256k1."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from frost_hsm.frost.values import VerifyingKey

Verifier = Callable[[VerifyingKey, bytes, bytes], bool]  # key, message, signature

_KEYS = {"ed25519": Ed25519PublicKey, "ed448": Ed448PublicKey}


def cryptography(key: VerifyingKey, message: bytes, signature: bytes) -> bool:
    try:
        _KEYS[key.ciphersuite.name].from_public_bytes(key.encoded).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def openssl(key: VerifyingKey, message: bytes, signature: bytes) -> bool:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    public_key = _KEYS[key.ciphersuite.name].from_public_bytes(key.encoded)
    pem = public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with tempfile.TemporaryDirectory() as directory:
        for name, data in (("key", pem), ("message", message), ("signature", signature)):
            (Path(directory) / name).write_bytes(data)
        command = [program, "pkeyutl", "-verify", "-pubin", "-inkey", "key", "-rawin", "-in", "message"]
        done = subprocess.run([*command, "-sigfile", "signature"], cwd=directory, capture_output=True, check=False)
    assert (b"Verified Successfully" in done.stdout) == (done.returncode == 0), done.stderr
    return done.returncode == 0


def libsecp256k1(key: VerifyingKey, message: bytes, signature: bytes) -> bool:
    coincurve = pytest.importorskip("coincurve")
    return bool(coincurve.PublicKeyXOnly(key.encoded[1:]).verify(signature, message))


VERIFIERS: dict[str, tuple[Verifier, ...]] = {
    "ed25519": (cryptography, openssl),
    "ed448": (cryptography, openssl),
    "secp256k1-tr": (libsecp256k1,),
}
"""By the name of the suite. Those of the others have no verifiers but FROST's own."""


def check(key: VerifyingKey, message: bytes, signature: bytes) -> None:
    """Let all who know a suite's signatures judge one, and one on another message; for other suites nobody does."""
    for verifier in VERIFIERS.get(key.ciphersuite.name, ()):
        assert verifier(key, message, signature)
        assert not verifier(key, message + b"!", signature)
