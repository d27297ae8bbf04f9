from __future__ import annotations

import copy
import pickle

import pytest
from stage.p256 import SUITES, identifiers, scalar
from stage.suites import sample

from frost_hsm.errors import (
    InvalidIdentityElement,
    InvalidZeroScalar,
    MalformedElement,
    MalformedScalar,
    UsageProblem,
)
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.values import (
    Identifier,
    Nonce,
    Signature,
    SigningShare,
    VerifiableSecretSharingCommitment,
    VerifyingShare,
)
from frost_hsm.secret import Secret


def test_identifiers_out_of_range(suite: Ciphersuite) -> None:
    order = suite.group.order
    for value in (0, -1, order, 2 * order, order + 1):
        with pytest.raises(UsageProblem):
            Identifier(suite, value)
    for value in (0, -1, 65536):
        with pytest.raises(UsageProblem):
            Identifier.from_u16(suite, value)
    with pytest.raises(InvalidZeroScalar):
        Identifier.deserialize(suite, suite.encode_scalar(0))
    with pytest.raises(MalformedScalar):
        Identifier.deserialize(suite, suite.encode_scalar(order))


def test_identifiers_sort_as_numbers(suite: Ciphersuite) -> None:
    order = suite.group.order
    values = [1, 2, 255, 256, 65535, 2**200, order - 1]
    assert [i.value for i in sorted(identifiers(suite, *reversed(values)))] == values
    assert len(set(identifiers(suite, 5, 5, 6))) == 2
    assert Identifier.from_u16(suite, 42).serialize() == sample(suite, "identifier")
    assert str(Identifier(suite, 42)) == "42"
    assert str(Identifier(suite, 2**200)) == suite.encode_scalar(2**200).hex()


def test_identifiers_of_two_suites_do_not_compare() -> None:
    a, b = (Identifier(SUITES[name], 1) for name in ("libcrypto", "pycryptodome"))
    assert a != b
    with pytest.raises(TypeError):
        sorted([a, b])


def test_zero_is_no_nonce(suite: Ciphersuite) -> None:
    with pytest.raises(InvalidZeroScalar):
        Nonce.deserialize(suite, Secret(suite.encode_scalar(0)))


def test_secret_values_give_nothing_away(suite: Ciphersuite) -> None:
    share = SigningShare(suite, scalar(suite.group, 0xABCDEF))
    assert "abcdef" not in f"{share} {share!r}".lower()
    for attempt in (
        lambda: share == share,
        lambda: hash(share),
        lambda: copy.copy(share),
        lambda: copy.deepcopy(share),
        lambda: pickle.dumps(share),
    ):
        with pytest.raises(TypeError):
            attempt()


def test_signatures_have_one_form(suite: Ciphersuite) -> None:
    commitment = sample(suite, "element1")
    short = suite.hooks.shorten(commitment)
    data = short + suite.encode_scalar(5)
    assert Signature.deserialize(suite, data).commitment == suite.hooks.restore(short)
    assert Signature.deserialize(suite, data).serialize() == data
    for wrong in (b"", data[:-1], data + b"\0"):
        with pytest.raises(MalformedElement):
            Signature.deserialize(suite, wrong)
    with pytest.raises(MalformedScalar):
        Signature.deserialize(suite, short + suite.encode_scalar(suite.group.order))


def test_public_values_compare_by_encoding(suite: Ciphersuite) -> None:
    encoded = sample(suite, "element1")
    share = VerifyingShare.deserialize(suite, encoded)
    assert share == VerifyingShare.from_element(suite, suite.group.decode(encoded))
    assert share != VerifyingShare.deserialize(suite, sample(suite, "element2"))
    assert share.serialize() == encoded


def identity(suite: Ciphersuite) -> bytes:
    return (1 if suite.name in ("ed25519", "ed448") else 0).to_bytes(suite.group.element_length, "little")


def test_the_identity_is_no_value(suite: Ciphersuite) -> None:
    with pytest.raises(InvalidIdentityElement):
        VerifyingShare.from_element(suite, suite.group.identity())
    with pytest.raises(InvalidIdentityElement):
        VerifyingShare.deserialize(suite, identity(suite))


def test_commitments_keep_their_bytes(suite: Ciphersuite) -> None:
    first = sample(suite, "element1")
    data = first + sample(suite, "element2")
    commitment = VerifiableSecretSharingCommitment.deserialize_whole(suite, data)
    assert (len(commitment), commitment.encoded, commitment.constant_term) == (2, data, first)
    again = VerifiableSecretSharingCommitment.deserialize_whole(suite, data, commitment.y_coordinates())
    assert again == commitment
    assert VerifiableSecretSharingCommitment.from_elements(suite, commitment.elements) == commitment
