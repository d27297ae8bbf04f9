"""Key generation without a dealer (ZcashFoundation: ``keys::dkg``; FROST paper, figure 1, after Pedersen).

Each participant calls `part1`, sends one package to all; `part2`, sends a secret package to each; `part3`,
and has a share of a key that never existed. Who sent a package is for the caller to know: maps are keyed by
sender. Round 1 packages must reach everybody alike, round 2 packages must be encrypted to their recipient.

A secret package is consumed by the step that succeeds with it; a step that raises leaves it as it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from frost_hsm.errors import (
    IncorrectNumberOfCommitments,
    IncorrectNumberOfPackages,
    IncorrectPackage,
    InvalidIdentityElement,
    InvalidMaxSigners,
    InvalidMinSigners,
    InvalidProofOfKnowledge,
    InvalidSecretShare,
    UnknownIdentifier,
)
from frost_hsm.frost import polynomial, round1, round2
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.packages import KeyPackage, PublicKeyPackage
from frost_hsm.frost.values import (
    Coefficient,
    Identifier,
    Signature,
    SigningShare,
    VerifiableSecretSharingCommitment,
    VerifyingKey,
    VerifyingShare,
)
from frost_hsm.groups import Element, SecretScalar
from frost_hsm.secret import Entropy, system_entropy

STRICT_UP_TO = 10
"""Up to this many participants `part3` checks every sender's share by default: it costs next to nothing."""

_MOST_SIGNERS = (1 << 16) - 1  # ZcashFoundation counts participants in 16 bits


def part1(
    ciphersuite: Ciphersuite,
    identifier: Identifier,
    *,
    max_signers: int,
    min_signers: int,
    entropy: Entropy = system_entropy,
) -> tuple[round1.SecretPackage, round1.Package]:
    """Make a secret polynomial; commit to it and prove knowledge of its constant term.

    Returns what to keep for `part2` (secret) and what to send to all others (public). Raises
    `InvalidMinSigners`, `InvalidMaxSigners`.
    """
    _check_numbers(max_signers, min_signers)
    ciphersuite.check_owns(identifier)
    group = ciphersuite.group
    coefficients = tuple(Coefficient(ciphersuite, group.random_scalar(entropy)) for _ in range(min_signers))
    scalars = [coefficient.scalar for coefficient in coefficients]
    commitment = VerifiableSecretSharingCommitment.from_elements(ciphersuite, polynomial.commit(group, scalars))
    proof = _prove_knowledge(identifier, scalars[0], commitment, entropy)
    secret = round1.SecretPackage(ciphersuite, identifier, coefficients, commitment, min_signers, max_signers)
    return secret, round1.Package(ciphersuite, commitment, proof)


def part2(
    secret_package: round1.SecretPackage, round1_packages: Mapping[Identifier, round1.Package]
) -> tuple[round2.SecretPackage, dict[Identifier, round2.Package]]:
    """Check what the others committed to; evaluate the own polynomial for each of them.

    round1_packages: of all others, by sender. Consumes ``secret_package``. Returns what to keep for `part3`
    (secret) and what to send to each other participant (secret, for that one alone). Raises `SecretConsumed`,
    `IncorrectNumberOfPackages`, `UnknownIdentifier`, `IncorrectPackage`; and, with all their senders as
    culprits, `IncorrectNumberOfCommitments`, `InvalidProofOfKnowledge`.
    """
    coefficients = secret_package.take()
    try:
        result = _part2(secret_package, coefficients, round1_packages)
    except BaseException:
        secret_package.put_back(coefficients)
        raise
    for coefficient in coefficients:  # an interruption here must not put half of them back
        coefficient.wipe()
    return result


def _part2(
    secret: round1.SecretPackage,
    coefficients: Sequence[Coefficient],
    round1_packages: Mapping[Identifier, round1.Package],
) -> tuple[round2.SecretPackage, dict[Identifier, round2.Package]]:
    suite = secret.ciphersuite
    packages = _check_round1(secret, round1_packages)
    if not len(coefficients) == len(secret.commitment) == secret.min_signers:
        raise IncorrectPackage("the round 1 secret package contradicts itself")
    _check_proofs(packages)
    scalars = [coefficient.scalar for coefficient in coefficients]
    numbers = [identifier.value for identifier in (secret.identifier, *packages)]
    own, *others = (SigningShare(suite, value) for value in suite.group.evaluate(scalars, numbers))
    kept = round2.SecretPackage(
        suite,
        secret.identifier,
        secret.commitment,
        own,
        secret.min_signers,
        secret.max_signers,
        digest_round1(packages),
    )
    sent = {to: round2.Package(suite, share) for to, share in zip(packages, others, strict=True)}
    return kept, sent


