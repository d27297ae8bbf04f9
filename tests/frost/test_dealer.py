"""The trusted dealer: RFC 9591's vectors, shares that add up, and dealers that cheat."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage.dealing import Group, every_suite, few, shapes, sign
from stage.p256 import public_bytes
from stage.suites import vectors

from frost_hsm.errors import (
    DeserializationError,
    DuplicatedIdentifier,
    IncorrectNumberOfIdentifiers,
    IncorrectNumberOfSigners,
    IncorrectPackage,
    InvalidMaxSigners,
    InvalidMinSigners,
    InvalidSecretShare,
    InvalidSignature,
    InvalidZeroScalar,
    MalformedScalar,
)
from frost_hsm.frost import polynomial
from frost_hsm.frost.ciphersuites import P256, Ciphersuite
from frost_hsm.frost.keys import dealer
from frost_hsm.frost.packages import (
    Identifier,
    KeyPackage,
    PublicKeyPackage,
    SecretShare,
    Signature,
    SigningKey,
    SigningShare,
    VerifiableSecretSharingCommitment,
)
from frost_hsm.secret import Secret


def signing_key(suite: Ciphersuite, value: int) -> SigningKey:
    return SigningKey.deserialize(suite, Secret(suite.encode_scalar(value)))


def hexadecimal(secret: Secret) -> str:
    return public_bytes(secret).hex()


@every_suite
def test_shares_of_rfc_9591(suite: Ciphersuite, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = vectors(suite, "vectors.json")["inputs"]
    coefficients = [
        SigningShare.deserialize(suite, Secret(bytes.fromhex(text))).scalar
        for text in inputs["share_polynomial_coefficients"]
    ]
    key = SigningKey.deserialize(suite, Secret(bytes.fromhex(inputs["group_secret_key"])))
    monkeypatch.setattr(suite.group, "random_scalar", lambda *_: coefficients.pop(0))
    shares, public = dealer.split(key, max_signers=3, min_signers=2)
    assert not coefficients
    assert {str(own): hexadecimal(share.signing_share.serialize()) for own, share in shares.items()} == {
        str(share["identifier"]): share["participant_share"] for share in inputs["participant_shares"]
    }
    assert public.verifying_key.serialize().hex() == inputs["verifying_key_key"]
    assert public.min_signers == 2
    packages = [KeyPackage.from_secret_share(share) for share in shares.values()]
    assert {package.identifier: package.verifying_share for package in packages} == public.verifying_shares
    for pair in combinations(packages, 2):
        assert hexadecimal(dealer.reconstruct(pair).serialize()) == inputs["group_secret_key"]


@every_suite
@few
@given(shape=shapes())
def test_the_commitment_alone_gives_the_public_key_package(suite: Ciphersuite, shape: tuple[list[int], int]) -> None:
    numbers, min_signers = shape
    identifiers = [Identifier(suite, number) for number in numbers]
    shares, public = dealer.generate_with_dealer(
        suite, max_signers=len(identifiers), min_signers=min_signers, identifiers=identifiers
    )
    commitment = shares[identifiers[0]].commitment
    assert dealer.public_key_package(commitment, identifiers) == public
    with pytest.raises(DuplicatedIdentifier):
        dealer.public_key_package(commitment, [*identifiers, identifiers[0]])
    with pytest.raises((InvalidMinSigners, InvalidMaxSigners)):
        dealer.public_key_package(commitment, identifiers[: min_signers - 1])


@every_suite
@few
@given(shape=shapes(), value=st.integers(1, 2**200), data=st.data())
def test_any_min_signers_reconstruct_and_no_fewer(
    suite: Ciphersuite, shape: tuple[list[int], int], value: int, data: st.DataObject
) -> None:
    """Whatever the identifiers are: positions are not used in their place (known attack K33)."""
    numbers, min_signers = shape
    ids = [Identifier(suite, number) for number in numbers]
    key = signing_key(suite, value)
    shares, public = dealer.split(key, max_signers=len(ids), min_signers=min_signers, identifiers=ids)
    assert list(shares) == list(public.verifying_shares) == sorted(ids)
    packages = [KeyPackage.from_secret_share(share) for share in shares.values()]
    chosen = data.draw(st.permutations(packages))
    for count in range(min_signers, len(ids) + 1):
        assert dealer.reconstruct(chosen[:count]).serialize().equals(key.serialize())
    with pytest.raises(IncorrectNumberOfSigners):
        dealer.reconstruct(chosen[: min_signers - 1])
    fewer = {package.identifier.value: package.signing_share.scalar for package in chosen[: min_signers - 1]}
    wrong = SigningShare(suite, polynomial.interpolate_secret(suite.group, fewer))
    assert not wrong.serialize().equals(key.serialize())


@every_suite
def test_shares_of_a_dealer_sign(suite: Ciphersuite) -> None:
    group = Group.deal(suite, (2, 4, 5, 9), 3)
    sign(group.some(3), group.public)
    sign(group.some(4), group.public)


@every_suite
def test_packages_of_a_dealer_survive_both_encodings(suite: Ciphersuite) -> None:
    shares, public = dealer.generate_with_dealer(suite, max_signers=3, min_signers=2)
    for share in shares.values():
        again = SecretShare.deserialize(suite, share.serialize())
        assert again.to_json().equals(share.to_json())
        package = KeyPackage.from_secret_share(SecretShare.from_json(suite, again.to_json()))
        assert package.verifying_share == public.verifying_shares[package.identifier]
        data = public_bytes(share.serialize())
        for cut in range(len(data)):
            with pytest.raises(DeserializationError):
                SecretShare.deserialize(suite, Secret(data[:cut]))
        with pytest.raises(DeserializationError):
            SecretShare.deserialize(suite, Secret(data + b"\0"))


@every_suite
def test_parameters_that_cannot_work(suite: Ciphersuite) -> None:
    key, ids = SigningKey.generate(suite), [Identifier(suite, number) for number in (1, 2, 3)]
    for max_signers, min_signers, identifiers, error in (
        (3, 1, None, InvalidMinSigners),
        (3, 0, None, InvalidMinSigners),
        (3, 4, None, InvalidMinSigners),
        (1, 2, None, InvalidMaxSigners),
        (65536, 2, None, InvalidMaxSigners),
        (2, 2, ids, IncorrectNumberOfIdentifiers),
        (4, 2, ids, IncorrectNumberOfIdentifiers),
        (3, 2, [ids[0], ids[1], ids[0]], DuplicatedIdentifier),
    ):
        with pytest.raises(error):
            dealer.split(key, max_signers=max_signers, min_signers=min_signers, identifiers=identifiers)


@every_suite
def test_a_signing_key_is_a_scalar_and_not_zero(suite: Ciphersuite) -> None:
    length = suite.group.scalar_length
    with pytest.raises(InvalidZeroScalar):
        SigningKey.deserialize(suite, Secret(bytes(length)))
    with pytest.raises(MalformedScalar):
        SigningKey.deserialize(suite, Secret(suite.group.order.to_bytes(length, suite.group.byteorder)))
    with pytest.raises(MalformedScalar):
        SigningKey.deserialize(suite, Secret(bytes(length - 1)))
    key = signing_key(suite, 7)
    assert repr(key) == "<SigningKey>"
    key.wipe()
    assert suite.group.is_zero(key.scalar)


@every_suite
def test_a_signing_key_signs_alone(suite: Ciphersuite) -> None:
    for value in range(1, 9):  # with either sign of y, where that matters
        key = signing_key(suite, value)
        signature = key.sign(b"message")
        again = Signature.deserialize(suite, signature.serialize())
        key.verifying_key().verify(b"message", again)
        assert key.sign(b"message") != signature
        with pytest.raises(InvalidSignature):
            key.verifying_key().verify(b"another", signature)
        with pytest.raises(InvalidSignature):
            signing_key(suite, value + 1).verifying_key().verify(b"message", signature)


@every_suite
def test_a_share_that_does_not_match_the_commitment(suite: Ciphersuite) -> None:
    shares, _ = dealer.generate_with_dealer(suite, max_signers=3, min_signers=3)
    first, second, _ = shares.values()
    foreign, _ = dealer.generate_with_dealer(suite, max_signers=3, min_signers=3)
    for forged in (
        replace(first, signing_share=second.signing_share),
        replace(first, identifier=second.identifier),
        replace(first, commitment=foreign[first.identifier].commitment),
    ):
        with pytest.raises(InvalidSecretShare) as caught:
            KeyPackage.from_secret_share(forged)
        assert caught.value.culprits == ()
    constant = VerifiableSecretSharingCommitment.from_elements(suite, first.commitment.elements[:1])
    with pytest.raises(IncorrectPackage):
        KeyPackage.from_secret_share(replace(first, commitment=constant))


@every_suite
def test_a_key_package_does_not_share_memory_with_what_the_dealer_sent(suite: Ciphersuite) -> None:
    shares, public = dealer.generate_with_dealer(suite, max_signers=2, min_signers=2)
    packages = [KeyPackage.from_secret_share(share) for share in shares.values()]
    for share in shares.values():
        share.wipe()
    sign(packages, public)


@every_suite
def test_key_packages_that_do_not_belong_together(suite: Ciphersuite) -> None:
    group, other = Group.deal(suite, (1, 2, 3), 2), Group.deal(suite, (1, 2, 3), 2)
    first, second, _ = group.key_packages.values()
    stranger = other.key_packages[second.identifier]
    with pytest.raises(IncorrectPackage):
        dealer.reconstruct([first, stranger])
    with pytest.raises(IncorrectPackage):
        dealer.reconstruct([first, replace(stranger, verifying_key=first.verifying_key)])
    with pytest.raises(IncorrectPackage):
        dealer.reconstruct([first, replace(second, min_signers=3)])
    with pytest.raises(DuplicatedIdentifier):
        dealer.reconstruct([first, first])
    with pytest.raises(IncorrectNumberOfSigners):
        dealer.reconstruct([])


def test_suites_do_not_mix() -> None:
    same_suite_elsewhere = P256.with_group(P256.group)
    with pytest.raises(IncorrectPackage):
        dealer.split(
            SigningKey.generate(P256),
            max_signers=2,
            min_signers=2,
            identifiers=[Identifier(same_suite_elsewhere, number) for number in (1, 2)],
        )
    group, other = Group.deal(P256, (1, 2), 2), Group.deal(same_suite_elsewhere, (1, 2), 2)
    with pytest.raises(IncorrectPackage):
        dealer.reconstruct([*group.some(1), *other.some(1)])


def test_a_dealers_public_key_package_is_zcashfoundations(suite: Ciphersuite) -> None:
    _, public = dealer.generate_with_dealer(suite, max_signers=3, min_signers=2)
    assert PublicKeyPackage.deserialize(suite, public.serialize()) == public
    assert PublicKeyPackage.from_json(suite, public.to_json()) == public
