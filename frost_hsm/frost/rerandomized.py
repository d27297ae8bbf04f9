"""Signing under a key that cannot be linked to the group's (ZcashFoundation: ``frost-rerandomized``).

Every signature is by the group key plus a randomizer times G, and verifies under that key alone; only who knows
the randomizer can tell that the group made it. Signers commit as ever. The coordinator makes a seed with
`RandomizedParams.new_from_commitments` and sends it with the signing package, over a confidential channel; each
signer makes the randomizer of it again, and because it hashes the commitments too, no coordinator can choose it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self, TypeVar

from frost_hsm.errors import DeserializationError, UnknownIdentifier
from frost_hsm.frost import signing
from frost_hsm.frost.packages import (
    KeyPackage,
    PublicKeyPackage,
    SignatureShare,
    SigningCommitments,
    SigningNonces,
    SigningPackage,
    encode_group_commitments,
)
from frost_hsm.frost.values import (
    ElementValue,
    Identifier,
    SecretValue,
    Signature,
    SigningShare,
    VerifyingKey,
)
from frost_hsm.groups import Element
from frost_hsm.secret import Entropy, Redacted, Secret, system_entropy


class Randomizer(SecretValue):
    """What is added to the group's private key for one signature. Secret: it links the signature to the group."""

    __slots__ = ()

    @classmethod
    def from_seed(cls, seed: Secret, signing_commitments: Mapping[Identifier, SigningCommitments]) -> Self:
        """Hash the coordinator's seed and all signers' commitments.

        seed: as many bytes as a scalar has. Raises `DeserializationError` for another length, `UnknownIdentifier`
        without commitments.
        """
        if not signing_commitments:
            raise UnknownIdentifier("there are no signers to randomize for")
        suite = next(iter(signing_commitments)).ciphersuite
        if len(seed) != suite.group.scalar_length:
            raise DeserializationError(f"a randomizer seed has {suite.group.scalar_length} bytes, not {len(seed)}")
        with Secret.join(seed, encode_group_commitments(signing_commitments)) as data:
            return cls(suite, suite.hash_randomizer(data))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RandomizedParams(Redacted):
    """What one signature is made with: the randomizer, that times G, and the key that verifies it. Secret.

    For one signature only.
    """

    randomizer: Randomizer
    randomizer_element: Element
    randomized_verifying_key: VerifyingKey

    @classmethod
    def new_from_commitments(
        cls,
        verifying_key: VerifyingKey,
        signing_commitments: Mapping[Identifier, SigningCommitments],
        entropy: Entropy = system_entropy,
    ) -> tuple[Self, Secret]:
        """Draw a seed and make the parameters of it: the coordinator's step.

        Returns the seed too, which the signers need (secret). Raises what `regenerate_from_seed_and_commitments`
        raises.
        """
        seed = Secret.zeros(verifying_key.ciphersuite.group.scalar_length)
        with seed.reveal() as view:
            entropy(view)
        return cls.regenerate_from_seed_and_commitments(verifying_key, seed, signing_commitments), seed

    @classmethod
    def regenerate_from_seed_and_commitments(
        cls, verifying_key: VerifyingKey, seed: Secret, signing_commitments: Mapping[Identifier, SigningCommitments]
    ) -> Self:
        """Make the parameters again: a signer's step.

        Raises `DeserializationError` for a seed of the wrong length, `UnknownIdentifier` without commitments,
        `IncorrectPackage`, and `InvalidIdentityElement` if the key becomes the identity.
        """
        verifying_key.ciphersuite.check_owns(*signing_commitments, *signing_commitments.values())
        return cls.from_randomizer(verifying_key, Randomizer.from_seed(seed, signing_commitments))

    @classmethod
    def from_randomizer(cls, verifying_key: VerifyingKey, randomizer: Randomizer) -> Self:
        """Use a randomizer that a specification has made otherwise; it must be random. Raises `IncorrectPackage`."""
        verifying_key.ciphersuite.check_owns(randomizer)
        element = verifying_key.ciphersuite.group.multiply_base(randomizer.scalar)
        return cls(randomizer, element, _add(verifying_key, element))

    def randomize_key_package(self, key_package: KeyPackage) -> KeyPackage:
        """Add the randomizer to a signer's share: a key package for this one signature, to be wiped."""
        group = key_package.ciphersuite.group
        scalar = group.add_scalars((key_package.signing_share.scalar, self.randomizer.scalar))
        return replace(
            key_package,
            signing_share=SigningShare(key_package.ciphersuite, scalar),
            verifying_share=_add(key_package.verifying_share, self.randomizer_element),
            verifying_key=self.randomized_verifying_key,
        )

    def randomize_public_key_package(self, public_key_package: PublicKeyPackage) -> PublicKeyPackage:
        """Add the randomizer to everybody's verifying share."""
        return replace(
            public_key_package,
            verifying_shares={
                identifier: _add(share, self.randomizer_element)
                for identifier, share in public_key_package.verifying_shares.items()
            },
            verifying_key=self.randomized_verifying_key,
        )

    def wipe(self) -> None:
        """Overwrite the randomizer."""
        self.randomizer.wipe()


def sign_with_randomizer_seed(
    signing_package: SigningPackage, nonces: SigningNonces, key_package: KeyPackage, seed: Secret
) -> SignatureShare:
    """Make this signer's share of a signature under the randomized key.

    seed: the coordinator's. Consumes ``nonces``. Raises what `signing.sign` and
    `RandomizedParams.regenerate_from_seed_and_commitments` raise.
    """
    params = RandomizedParams.regenerate_from_seed_and_commitments(
        key_package.verifying_key, seed, signing_package.signing_commitments
    )
    randomized = params.randomize_key_package(key_package)
    try:
        return signing.sign(signing_package, nonces, randomized)
    finally:
        randomized.wipe()
        params.wipe()


def aggregate(
    signing_package: SigningPackage,
    signature_shares: Mapping[Identifier, SignatureShare],
    public_key_package: PublicKeyPackage,
    params: RandomizedParams,
    *,
    cheater_detection: signing.CheaterDetection = signing.CheaterDetection.FIRST,
) -> Signature:
    """Add the shares up to a signature, verified under ``params.randomized_verifying_key``.

    Raises what `signing.aggregate` raises.
    """
    randomized = params.randomize_public_key_package(public_key_package)
    return signing.aggregate(signing_package, signature_shares, randomized, cheater_detection=cheater_detection)


def public_key_package(
    group: PublicKeyPackage, seed: Secret, signing_commitments: Mapping[Identifier, SigningCommitments]
) -> PublicKeyPackage:
    """Return what shares and signature are checked with by whoever has the seed.

    group: the package of the group. Raises what `RandomizedParams.regenerate_from_seed_and_commitments` raises.
    """
    params = RandomizedParams.regenerate_from_seed_and_commitments(group.verifying_key, seed, signing_commitments)
    try:
        return params.randomize_public_key_package(group)
    finally:
        params.wipe()


_Value = TypeVar("_Value", bound=ElementValue)


def _add(value: _Value, element: Element) -> _Value:
    group = value.ciphersuite.group
    total = group.copy(value.element)
    group.accumulate(total, element)
    return type(value).from_element(value.ciphersuite, total)