def part3(
    secret_package: round2.SecretPackage,
    round1_packages: Mapping[Identifier, round1.Package],
    round2_packages: Mapping[Identifier, round2.Package],
    *,
    strict: bool | None = None,
) -> tuple[KeyPackage, PublicKeyPackage]:
    """Check the shares received and add them up to the signing share; compute everybody's public share.

    round1_packages: the very ones that `part2` took. round2_packages: those addressed to this participant, by
    sender; the caller wipes them. strict: whether to check every share against its sender's commitment, as
    ZcashFoundation does, or only their sum and each one if that is wrong (errors of several senders that
    cancel out then pass, and the result is what honest ones would have given); None means up to
    `STRICT_UP_TO` participants. Consumes ``secret_package``.

    Raises what `part2` raises, `IncorrectPackage` too if ``round1_packages`` are others than before,
    `InvalidSecretShare` with all culprits, and `InvalidIdentityElement` for a group key that is the identity
    or a threshold that fell: the commitments were chosen to cancel out, and nothing shows by whom.
    """
    share = secret_package.take()
    try:
        result = _part3(secret_package, share, round1_packages, round2_packages, strict)
    except BaseException:
        secret_package.put_back(share)
        raise
    share.wipe()
    return result


def _part3(
    secret: round2.SecretPackage,
    own_share: SigningShare,
    round1_packages: Mapping[Identifier, round1.Package],
    round2_packages: Mapping[Identifier, round2.Package],
    strict: bool | None,
) -> tuple[KeyPackage, PublicKeyPackage]:
    suite, own = secret.ciphersuite, secret.identifier
    group = suite.group
    packages = _check_round1(secret, round1_packages)
    if len(secret.commitment) != secret.min_signers:
        raise IncorrectPackage("the round 2 secret package contradicts itself")
    if secret.round1_digest is None:
        _check_proofs(packages)
    elif secret.round1_digest != digest_round1(packages):
        raise IncorrectPackage("the round 1 packages are not those of part 2")
    shares = _check_round2(own, packages, round2_packages)
    if strict or (strict is None and secret.max_signers <= STRICT_UP_TO):
        _check_shares(own, packages, shares)

    signing_share = group.add_scalars([own_share.scalar, *(shares[sender].scalar for sender in packages)])
    verifying_share = group.multiply_base(signing_share)
    commitments = [
        secret.commitment.elements,
        *(package.commitment.elements for package in packages.values()),
    ]
    total = polynomial.add_commitments(group, commitments)
    if group.is_identity(total[0]) or group.is_identity(total[-1]):
        raise InvalidIdentityElement("the commitments cancel out: no key, or one with a lower threshold")
    everybody = sorted((own, *packages))
    public = polynomial.evaluate_commitment_at_all(group, total, [identifier.value for identifier in everybody])
    verifying_shares = dict(zip(everybody, public, strict=True))
    if not group.equal(verifying_share, verifying_shares[own]):
        _check_shares(own, packages, shares)
        raise IncorrectPackage("the round 2 secret package contradicts itself")  # all others' shares are right

    public_key_package = PublicKeyPackage(
        suite,
        {identifier: VerifyingShare.from_element(suite, element) for identifier, element in verifying_shares.items()},
        VerifyingKey.from_element(suite, total[0]),
        secret.min_signers,
    )
    key_package = KeyPackage(
        suite,
        own,
        SigningShare(suite, signing_share),
        public_key_package.verifying_shares[own],
        public_key_package.verifying_key,
        secret.min_signers,
    )
    return key_package, public_key_package


def digest_round1(round1_packages: Mapping[Identifier, round1.Package]) -> bytes:
    """Hash a set of round 1 packages with their senders: 32 bytes of SHA-256."""
    digest = hashlib.sha256(b"frost-hsm round 1 packages")
    for identifier in sorted(round1_packages):
        data = round1_packages[identifier].serialize()
        digest.update(identifier.serialize() + len(data).to_bytes(4, "big") + data)
    return digest.digest()


def _check_numbers(max_signers: int, min_signers: int) -> None:
    if min_signers < 2:
        raise InvalidMinSigners(f"the threshold {min_signers} is below 2")
    if not 2 <= max_signers <= _MOST_SIGNERS:
        raise InvalidMaxSigners(f"{max_signers} participants are not from 2 to {_MOST_SIGNERS}")
    if min_signers > max_signers:
        raise InvalidMinSigners(f"the threshold {min_signers} is above the number of participants {max_signers}")


