"""Re-randomised signing, and preprocessing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from stage.dealing import Group, every_suite, few, shapes
from stage.p256 import public_bytes

from frost_hsm.errors import (
    DeserializationError,
    IncorrectPackage,
    InvalidSignature,
    InvalidSignatureShare,
    SecretConsumed,
    UnknownIdentifier,
    UsageProblem,
)
from frost_hsm.frost import rerandomized, signing
from frost_hsm.frost.ciphersuites import P256, Ciphersuite
from frost_hsm.frost.packages import (
    Identifier,
    NonceCommitment,
    SignatureShare,
    SigningCommitments,
    SigningPackage,
    VerifyingKey,
    encode_group_commitments,
)
from frost_hsm.frost.rerandomized import RandomizedParams, Randomizer
from frost_hsm.secret import Secret

MESSAGE = b"message"
VECTORS = Path(__file__).parents[1] / "vectors" / "frost-rerandomized.json"


@dataclass
class Session:
    """One re-randomised signature until its shares are made."""

    group: Group
    count: int

    def __post_init__(self) -> None:
        self.signers = self.group.some(self.count)
        committed = {package.identifier: signing.commit(package) for package in self.signers}
        self.nonces = {own: nonces for own, (nonces, _) in committed.items()}
        self.package = SigningPackage(
            self.signers[0].ciphersuite, {own: pair[1] for own, pair in committed.items()}, MESSAGE
        )
        self.params, self.seed = RandomizedParams.new_from_commitments(
            self.group.public.verifying_key, self.package.signing_commitments
        )

    def shares(self) -> dict[Identifier, SignatureShare]:
        return {
            signer.identifier: rerandomized.sign_with_randomizer_seed(
                self.package, self.nonces[signer.identifier], signer, self.seed
            )
            for signer in self.signers
        }


@every_suite
def test_randomizers_of_zcashfoundation(suite: Ciphersuite) -> None:
    known = json.loads(VECTORS.read_text())["suites"][suite.name]
    commitments = {
        Identifier.deserialize(suite, bytes.fromhex(identifier)): SigningCommitments(
            suite, *(NonceCommitment.deserialize(suite, bytes.fromhex(pair[kind])) for kind in ("hiding", "binding"))
        )
        for identifier, pair in known["signing_commitments"].items()
    }
    key = VerifyingKey.deserialize(suite, bytes.fromhex(known["verifying_key"]))
    params = RandomizedParams.regenerate_from_seed_and_commitments(
        key, Secret(bytes.fromhex(known["seed"])), commitments
    )
    assert public_bytes(params.randomizer.serialize()).hex() == known["randomizer"]
    assert params.randomized_verifying_key.serialize().hex() == known["randomized_verifying_key"]


@every_suite
@few
@given(shape=shapes(4))
def test_signatures_verify_under_the_randomized_key_alone(suite: Ciphersuite, shape: tuple[list[int], int]) -> None:
    session = Session(Group.deal(suite, *shape), shape[1])
    signature = rerandomized.aggregate(session.package, session.shares(), session.group.public, session.params)
    session.params.randomized_verifying_key.verify(MESSAGE, signature)
    with pytest.raises(InvalidSignature):
        session.group.public.verifying_key.verify(MESSAGE, signature)


@every_suite
def test_the_key_is_the_groups_plus_the_randomizer(suite: Ciphersuite) -> None:
    session, group = Session(Group.deal(suite, (1, 2), 2), 2), suite.group
    key = group.copy(session.group.public.verifying_key.element)
    group.accumulate(key, group.multiply_base(session.params.randomizer.scalar))
    assert session.params.randomized_verifying_key.encoded == group.encode(key)
    other = RandomizedParams.from_randomizer(session.group.public.verifying_key, session.params.randomizer)
    assert other.randomized_verifying_key == session.params.randomized_verifying_key


@every_suite
def test_the_randomizer_hashes_seed_and_commitments(suite: Ciphersuite) -> None:
    session = Session(Group.deal(suite, (1, 2, 3), 2), 2)
    commitments = session.package.signing_commitments
    data = public_bytes(session.seed) + encode_group_commitments(commitments)
    expected = suite._hashing.to_scalar(suite.group, b"randomizer", data)
    randomizer = Randomizer.from_seed(session.seed, dict(reversed(commitments.items())))
    assert public_bytes(randomizer.serialize()) == suite.encode_scalar(expected)
    assert randomizer.serialize().equals(session.params.randomizer.serialize())
    other = Session(session.group, 2)
    assert (
        not Randomizer.from_seed(session.seed, other.package.signing_commitments)
        .serialize()
        .equals(randomizer.serialize())
    )


@every_suite
def test_a_bad_share_names_its_signer(suite: Ciphersuite) -> None:
    session = Session(Group.deal(suite, (1, 2, 5), 3), 3)
    shares = session.shares()
    first, second, _ = shares
    shares[second] = shares[first]
    with pytest.raises(InvalidSignatureShare) as caught:
        rerandomized.aggregate(session.package, shares, session.group.public, session.params)
    assert caught.value.culprits == (second,)
    with pytest.raises(InvalidSignature):
        rerandomized.aggregate(
            session.package,
            shares,
            session.group.public,
            session.params,
            cheater_detection=signing.CheaterDetection.DISABLED,
        )


@every_suite
def test_another_seed_gives_no_signature(suite: Ciphersuite) -> None:
    session = Session(Group.deal(suite, (1, 2), 2), 2)
    session.seed = Secret(bytes(suite.group.scalar_length))
    with pytest.raises(InvalidSignatureShare):
        rerandomized.aggregate(session.package, session.shares(), session.group.public, session.params)


@every_suite
def test_signing_consumes_the_nonces_and_keeps_the_key_package(suite: Ciphersuite) -> None:
    session = Session(Group.deal(suite, (1, 2), 2), 2)
    before = [signer.serialize() for signer in session.signers]
    session.shares()
    with pytest.raises(SecretConsumed):
        session.shares()
    assert all(a.equals(b.serialize()) for a, b in zip(before, session.signers, strict=True))


def test_seeds_and_commitments_that_cannot_be() -> None:
    session = Session(Group.deal(P256, (1, 2), 2), 2)
    key, commitments = session.group.public.verifying_key, session.package.signing_commitments
    for seed in (Secret(bytes(31)), Secret(bytes(33)), Secret(b"")):
        with pytest.raises(DeserializationError):
            RandomizedParams.regenerate_from_seed_and_commitments(key, seed, commitments)
    with pytest.raises(UnknownIdentifier):
        RandomizedParams.regenerate_from_seed_and_commitments(key, session.seed, {})
    with pytest.raises(IncorrectPackage):
        other = Session(Group.deal(P256.with_group(P256.group), (1, 2), 2), 2)
        RandomizedParams.regenerate_from_seed_and_commitments(key, session.seed, other.package.signing_commitments)


def test_parameters_show_nothing() -> None:
    session = Session(Group.deal(P256, (1, 2), 2), 2)
    assert repr(session.params) == "<RandomizedParams>"
    with pytest.raises(TypeError):
        assert session.params == session.params
    session.params.wipe()
    assert P256.group.is_zero(session.params.randomizer.scalar)


@every_suite
def test_preprocessed_nonces_sign_in_one_round(suite: Ciphersuite) -> None:
    group = Group.deal(suite, (1, 2, 3), 2)
    prepared = {signer.identifier: signing.preprocess(3, signer) for signer in group.some(2)}
    published = [commitments for pairs in prepared.values() for _, commitments in pairs]
    assert len({commitments.serialize() for commitments in published}) == 6
    for k in (2, 0, 1):
        package = SigningPackage(suite, {own: pairs[k][1] for own, pairs in prepared.items()}, b"%d" % k)
        shares = {
            signer.identifier: signing.sign(package, prepared[signer.identifier][k][0], signer)
            for signer in group.some(2)
        }
        group.public.verifying_key.verify(b"%d" % k, signing.aggregate(package, shares, group.public))
    with pytest.raises(UsageProblem):
        signing.preprocess(0, group.some(1)[0])
