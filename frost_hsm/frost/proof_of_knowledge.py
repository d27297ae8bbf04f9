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
    """Prove knowledge of ``secret``: R = k·G, z = k + secret·c.

    Where R has to be the other of ±k·G, z = -(k - secret·c), so that no secret has to be negated.
    """
    suite = identifier.ciphersuite
    group = suite.group
    nonce = group.random_scalar(entropy)
    encoded = group.encode(group.multiply_base(nonce))
    sign, encoded = suite.hooks.sign(encoded), suite.hooks.normal(encoded)
    challenge = _challenge(identifier, commitment, encoded)
    with group.encode_scalar(group.multiply_add(nonce, secret, sign * challenge)).reveal() as response:
        value = suite.decode_scalar(bytes(response))  # public from here on
    proof = Signature(suite, encoded, sign * value % group.order)
    nonce.wipe()
    return proof


def verify(
    identifier: Identifier,
    commitment: VerifiableSecretSharingCommitment,
    proof: Signature,
    constant_term: Element,
) -> bool:
    """Say whether z·G - c·φ₀ is R, compared as bytes."""
    group = identifier.ciphersuite.group
    challenge = _challenge(identifier, commitment, proof.commitment)
    expected = group.combine_base(proof.response, -challenge, constant_term)
    return not group.is_identity(expected) and group.encode(expected) == proof.commitment


def _challenge(identifier: Identifier, commitment: VerifiableSecretSharingCommitment, encoded: bytes) -> int:
    """Hash identifier, first entry of the commitment and R (ZcashFoundation: ``challenge`` of ``keys::dkg``)."""
    return identifier.ciphersuite.hdkg(identifier.serialize() + commitment.constant_term + encoded)
