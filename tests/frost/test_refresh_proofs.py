"""What ceremonies add to ZcashFoundation's refresh: proofs of every coefficient, and a look at every share."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage.dealing import Group, every_suite, few
from stage.group_run import others
from stage.p256 import scalar
from stage.suites import draws

from frost_hsm.errors import IncorrectPackage, InvalidProofOfKnowledge, SecretConsumed, UnchangedShare
from frost_hsm.frost.ciphersuites import P256, Ciphersuite
from frost_hsm.frost.keys import dkg, proof_of_knowledge, refresh, round1, round2
from frost_hsm.frost.values import (
    Identifier,
    SigningShare,
    VerifiableSecretSharingCommitment,
)
from frost_hsm.secret import system_entropy

CONTEXT = b"ceremony 1"


def part1(suite: Ciphersuite, min_signers: int, number: int = 1) -> tuple[round1.SecretPackage, round1.Package]:
    return refresh.refresh_dkg_part1(
        suite, Identifier(suite, number), max_signers=max(3, min_signers), min_signers=min_signers
    )


@every_suite
@pytest.mark.parametrize("min_signers", [2, 3, 16])
def test_a_proof_verifies_and_has_the_length_of_an_element_and_a_scalar(suite: Ciphersuite, min_signers: int) -> None:
    secret, package = part1(suite, min_signers)
    proof = refresh.prove_coefficients(secret, CONTEXT)
    assert len(proof) == suite.group.element_length + suite.group.scalar_length
    refresh.verify_coefficients(secret.identifier, package.commitment, proof, CONTEXT)
    assert proof != refresh.prove_coefficients(secret, CONTEXT)
    assert len(secret.coefficients) == min_signers  # it is left for part 2


@every_suite
def test_a_proof_serves_for_nothing_else(suite: Ciphersuite) -> None:
    secret, package = part1(suite, 3)
    own, commitment, proof = secret.identifier, package.commitment, refresh.prove_coefficients(secret, CONTEXT)
    one, two = commitment.elements
    swapped = VerifiableSecretSharingCommitment.from_elements(suite, (two, one))
    shorter = VerifiableSecretSharingCommitment.from_elements(suite, (one,))
    longer = VerifiableSecretSharingCommitment.from_elements(suite, (one, two, one))
    another = part1(suite, 3)[1].commitment
    for sender, of, given_proof, context in (
        (Identifier(suite, 2), commitment, proof, CONTEXT),
        (own, commitment, proof, b"ceremony 2"),
        (own, commitment, proof, CONTEXT[:-1]),
        (own, commitment, proof, b""),
        (own, swapped, proof, CONTEXT),
        (own, shorter, proof, CONTEXT),
        (own, longer, proof, CONTEXT),
        (own, another, proof, CONTEXT),
        (own, replace(commitment, encoded=b"", elements=()), proof, CONTEXT),
        (own, commitment, proof[:-1], CONTEXT),
        (own, commitment, proof + b"\0", CONTEXT),
        (own, commitment, b"", CONTEXT),
        (own, commitment, bytes(len(proof)), CONTEXT),
    ):
        with pytest.raises(InvalidProofOfKnowledge) as raised:
            refresh.verify_coefficients(sender, of, given_proof, context)
        assert raised.value.culprits == (sender,)


@few
@given(st.data())
def test_whatever_is_changed_in_a_proof_is_seen(data: st.DataObject) -> None:
    secret, package = part1(P256, 3)
    proof = bytearray(refresh.prove_coefficients(secret, CONTEXT))
    proof[data.draw(st.integers(0, len(proof) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(InvalidProofOfKnowledge):
        refresh.verify_coefficients(secret.identifier, package.commitment, bytes(proof), CONTEXT)


@every_suite
def test_a_scalar_above_the_order_is_refused(suite: Ciphersuite) -> None:
    secret, package = part1(suite, 2)
    group, proof = suite.group, refresh.prove_coefficients(secret, CONTEXT)
    length = group.element_length
    response = suite.decode_scalar(proof[length:]) + group.order
    if response < 1 << 8 * group.scalar_length:
        other_form = proof[:length] + response.to_bytes(group.scalar_length, group.byteorder)
        with pytest.raises(InvalidProofOfKnowledge):
            refresh.verify_coefficients(secret.identifier, package.commitment, other_form, CONTEXT)
    with pytest.raises(InvalidProofOfKnowledge):
        refresh.verify_coefficients(
            secret.identifier, package.commitment, proof[:length] + b"\xff" * group.scalar_length, CONTEXT
        )


@pytest.mark.parametrize("unknown", [0, 1, 2])
def test_not_one_coefficient_may_be_unknown(unknown: int) -> None:
    """Whoever takes one entry from somebody else can prove the rest as well as they like."""
    secret, package = part1(P256, 4)
    taken = part1(P256, 4, number=2)[1].commitment.elements[unknown]
    elements = [taken if k == unknown else element for k, element in enumerate(package.commitment.elements)]
    commitment = VerifiableSecretSharingCommitment.from_elements(P256, elements)
    scalars = [coefficient.scalar for coefficient in secret.coefficients[1:]]
    proof = proof_of_knowledge.prove_all(secret.identifier, scalars, commitment, CONTEXT, system_entropy)
    with pytest.raises(InvalidProofOfKnowledge):
        refresh.verify_coefficients(secret.identifier, commitment, proof, CONTEXT)


def test_the_proof_is_what_it_says() -> None:
    """z = r + c·a₁ + c²·a₂, in plain integers."""
    order, group = P256.group.order, P256.group
    own = Identifier(P256, 5)
    first, second, nonce = 123456789, order - 3, 987654321
    secret, package = refresh.refresh_dkg_part1(
        P256, own, max_signers=3, min_signers=3, entropy=draws(P256, first, second, 11)
    )
    proof = refresh.prove_coefficients(secret, CONTEXT, draws(P256, nonce))
    encoded = group.encode(group.multiply_base(scalar(group, nonce)))
    data = own.serialize() + b"\0\0\0\x0a" + CONTEXT + encoded + package.commitment.encoded
    challenge = P256._hashing.to_scalar(group, b"frost-hsm refresh", data)
    assert proof == encoded + P256.encode_scalar((nonce + challenge * first + challenge**2 * second) % order)


def test_only_a_refreshing_polynomial_is_proven() -> None:
    secret, _ = dkg.part1(P256, Identifier(P256, 1), max_signers=3, min_signers=2)
    with pytest.raises(IncorrectPackage):
        refresh.prove_coefficients(secret, CONTEXT)
    gone, _ = part1(P256, 2)
    gone.wipe()
    with pytest.raises(SecretConsumed):
        refresh.prove_coefficients(gone, CONTEXT)


class NullRefresh:
    """Two of three are honest; the third speaks last, in both rounds, and undoes what they do."""

    def __init__(self, group: Group) -> None:
        self.group, suite = group, group.public.ciphersuite
        curve = suite.group
        *honest, self.cheat = group.ids
        parts = {i: refresh.refresh_dkg_part1(suite, i, max_signers=3, min_signers=2) for i in honest}
        self.packages = {i: package for i, (_, package) in parts.items()}
        total = curve.identity()
        for package in self.packages.values():
            curve.accumulate(total, package.commitment.elements[0])
        curve.negate(total)
        self.commitment = VerifiableSecretSharingCommitment.from_elements(suite, [total])
        zero = curve.add_scalars(())
        proof = proof_of_knowledge.prove(self.cheat, zero, self.commitment, system_entropy)
        self.packages[self.cheat] = round1.Package(suite, self.commitment, proof)
        second = {i: refresh.refresh_dkg_part2(parts[i][0], others(self.packages, i)) for i in honest}
        inverse = pow(self.cheat.value, -1, curve.order)
        sent = [packages[self.cheat].signing_share.scalar for _, packages in second.values()]
        minus_slope = curve.multiply_add(zero, curve.add_scalars(sent), -inverse % curve.order)
        self.ended = {}
        for own in honest:
            (other,) = (i for i in honest if i != own)
            share = curve.multiply_add(zero, minus_slope, own.value)
            received = {
                other: second[other][1][own],
                self.cheat: round2.Package(suite, SigningShare(suite, share)),
            }
            self.ended[own] = refresh.refresh_dkg_shares(
                second[own][0],
                others(self.packages, own),
                received,
                group.public,
                group.key_packages[own],
            )


@every_suite
def test_a_refresh_that_undoes_itself_is_refused_twice(suite: Ciphersuite) -> None:
    cheating = NullRefresh(Group.deal(suite, [1, 2, 3], 2))
    for key_package, public in cheating.ended.values():  # ZcashFoundation's functions have let it pass
        assert public == cheating.group.public
        with pytest.raises(UnchangedShare) as raised:
            refresh.check_every_share_changed(cheating.group.public, public)
        assert raised.value.culprits == ()
        assert all(str(number) in str(raised.value) for number in (1, 2, 3))
        assert key_package.verifying_share == public.verifying_shares[key_package.identifier]
    scalars = [suite.group.random_scalar()]  # all that the cheat could use: it does not know its coefficient
    proof = proof_of_knowledge.prove_all(cheating.cheat, scalars, cheating.commitment, CONTEXT, system_entropy)
    with pytest.raises(InvalidProofOfKnowledge) as convicted:
        refresh.verify_coefficients(cheating.cheat, cheating.commitment, proof, CONTEXT)
    assert convicted.value.culprits == (cheating.cheat,)


@every_suite
@pytest.mark.parametrize("spared", [1, 2, 3])
def test_a_dealer_who_spares_somebody_is_refused(suite: Ciphersuite, spared: int) -> None:
    """The polynomial x·(x - spared) is zero at one number that is none of the dealer's business."""
    group = Group.deal(suite, [1, 2, 3], 3)
    entropy = draws(suite, -spared % suite.group.order, 1)
    shares, public = refresh.compute_refreshing_shares(group.public, group.ids, entropy)
    with pytest.raises(UnchangedShare, match=f"the share of {spared} as"):
        refresh.check_every_share_changed(group.public, public)
    own = Identifier(suite, spared)
    assert suite.group.is_zero(shares[own].signing_share.scalar)


@few
@given(st.integers(2, 4), st.integers(0, 1))
def test_an_honest_refresh_changes_every_share(min_signers: int, leaving: int) -> None:
    group = Group.deal(P256, range(1, 6), min_signers)
    _, public = refresh.compute_refreshing_shares(group.public, group.ids[leaving:])
    refresh.check_every_share_changed(group.public, public)


def test_packages_of_other_keys_are_no_refresh_of_each_other() -> None:
    group, another = Group.deal(P256, [1, 2, 3], 2), Group.deal(P256, [1, 2, 3], 2)
    with pytest.raises(IncorrectPackage):
        refresh.check_every_share_changed(group.public, another.public)
    with_somebody_new = replace(
        group.public,
        verifying_shares={**group.public.verifying_shares, Identifier(P256, 4): another.some(1)[0].verifying_share},
    )
    with pytest.raises(IncorrectPackage):
        refresh.check_every_share_changed(group.public, with_somebody_new)
