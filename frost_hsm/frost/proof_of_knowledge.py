"""Schnorr proofs that the sender of a commitment knows its constant term's logarithm (ZcashFoundation: ``keys::dkg``).

Without them a participant could choose its commitment after seeing the others', and the group key with it.
"""

from __future__ import annotations

from frost_hsm.frost.values import Identifier, Signature, VerifiableSecretSharingCommitment
from frost_hsm.groups import Element, SecretScalar
from frost_hsm.secret import Entropy


def prove(
    identifier: Identifier,
    secret: SecretScalar,
    commitment: VerifiableSecretSharingCommitment,
    entropy: Entropy,
) -> Signature:
    """Prove knowledge of ``secret``."""
    return Signature.make(
        identifier.ciphersuite, secret, lambda encoded: _challenge(identifier, commitment, encoded), entropy
    )


def verify(
    identifier: Identifier,
    commitment: VerifiableSecretSharingCommitment,
    proof: Signature,
    constant_term: Element,
) -> bool:
    """Say whether a proof is that its sender knows the logarithm of ``constant_term``."""
    return proof.fits(constant_term, _challenge(identifier, commitment, proof.commitment))


def _challenge(identifier: Identifier, commitment: VerifiableSecretSharingCommitment, encoded: bytes) -> int:
    """Hash identifier, first entry of the commitment and R (ZcashFoundation: ``challenge`` of ``keys::dkg``)."""
    return identifier.ciphersuite.hdkg(identifier.serialize() + commitment.constant_term + encoded)