def _check_round1(
    secret: round1.SecretPackage | round2.SecretPackage, round1_packages: Mapping[Identifier, round1.Package]
) -> dict[Identifier, round1.Package]:
    """Check that each other participant sent one package, of the right length. Returns them in order."""
    _check_numbers(secret.max_signers, secret.min_signers)
    expected = secret.max_signers - 1
    if len(round1_packages) != expected:
        raise IncorrectNumberOfPackages(f"{len(round1_packages)} round 1 packages instead of {expected}")
    if secret.identifier in round1_packages:
        raise UnknownIdentifier("the own round 1 package is among those of the others")
    secret.ciphersuite.check_owns(*round1_packages, *round1_packages.values())
    packages = dict(sorted(round1_packages.items()))
    wrong = [sender for sender, package in packages.items() if len(package.commitment) != secret.min_signers]
    if wrong:
        found = len(packages[wrong[0]].commitment)
        raise IncorrectNumberOfCommitments(
            f"the commitment of {wrong[0]} has {found} entries instead of {secret.min_signers}",
            culprits=wrong,
        )
    return packages


def _check_round2(
    own: Identifier,
    packages: Mapping[Identifier, round1.Package],
    round2_packages: Mapping[Identifier, round2.Package],
) -> dict[Identifier, SigningShare]:
    """Check that each sender of a round 1 package sent a share, and nobody else. Returns them in order."""
    if own in round2_packages:
        raise UnknownIdentifier("the own round 2 package is among those of the others")
    if len(round2_packages) != len(packages):
        raise IncorrectNumberOfPackages(f"{len(round2_packages)} round 2 packages instead of {len(packages)}")
    for sender in packages:
        if sender not in round2_packages:
            raise IncorrectPackage(f"no round 2 package of {sender}")
    own.ciphersuite.check_owns(*round2_packages.values())
    return {sender: round2_packages[sender].signing_share for sender in packages}


def _prove_knowledge(
    identifier: Identifier,
    secret: SecretScalar,
    commitment: VerifiableSecretSharingCommitment,
    entropy: Entropy,
) -> Signature:
    """Prove knowledge of the constant term: R = k·G, z = k + a₀·c."""
    suite = identifier.ciphersuite
    group = suite.group
    nonce = group.random_scalar(entropy)
    encoded = group.encode(group.multiply_base(nonce))
    challenge = _proof_challenge(identifier, commitment, encoded)
    with group.encode_scalar(group.multiply_add(nonce, secret, challenge)).reveal() as response:
        proof = Signature(suite, encoded, suite.decode_scalar(bytes(response)))  # public from here on
    nonce.wipe()
    return proof


def _check_proofs(packages: Mapping[Identifier, round1.Package]) -> None:
    """Check each proof of knowledge: z·G - c·φ₀ must be R, compared as bytes."""
    wrong = []
    for sender, package in packages.items():
        group, proof = sender.ciphersuite.group, package.proof_of_knowledge
        challenge = _proof_challenge(sender, package.commitment, proof.commitment)
        commitment = group.combine_base(proof.response, -challenge, package.commitment.elements[0])
        if group.is_identity(commitment) or group.encode(commitment) != proof.commitment:
            wrong.append(sender)
    if wrong:
        raise InvalidProofOfKnowledge(f"the proof of knowledge of {_names(wrong)} does not verify", culprits=wrong)


def _proof_challenge(identifier: Identifier, commitment: VerifiableSecretSharingCommitment, encoded: bytes) -> int:
    """Hash identifier, constant term and R (ZcashFoundation: ``challenge`` of ``keys::dkg``)."""
    return identifier.ciphersuite.hdkg(identifier.serialize() + commitment.constant_term + encoded)


def _check_shares(
    own: Identifier, packages: Mapping[Identifier, round1.Package], shares: Mapping[Identifier, SigningShare]
) -> None:
    """Check each share against its sender's commitment: f_l(i)·G must be Σ iᵏ·φ_lk."""
    group = own.ciphersuite.group

    def fits(share: SigningShare, commitment: Sequence[Element]) -> bool:
        expected = polynomial.evaluate_commitment(group, commitment, own.value)
        return group.equal(group.multiply_base(share.scalar), expected)

    wrong = [sender for sender in packages if not fits(shares[sender], packages[sender].commitment.elements)]
    if wrong:
        raise InvalidSecretShare(f"the share from {_names(wrong)} does not match the commitment", culprits=wrong)


def _names(identifiers: Sequence[Identifier]) -> str:
    return ", ".join(map(str, identifiers))
