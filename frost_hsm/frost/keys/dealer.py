"""Sharing a key out, and putting it together again (ZcashFoundation: ``keys``; RFC 9591, appendix C).

Whoever calls this holds the whole key for a while, and has to be trusted with it: `dkg` needs nobody like that.
Each `SecretShare` goes to its participant over a channel that is confidential and shows who sent it, and is
turned into a key package by `KeyPackage.from_secret_share`.
"""

from __future__ import annotations

from collections.abc import Sequence

from frost_hsm.errors import IncorrectNumberOfIdentifiers, IncorrectNumberOfSigners, IncorrectPackage
from frost_hsm.frost import polynomial
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.keys.checks import check_different, check_numbers
from frost_hsm.frost.packages import KeyPackage, PublicKeyPackage, SecretShare
from frost_hsm.frost.values import (
    Identifier,
    SigningKey,
    SigningShare,
    VerifiableSecretSharingCommitment,
    VerifyingKey,
    VerifyingShare,
)
from frost_hsm.secret import Entropy, system_entropy


def generate_with_dealer(
    ciphersuite: Ciphersuite,
    *,
    max_signers: int,
    min_signers: int,
    identifiers: Sequence[Identifier] | None = None,
    entropy: Entropy = system_entropy,
) -> tuple[dict[Identifier, SecretShare], PublicKeyPackage]:
    """Make a new key and share it out, as `split` does."""
    signing_key = SigningKey.generate(ciphersuite, entropy)
    try:
        return split(
            signing_key, max_signers=max_signers, min_signers=min_signers, identifiers=identifiers, entropy=entropy
        )
    finally:
        signing_key.wipe()


def split(
    signing_key: SigningKey,
    *,
    max_signers: int,
    min_signers: int,
    identifiers: Sequence[Identifier] | None = None,
    entropy: Entropy = system_entropy,
) -> tuple[dict[Identifier, SecretShare], PublicKeyPackage]:
    """Share out a key that exists; its owner wipes it.

    identifiers: of all participants, None for 1 to ``max_signers``. Returns what each participant gets (secret,
    for that one alone; to be wiped) and what all do (public). Raises `InvalidMinSigners`, `InvalidMaxSigners`,
    `IncorrectNumberOfIdentifiers`, `DuplicatedIdentifier`, `IncorrectPackage`.
    """
    check_numbers(max_signers, min_signers)
    suite, group = signing_key.ciphersuite, signing_key.ciphersuite.group
    if identifiers is None:
        identifiers = [Identifier.from_u16(suite, number) for number in range(1, max_signers + 1)]
    if len(identifiers) != max_signers:
        raise IncorrectNumberOfIdentifiers(f"{len(identifiers)} identifiers for {max_signers} participants")
    check_different(identifiers)
    suite.check_owns(*identifiers)

    others = [group.random_scalar(entropy) for _ in range(min_signers - 1)]
    coefficients = [signing_key.scalar, *others]
    commitment = VerifiableSecretSharingCommitment.commit(suite, coefficients)
    values = group.evaluate(coefficients, [identifier.value for identifier in identifiers])
    for coefficient in others:
        coefficient.wipe()
    shares = {
        identifier: SecretShare(suite, identifier, SigningShare(suite, value), commitment)
        for identifier, value in sorted(zip(identifiers, values, strict=True), key=lambda pair: pair[0])
    }
    return shares, PublicKeyPackage(
        suite,
        {identifier: share.signing_share.verifying_share() for identifier, share in shares.items()},
        signing_key.verifying_key(),
        min_signers,
    )


def public_key_package(
    commitment: VerifiableSecretSharingCommitment, identifiers: Sequence[Identifier]
) -> PublicKeyPackage:
    """Return what a dealer's commitment says of everybody (ZcashFoundation: ``PublicKeyPackage::from_commitment``).

    Raises `InvalidMinSigners` and `InvalidMaxSigners` if it is none for so many, `DuplicatedIdentifier`,
    `IncorrectPackage`.
    """
    suite, group = commitment.ciphersuite, commitment.ciphersuite.group
    check_numbers(len(identifiers), len(commitment))
    check_different(identifiers)
    suite.check_owns(*identifiers)
    numbers = [identifier.value for identifier in identifiers]
    values = polynomial.evaluate_commitment_at_all(group, commitment.elements, numbers)
    shares = {
        identifier: VerifyingShare.from_element(suite, value)
        for identifier, value in zip(identifiers, values, strict=True)
    }
    return PublicKeyPackage(suite, shares, VerifyingKey.from_element(suite, commitment.elements[0]), len(commitment))


def reconstruct(key_packages: Sequence[KeyPackage]) -> SigningKey:
    """Put the group's key together from at least min_signers shares. From then on it exists; wipe it.

    Raises `IncorrectNumberOfSigners`, `DuplicatedIdentifier`, and `IncorrectPackage` for packages of different
    groups, suites or refreshes: their shares are not those of one key.
    """
    if not key_packages:
        raise IncorrectNumberOfSigners("no key packages")
    first = key_packages[0]
    suite, group = first.ciphersuite, first.ciphersuite.group
    suite.check_owns(*key_packages)
    check_different([package.identifier for package in key_packages])
    for package in key_packages:
        if (package.verifying_key, package.min_signers) != (first.verifying_key, first.min_signers):
            raise IncorrectPackage(f"the key package of {package.identifier} is of another group")
    if len(key_packages) < first.min_signers:
        raise IncorrectNumberOfSigners(f"{len(key_packages)} key packages are fewer than {first.min_signers}")
    scalars = {package.identifier.value: package.signing_share.scalar for package in key_packages}
    signing_key = SigningKey(suite, polynomial.interpolate_secret(group, scalars))
    if not group.equal(group.multiply_base(signing_key.scalar), first.verifying_key.element):
        signing_key.wipe()
        raise IncorrectPackage("the signing shares are not those of one key: were some refreshed and others not?")
    return signing_key
