from __future__ import annotations

import pytest
from stage import p256
from stage.p256 import number
from stage.suites import vectors

from frost_hsm.errors import MalformedScalar, NotPossible
from frost_hsm.frost import ciphersuites
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.values import Identifier
from frost_hsm.secret import Secret

IDENTIFIERS = {  # of alice@example.com
    "p256": "2349cacbc2dd7dc5d11f5aa1ff03b9b97f04521eb5147f0f80d6a132c42e596e",
    "ed25519": "697dd8ec4846026115571eb037aefc99579c63a39baf715f051069ca393d0d06",
    "ristretto255": "da57abef2150fdc6f5dadb29891f410356c811fd79f987243d037f4c2149990e",
    "ed448": "c3d472f37818fe4a273745d83758066066de3c9ed2a2b65ef3d7b5495e0bb3966c965691988afcdcc87a20b711d5890022674c602"
    "bf4743b00",
    "secp256k1": "961cce175dd5f9864d7f255d5aa9e8cf4e513f8a57df7bcb0dd44793c18980c7",
    "secp256k1-tr": "9cfff9f4fb5eb8afd389ff1c9f0f9e2c48e20d85bea2e96fe21773aff1a58301",
}
HEADERS = {
    "p256": "00a132f0c9",
    "ed25519": "00b169f0da",
    "ristretto255": "00d76ecff5",
    "ed448": "005a064cfd",
    "secp256k1": "00eed6b1b1",
    "secp256k1-tr": "00230f8ab3",
}
SIGNATURES = {"p256": 65, "ed25519": 64, "ristretto255": 64, "ed448": 114, "secp256k1": 65, "secp256k1-tr": 64}


def test_hid_of_zcashfoundation(suite: Ciphersuite) -> None:
    assert Identifier.derive(suite, b"alice@example.com").serialize().hex() == IDENTIFIERS[suite.name]


def test_header_and_lengths_of_zcashfoundation(suite: Ciphersuite) -> None:
    assert suite.header.hex() == HEADERS[suite.name]
    assert suite.signature_length == SIGNATURES[suite.name]
    inputs = vectors(suite, "vectors.json")["inputs"]
    assert suite.group.element_length == len(inputs["verifying_key_key"]) // 2
    assert suite.group.scalar_length == len(inputs["group_secret_key"]) // 2


def test_binding_factors_of_rfc_9591(suite: Ciphersuite) -> None:
    for signer in vectors(suite, "vectors.json")["round_one_outputs"]["outputs"]:
        data = bytes.fromhex(signer["binding_factor_input"])
        assert suite.encode_scalar(suite.h1(data)).hex() == signer["binding_factor"]


def test_nonces_of_rfc_9591(suite: Ciphersuite) -> None:
    document = vectors(suite, "vectors.json")
    shares = {p["identifier"]: p["participant_share"] for p in document["inputs"]["participant_shares"]}
    for signer in document["round_one_outputs"]["outputs"]:
        for kind in ("hiding", "binding"):
            seed = bytes.fromhex(signer[f"{kind}_nonce_randomness"] + shares[signer["identifier"]])
            expected = suite.decode_scalar(bytes.fromhex(signer[f"{kind}_nonce"]))
            assert number(suite.group, suite.group.hash_secret(suite.h3, Secret(seed))) == expected
            share, randomness = suite.group.decode_scalar(Secret(seed[32:])), p256.ScriptedEntropy(seed[:32])
            (nonce,) = suite.group.draw_nonces(suite.h3, share, 1, randomness)
            assert number(suite.group, nonce) == expected


@pytest.mark.parametrize("data", [b"", b"abc", bytes(range(256)) * 3])
def test_secret_and_public_hashing_are_the_same_function(suite: Ciphersuite, data: bytes) -> None:
    hashing = suite._hashing
    public = hashing.to_scalar(suite.group, b"nonce", data)
    assert number(suite.group, suite.group.hash_secret(hashing.secret(b"nonce"), Secret(data))) == public


def test_hashes_are_separated(suite: Ciphersuite) -> None:
    assert len({h(b"x") for h in (suite.h1, suite.h2, suite.hdkg, suite.hid)}) == 4
    assert suite.h4(b"x") != suite.h5(b"x")


def test_public_scalars(suite: Ciphersuite) -> None:
    order = suite.group.order
    assert suite.decode_scalar(suite.encode_scalar(order - 1)) == order - 1
    length = suite.group.scalar_length
    for data in (b"", bytes(length - 1), bytes(length + 1), suite.encode_scalar(order), b"\xff" * length):
        with pytest.raises(MalformedScalar):
            suite.decode_scalar(data)


def test_suites_are_found_by_name_and_by_id() -> None:
    assert [suite.name for suite in ciphersuites.ALL] == list(HEADERS)
    for suite in ciphersuites.ALL:
        assert ciphersuites.by_name(suite.name) is ciphersuites.by_id(suite.id) is suite
    for find in (ciphersuites.by_name, ciphersuites.by_id):
        with pytest.raises(NotPossible, match="p512"):
            find("p512")
