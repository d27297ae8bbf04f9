"""Signatures of Ed25519 and Ed448 are those of RFC 8032, of secp256k1-tr those of BIP-340, by the word of others."""

from __future__ import annotations

import hashlib

import pytest
from stage import bip340, stock_verifiers
from stage.group_run import Run, Signing
from stage.stock_verifiers import VERIFIERS
from stage.suites import SUITES

from frost_hsm.frost import signing, taproot
from frost_hsm.frost.ciphersuites import SECP256K1_TR
from frost_hsm.frost.packages import KeyPackage, PublicKeyPackage
from frost_hsm.frost.values import Signature, VerifyingKey

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


@pytest.mark.parametrize("message", [b"a message to sign", b"\0" * 200])
@pytest.mark.parametrize("name", VERIFIERS)
def test_signatures_of_a_group(name: str, message: bytes) -> None:
    key_packages, public = Run(SUITES[name], (1, 2, 3), 2).finish()
    session = Signing(list(key_packages.values())[1:], message)
    signature = signing.aggregate(session.package, session.shares(), public)
    stock_verifiers.check(public.verifying_key, message, signature.serialize())


@pytest.mark.parametrize("name", RFC8032)
def test_vectors_of_rfc_8032(name: str) -> None:
    key, message, signature = map(bytes.fromhex, RFC8032[name])
    suite = SUITES[name]
    VerifyingKey.deserialize(suite, key).verify(message, Signature.deserialize(suite, signature))


def taproot_group() -> tuple[list[KeyPackage], PublicKeyPackage]:
    key_packages, public = Run(SECP256K1_TR, (1, 2, 3), 2).finish()
    return list(key_packages.values()), public


@pytest.mark.parametrize("root", [taproot.NO_SCRIPTS, bytes(range(32))])
@pytest.mark.parametrize("attempt", range(4))  # keys and nonces with odd and even y
def test_taproot_outputs(root: bytes, attempt: int) -> None:
    """A tweaked key is the output that libsecp256k1 computes, and signs as BIP-340 has it."""
    coincurve = pytest.importorskip("coincurve")
    signers, public = taproot_group()
    internal = public.verifying_key.encoded[1:]
    prefix = hashlib.sha256(b"TapTweak").digest()
    output = coincurve.PublicKeyXOnly(internal)
    output.tweak_add(hashlib.sha256(prefix + prefix + internal + root).digest())

    tweaked = taproot.tweak_public_key_package(public, root)
    session = Signing(signers[:2], b"message")
    shares = {
        package.identifier: taproot.sign_with_tweak(session.package, session.nonces[package.identifier], package, root)
        for package in session.signers
    }
    signature = taproot.aggregate_with_tweak(session.package, shares, public, root).serialize()

    assert tweaked.verifying_key.encoded == bytes((2 + output.parity,)) + output.format()
    assert output.verify(signature, b"message")
    assert bip340.output_key(internal, root) == output.format()
    assert bip340.verify(output.format(), b"message", signature)
