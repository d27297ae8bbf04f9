"""Schnorr proofs that the sender of a commitment knows what it committed to.

Of its constant term (ZcashFoundation: ``keys::dkg``): without them a participant could choose its commitment after
seeing the others', and the group key with it. Of every entry, for a refresh: there it could undo what the others do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from frost_hsm.errors import MalformedScalar
from frost_hsm.frost import polynomial
from frost_hsm.frost.values import Identifier, Signature, VerifiableSecretSharingCommitment
from frost_hsm.groups import Element, SecretScalar
from frost_hsm.secret import Entropy


def prove(
    identifier: Identifier,
    secret: SecretScalar,
    commitment: VerifiableSecretSharingCommitment,
    entropy: Entropy,
) -> Signature:
    """Prove knowledge of ``secret``, the logarithm of the constant term."""
    return Signature.make(
        identifier.ciphersuite, secret, lambda encoded: _challenge(identifier, commitment, encoded), entropy
    )


@dataclass(frozen=True, slots=True)
class Claim:
    """That the sender of a commitment knows the logarithm of its constant term."""

    sender: Identifier
    commitment: VerifiableSecretSharingCommitment
    proof: Signature
    constant_term: Element


def find_wrong(claims: Sequence[Claim]) -> list[Identifier]:
    """Return the senders whose proof is none, of claims of one suite."""
    if not claims:
        return []
    commitments = claims[0].sender.ciphersuite.group.encode_combinations(
        [claim.proof.response for claim in claims],
        [-_challenge(claim.sender, claim.commitment, claim.proof.commitment) for claim in claims],
        [claim.constant_term for claim in claims],
    )
    return [
        claim.sender
        for claim, commitment in zip(claims, commitments, strict=True)
        if commitment != claim.proof.commitment
    ]


def prove_all(
    identifier: Identifier,
    secrets: Sequence[SecretScalar],
    commitment: VerifiableSecretSharingCommitment,
    context: bytes,
    entropy: Entropy,
) -> bytes:
    """Prove knowledge of the logarithm of every entry of a commitment: R = r·G and z = r + c·a₁ + c²·a₂ + ….

    secrets: those logarithms a₁, a₂, …. context: what the proof is made for; it serves nowhere else. Returns R ‖ z.

    Of m entries: whoever can answer m + 1 challenges to one R knows r and every a, which solve a Vandermonde system. So
    whoever does not know them all passes with a chance of m/order for each R hashed (Gennaro, Leigh, Sundaram and
    Yerazunis, "Batching Schnorr identification scheme", ASIACRYPT 2004; as a hashed proof: Attema, Fehr and Klooß,
    eprint 2021/1377). And z says nothing of the secrets: R and z can be made from any c without them.
    """
    group = identifier.ciphersuite.group
    nonce = group.random_scalar(entropy)
    try:
        _, encoded = group.commit((nonce,))
        challenge = _challenge_of_all(identifier, commitment, context, encoded)
        (response,) = group.evaluate((nonce, *secrets), (challenge,))
    finally:
        nonce.wipe()
    with group.encode_scalar(response).reveal() as view:
        return encoded + bytes(view)  # public from here on


def verify_all(
    identifier: Identifier, commitment: VerifiableSecretSharingCommitment, context: bytes, proof: bytes
) -> bool:
    """Say whether a proof is that its sender knows the logarithm of every entry: z·G - c·φ₁ - c²·φ₂ - … = R."""
    suite, group = identifier.ciphersuite, identifier.ciphersuite.group
    encoded, response = proof[: group.element_length], proof[group.element_length :]
    try:
        z = suite.decode_scalar(response)
    except MalformedScalar:
        return False
    c = _challenge_of_all(identifier, commitment, context, encoded)
    factors = [-factor for factor in polynomial.powers(c, len(commitment) + 1, group.order)[1:]]
    first, *others = commitment.elements
    point = group.combine_base(z, factors[0], first)
    if others:
        group.accumulate(point, group.sum_products(factors[1:], others))
    return not group.is_identity(point) and group.encode(point) == encoded


def _challenge(identifier: Identifier, commitment: VerifiableSecretSharingCommitment, encoded: bytes) -> int:
    """Hash identifier, first entry of the commitment and R (ZcashFoundation: ``challenge`` of ``keys::dkg``)."""
    return identifier.ciphersuite.hdkg(identifier.serialize() + commitment.constant_term + encoded)


def _challenge_of_all(
    identifier: Identifier, commitment: VerifiableSecretSharingCommitment, context: bytes, encoded: bytes
) -> int:
    """Hash who proves, what for, R and all of the commitment; what varies in length is told apart by its length."""
    prefix = identifier.serialize() + len(context).to_bytes(4, "big") + context
    return identifier.ciphersuite.hash_refresh(prefix + encoded + commitment.encoded)
