"""Key generation without a dealer (ZcashFoundation: ``keys::dkg``; FROST paper, figure 1, after Pedersen).

Each participant calls `part1`, sends one package to all; `part2`, sends a secret package to each; `part3`,
and has a share of a key that never existed. Who sent a package is for the caller to know: maps are keyed by
sender. Round 1 packages must reach everybody alike, round 2 packages must be encrypted to their recipient.

A secret package is consumed by the step that succeeds with it; a step that raises leaves it as it was.

Whoever speaks last in the first round has seen what all others committed to, and can draw again until the group key
has some property, say so many leading zero bits: the key is not uniform, though nobody knows it or can make it a
chosen one. Gennaro, Jarecki, Krawczyk and Rabin describe it (Journal of Cryptology 20, 2007); Crites, Komlo and Maller
prove FROST secure with this very key generation (eprint 2021/1375). It is so in ZcashFoundation's crates too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from frost_hsm.errors import IncorrectPackage, InvalidIdentityElement, InvalidProofOfKnowledge
from frost_hsm.frost import polynomial, taproot
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.keys import many_commitments, proof_of_knowledge, round1, round2
from frost_hsm.frost.keys.checks import (
    check_entries,
    check_numbers,
    check_round1,
    check_round2,
    check_shares,
    names,
)
from frost_hsm.frost.keys.proof_of_knowledge import Claim
from frost_hsm.frost.packages import KeyPackage, PublicKeyPackage
from frost_hsm.frost.values import (
    Coefficient,
    Identifier,
    SigningShare,
    VerifiableSecretSharingCommitment,
    VerifyingKey,
    VerifyingShare,
    in_order,
)
from frost_hsm.secret import Entropy, system_entropy

STRICT_UP_TO = 10
"""Up to this many participants `part3` checks every sender's share by default: it costs next to nothing."""


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
    check_numbers(max_signers, min_signers)
    ciphersuite.check_owns(identifier)
    group = ciphersuite.group
    coefficients = tuple(Coefficient(ciphersuite, group.random_scalar(entropy)) for _ in range(min_signers))
    scalars = [coefficient.scalar for coefficient in coefficients]
    commitment = VerifiableSecretSharingCommitment.commit(ciphersuite, scalars)
    proof = proof_of_knowledge.prove(identifier, scalars[0], commitment, entropy)
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
    with secret_package.consumed() as coefficients:
        packages = check_round1(secret_package, round1_packages, secret_package.min_signers)
        if not len(coefficients) == len(secret_package.commitment) == secret_package.min_signers:
            raise IncorrectPackage("the round 1 secret package contradicts itself")
        _check_proofs(packages)
        return share_out(secret_package, coefficients, packages)


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
    with secret_package.consumed() as share:
        return _part3(secret_package, share, round1_packages, round2_packages, strict)


def _part3(
    secret: round2.SecretPackage,
    own_share: SigningShare,
    round1_packages: Mapping[Identifier, round1.Package],
    round2_packages: Mapping[Identifier, round2.Package],
    strict: bool | None,
) -> tuple[KeyPackage, PublicKeyPackage]:
    suite, own = secret.ciphersuite, secret.identifier
    group = suite.group
    packages = check_round1(secret, round1_packages, secret.min_signers)
    if len(secret.commitment) != secret.min_signers:
        raise IncorrectPackage("the round 2 secret package contradicts itself")
    if secret.round1_digest is None:
        _check_proofs(packages)
    elif secret.round1_digest != digest_round1(packages):
        raise IncorrectPackage("the round 1 packages are not those of part 2")
    shares = check_round2(own, packages, round2_packages)
    commitments = {sender: package.commitment.elements for sender, package in packages.items()}
    if strict or (strict is None and secret.max_signers <= STRICT_UP_TO):
        check_shares(own, commitments, shares)

    signing_share = group.add_scalars([own_share.scalar, *(shares[sender].scalar for sender in packages)])
    verifying_share = group.multiply_base(signing_share)
    total = many_commitments.add(group, [secret.commitment.elements, *commitments.values()])
    if group.is_identity(total[0]) or group.is_identity(total[-1]):
        raise InvalidIdentityElement("the commitments cancel out: no key, or one with a lower threshold")
    everybody = sorted((own, *packages))
    public = polynomial.evaluate_commitment_at_all(group, total, [identifier.value for identifier in everybody])
    verifying_shares = dict(zip(everybody, public, strict=True))
    if not group.equal(verifying_share, verifying_shares[own]):
        check_shares(own, commitments, shares)
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
    if not suite.hooks.tweaks_new_keys:
        return key_package, public_key_package
    return (  # so that nobody can have hidden a script in the group key
        taproot.tweak_key_package(key_package, taproot.NO_SCRIPTS),
        taproot.tweak_public_key_package(public_key_package, taproot.NO_SCRIPTS),
    )


def share_out(
    secret: round1.SecretPackage,
    coefficients: Sequence[Coefficient],
    round1_packages: Mapping[Identifier, round1.Package],
) -> tuple[round2.SecretPackage, dict[Identifier, round2.Package]]:
    """Evaluate the polynomial for oneself, and for every sender of a round 1 package."""
    suite = secret.ciphersuite
    scalars = [coefficient.scalar for coefficient in coefficients]
    numbers = [identifier.value for identifier in (secret.identifier, *round1_packages)]
    own, *others = (SigningShare(suite, value) for value in suite.group.evaluate(scalars, numbers))
    kept = round2.SecretPackage(
        suite,
        secret.identifier,
        secret.commitment,
        own,
        secret.min_signers,
        secret.max_signers,
        digest_round1(round1_packages),
    )
    return kept, {to: round2.Package(suite, share) for to, share in zip(round1_packages, others, strict=True)}


def digest_round1(round1_packages: Mapping[Identifier, round1.Package]) -> bytes:
    """Hash a set of round 1 packages with their senders: 32 bytes of SHA-256."""
    digest = hashlib.sha256(b"frost-hsm round 1 packages")
    for identifier, package in in_order(round1_packages).items():
        data = package.commitment.encoded + package.proof_of_knowledge.serialize()
        digest.update(identifier.serialize() + len(data).to_bytes(4, "big") + data)
    return digest.digest()


def verify_round1(sender: Identifier, package: round1.Package, min_signers: int) -> None:
    """Check one package on its own, as `part2` checks those of all others.

    Raises `IncorrectNumberOfCommitments`, `InvalidProofOfKnowledge`.
    """
    check_entries({sender: package}, min_signers)
    _check_proofs({sender: package})


def verify_share(
    sender: Identifier, commitment: VerifiableSecretSharingCommitment, receiver: Identifier, share: SigningShare
) -> None:
    """Check one share against its sender's commitment, as `part3` does. Raises `InvalidSecretShare`."""
    check_shares(receiver, {sender: commitment.elements}, {sender: share})


def _check_proofs(packages: Mapping[Identifier, round1.Package]) -> None:
    """Check each proof of knowledge of a constant term."""
    wrong = proof_of_knowledge.find_wrong(
        [
            Claim(sender, package.commitment, package.proof_of_knowledge, package.commitment.elements[0])
            for sender, package in packages.items()
        ]
    )
    if wrong:
        raise InvalidProofOfKnowledge(f"the proof of knowledge of {names(wrong)} does not verify", culprits=wrong)
