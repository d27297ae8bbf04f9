from __future__ import annotations

import pytest
from p256 import number, vectors

from frost_hsm.errors import MalformedScalar, NotPossible
from frost_hsm.frost import ciphersuites
from frost_hsm.frost.ciphersuites import P256, Ciphersuite
from frost_hsm.frost.values import Identifier
from frost_hsm.secret import Secret


def test_hid_of_zcashfoundation(suite: Ciphersuite) -> None:
    identifier = Identifier.derive(suite, b"alice@example.com")
    assert identifier.serialize().hex() == "2349cacbc2dd7dc5d11f5aa1ff03b9b97f04521eb5147f0f80d6a132c42e596e"


def test_header_of_zcashfoundation() -> None:
    assert P256.header.hex() == "00a132f0c9"


def test_binding_factors_of_rfc_9591(suite: Ciphersuite) -> None:
    for signer in vectors("vectors.json")["round_one_outputs"]["outputs"]:
        data = bytes.fromhex(signer["binding_factor_input"])
        assert suite.encode_scalar(suite.h1(data)).hex() == signer["binding_factor"]


def test_nonces_of_rfc_9591(suite: Ciphersuite) -> None:
    document = vectors("vectors.json")
    shares = {p["identifier"]: p["participant_share"] for p in document["inputs"]["participant_shares"]}
    for signer in document["round_one_outputs"]["outputs"]:
        for kind in ("hiding", "binding"):
            seed = bytes.fromhex(signer[f"{kind}_nonce_randomness"] + shares[signer["identifier"]])
            assert number(suite.group, suite.h3(Secret(seed))) == int(signer[f"{kind}_nonce"], 16)


@pytest.mark.parametrize("data", [b"", b"abc", bytes(range(256)) * 3])
def test_secret_and_public_hashing_are_the_same_function(suite: Ciphersuite, data: bytes) -> None:
    hashing = suite._hashing
    public = hashing.to_scalar(suite.group, b"nonce", data)
    assert number(suite.group, hashing.to_secret_scalar(suite.group, b"nonce", Secret(data))) == public


def test_hashes_are_separated(suite: Ciphersuite) -> None:
    assert len({h(b"x") for h in (suite.h1, suite.h2, suite.hdkg, suite.hid)}) == 4
    assert suite.h4(b"x") != suite.h5(b"x")


def test_public_scalars(suite: Ciphersuite) -> None:
    order = suite.group.order
    assert suite.decode_scalar(suite.encode_scalar(order - 1)) == order - 1
    for data in (b"", bytes(31), bytes(33), order.to_bytes(32, "big"), b"\xff" * 32):
        with pytest.raises(MalformedScalar):
            suite.decode_scalar(data)


def test_suites_are_found_by_name_and_by_id() -> None:
    assert ciphersuites.by_name("p256") is P256
    assert ciphersuites.by_id("FROST-P256-SHA256-v1") is P256
    for find in (ciphersuites.by_name, ciphersuites.by_id):
        with pytest.raises(NotPossible, match="p512"):
            find("p512")
