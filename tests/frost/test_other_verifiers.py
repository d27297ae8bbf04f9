"""Signatures of Ed25519 and Ed448 are those of RFC 8032, by the word of `cryptography` and of ``openssl``."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from group_run import Run, Signing
from suites import SUITES

from frost_hsm.frost import signing
from frost_hsm.frost.values import Signature, VerifyingKey

MESSAGE = b"a message to sign"
KEYS = {"ed25519": Ed25519PublicKey, "ed448": Ed448PublicKey}

# RFC 8032, sections 7.1 (test 3) and 7.4 ("1 octet"): key, message, signature
RFC8032 = {
    "ed25519": (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    "ed448": (
        "43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c0866aea01eb00742802b8438ea4cb82169c235160627b4c3a94"
        "80",
        "03",
        "26b8f91727bd62897af15e41eb43c377efb9c610d48f2335cb0bd0087810f4352541b143c4b981b7e18f62de8ccdf633fc1bf037ab7cd779"
        "805e0dbcc0aae1cbcee1afb2e027df36bc04dcecbf154336c19f0af7e0a6472905e799f1953d2a0ff3348ab21aa4adafd1d234441cf807c0"
        "3a00",
    ),
}


@pytest.fixture(params=KEYS)
def signed(request: pytest.FixtureRequest) -> tuple[VerifyingKey, bytes]:
    key_packages, public = Run(SUITES[request.param], (1, 2, 3), 2).finish()
    session = Signing(list(key_packages.values())[1:], MESSAGE)
    return public.verifying_key, signing.aggregate(session.package, session.shares(), public).serialize()


def test_by_cryptography(signed: tuple[VerifyingKey, bytes]) -> None:
    key, signature = signed
    public_key = KEYS[key.ciphersuite.name].from_public_bytes(key.encoded)
    public_key.verify(signature, MESSAGE)
    with pytest.raises(InvalidSignature):
        public_key.verify(signature, MESSAGE + b"!")


def test_by_openssl(signed: tuple[VerifyingKey, bytes], tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    key, signature = signed
    public_key = KEYS[key.ciphersuite.name].from_public_bytes(key.encoded)
    (tmp_path / "key.pem").write_bytes(public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (tmp_path / "signature").write_bytes(signature)
    for message, accepted in ((MESSAGE, True), (MESSAGE + b"!", False)):
        (tmp_path / "message").write_bytes(message)
        command = [openssl, "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin"]
        files = ["-in", "message", "-sigfile", "signature"]
        done = subprocess.run([*command, *files], cwd=tmp_path, capture_output=True, check=False)
        assert (done.returncode == 0) == accepted, done.stderr


@pytest.mark.parametrize("name", RFC8032)
def test_vectors_of_rfc_8032(name: str) -> None:
    key, message, signature = map(bytes.fromhex, RFC8032[name])
    suite = SUITES[name]
    VerifyingKey.deserialize(suite, key).verify(message, Signature.deserialize(suite, signature))
