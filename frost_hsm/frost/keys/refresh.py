"""New shares of the same key, which are worth nothing together with the old ones (ZcashFoundation: ``keys::refresh``).

A polynomial whose constant term is zero is added to the one that shares the key: by a dealer
(`compute_refreshing_shares`, `refresh_share`), or by everybody as in key generation (`refresh_dkg_part1`,
`refresh_dkg_part2`, `refresh_dkg_shares`, with the packages of `round1` and `round2`). The key and the threshold
stay; participants who take no part are left out of the group. Old shares must be deleted, and a signature is made
with shares of one refresh: of min_signers old ones the key can still be made.

On the wire commitments go without their first entry, which would be the identity; whoever reads them puts it back,
and so nobody can move the key. ZcashFoundation's packages carry a proof of knowledge of the constant term zero; it is
made and checked as what it is, R = z·G, but rests on no secret. So min_signers - 1 participants who speak last can
commit to minus the sum of what the others did, learn from round 2 what shares fit, and leave every share as it was. Use
beside it, for everybody: `prove_coefficients` and `verify_coefficients` in round 1, and `check_every_share_changed` at
the end; the last one after a dealer's refresh as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from frost_hsm.errors import (
    IncorrectNumberOfCommitments,
    IncorrectPackage,
    InvalidMinSigners,
    InvalidProofOfKnowledge,
    InvalidSecretShare,
    UnchangedShare,
    UnknownIdentifier,
)
from frost_hsm.frost import polynomial
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.keys import dkg, many_commitments, proof_of_knowledge, round1, round2
from frost_hsm.frost.keys.checks import (
    check_different,
    check_entries,
    check_numbers,
    check_round1,
    check_round2,
    check_shares,
    check_threshold,
    names,
)
from frost_hsm.frost.keys.proof_of_knowledge import Claim
from frost_hsm.frost.packages import KeyPackage, PublicKeyPackage, SecretShare
from frost_hsm.frost.values import (
    Coefficient,
    Identifier,
    SigningShare,
    VerifiableSecretSharingCommitment,
    VerifyingShare,
)
from frost_hsm.groups import Element, SecretScalar
from frost_hsm.secret import Entropy, system_entropy

# ── by a dealer ──


def compute_refreshing_shares(
    public_key_package: PublicKeyPackage, identifiers: Sequence[Identifier], entropy: Entropy = system_entropy
) -> tuple[dict[Identifier, SecretShare], PublicKeyPackage]:
    """Make what each participant adds to its share: the dealer's step. The dealer learns no share.

    identifiers: of those who stay in the group. Returns what each gets (secret, for that one alone; to be wiped) and
    the refreshed public key package. Raises `InvalidMinSigners`, `InvalidMaxSigners`, `UnknownIdentifier`,
    `DuplicatedIdentifier`, `IncorrectPackage`.
    """
    suite, group = public_key_package.ciphersuite, public_key_package.ciphersuite.group
    min_signers = _check_staying(public_key_package, identifiers)
    coefficients = _zero_polynomial(suite, min_signers, entropy)
    commitment = _commit(suite, coefficients)
    values = group.evaluate(coefficients, [identifier.value for identifier in identifiers])
    for coefficient in coefficients:
        coefficient.wipe()
    added = {i: group.multiply_base(value) for i, value in zip(identifiers, values, strict=True)}
    shares = {
        i: SecretShare(suite, i, SigningShare(suite, value), commitment)
        for i, value in zip(identifiers, values, strict=True)
    }
    return shares, _add_to_all(public_key_package, added, min_signers)


def refresh_share(refreshing_share: SecretShare, key_package: KeyPackage) -> KeyPackage:
    """Add what the dealer sent to a participant's share.

    The caller wipes both, the old package once everybody has refreshed. Compare the verifying share with that of the
    refreshed public key package. Raises `IncorrectPackage` for somebody else's share; and, without culprits, because
    the dealer is none of the participants, `IncorrectNumberOfCommitments` for another threshold and
    `InvalidSecretShare`.
    """
    suite, group, own = key_package.ciphersuite, key_package.ciphersuite.group, key_package.identifier
    suite.check_owns(refreshing_share)
    if refreshing_share.identifier != own:
        raise IncorrectPackage(f"the refreshing share is for {refreshing_share.identifier}, not for {own}")
    entries, scalar = len(refreshing_share.commitment), refreshing_share.signing_share.scalar
    if entries != key_package.min_signers - 1:
        raise IncorrectNumberOfCommitments(
            f"the dealer's commitment has {entries} entries instead of {key_package.min_signers - 1}"
        )
    if not polynomial.commits_to(group, _whole(refreshing_share.commitment), own.value, scalar):
        raise InvalidSecretShare(f"the refreshing share of {own} does not match the commitment")
    share = SigningShare(suite, group.add_scalars((key_package.signing_share.scalar, scalar)))
    return replace(key_package, signing_share=share, verifying_share=share.verifying_share())


def refresh_public_key_package(
    public_key_package: PublicKeyPackage,
    commitment: VerifiableSecretSharingCommitment,
    identifiers: Sequence[Identifier],
) -> PublicKeyPackage:
    """Add a refreshing polynomial to the verifying shares of those who stay: anybody can, and compare.

    commitment: without its first entry. Raises what `compute_refreshing_shares` raises, and `IncorrectPackage` if the
    package is not one of its key and threshold, before or afterwards.
    """
    public_key_package.ciphersuite.check_owns(commitment)
    min_signers = _check_staying(public_key_package, identifiers)
    if len(commitment) != min_signers - 1:
        raise IncorrectPackage(
            f"a commitment of {len(commitment)} entries does not refresh a threshold of {min_signers}"
        )
    return _add_to_all(public_key_package, _evaluate(_whole(commitment), identifiers), min_signers)


# ── by everybody ──


def refresh_dkg_part1(
    ciphersuite: Ciphersuite,
    identifier: Identifier,
    *,
    max_signers: int,
    min_signers: int,
    entropy: Entropy = system_entropy,
) -> tuple[round1.SecretPackage, round1.Package]:
    """Make a secret polynomial whose constant term is zero, and commit to it.

    max_signers: how many refresh. min_signers: as ever. Returns what to keep for `refresh_dkg_part2` (secret) and what
    to send to all others who refresh (public). Raises `InvalidMinSigners`, `InvalidMaxSigners`, `IncorrectPackage`.
    """
    check_numbers(max_signers, min_signers)
    ciphersuite.check_owns(identifier)
    scalars = _zero_polynomial(ciphersuite, min_signers, entropy)
    commitment = _commit(ciphersuite, scalars)
    proof = proof_of_knowledge.prove(identifier, scalars[0], commitment, entropy)
    coefficients = [Coefficient(ciphersuite, scalar) for scalar in scalars]
    secret = round1.SecretPackage(ciphersuite, identifier, coefficients, commitment, min_signers, max_signers)
    return secret, round1.Package(ciphersuite, commitment, proof)


def refresh_dkg_part2(
    secret_package: round1.SecretPackage, round1_packages: Mapping[Identifier, round1.Package]
) -> tuple[round2.SecretPackage, dict[Identifier, round2.Package]]:
    """Check what the others committed to; evaluate the own polynomial for each of them.

    round1_packages: of all others who refresh, by sender. Consumes ``secret_package``. Returns and raises what
    `dkg.part2` does.
    """
    with secret_package.consumed() as coefficients:
        packages = check_round1(secret_package, round1_packages, secret_package.min_signers - 1)
        _check_refreshing(secret_package, coefficients)
        _check_proofs(packages)
        return dkg.share_out(secret_package, coefficients, packages)


def refresh_dkg_shares(
    secret_package: round2.SecretPackage,
    round1_packages: Mapping[Identifier, round1.Package],
    round2_packages: Mapping[Identifier, round2.Package],
    public_key_package: PublicKeyPackage,
    key_package: KeyPackage,
    *,
    strict: bool | None = None,
) -> tuple[KeyPackage, PublicKeyPackage]:
    """Check the shares received and add them to the own one; refresh everybody's verifying share.

    public_key_package, key_package: those to be refreshed, left as they are; the old key package is wiped once
    everybody has finished. round1_packages, round2_packages, strict: as for `dkg.part3`, whose errors these are too.
    Consumes ``secret_package``. Raises `InvalidMinSigners` too for another threshold than before, `UnknownIdentifier`
    for a participant that is not of the group, and `IncorrectPackage` if the old packages do not belong together or the
    threshold would fall.
    """
    with secret_package.consumed() as own_share:
        return _refresh(
            secret_package, own_share, round1_packages, round2_packages, public_key_package, key_package, strict
        )


def verify_round1(sender: Identifier, package: round1.Package, min_signers: int) -> None:
    """Check one package on its own, as `refresh_dkg_part2` does. Raises what `dkg.verify_round1` raises."""
    check_entries({sender: package}, min_signers - 1)
    _check_proofs({sender: package})


def prove_coefficients(
    secret_package: round1.SecretPackage, context: bytes, entropy: Entropy = system_entropy
) -> bytes:
    """Prove knowledge of every coefficient that `refresh_dkg_part1` drew. Ours; goes beside the round 1 package.

    context: names this refresh, so that the proof serves in no other, say the ceremony's id. Returns
    ``element_length`` + ``scalar_length`` bytes, public. ``secret_package`` stays as it is. Raises `SecretConsumed`,
    and `IncorrectPackage` if it is not one of a refresh.
    """
    coefficients = _check_refreshing(secret_package, secret_package.coefficients)
    scalars = [coefficient.scalar for coefficient in coefficients[1:]]
    return proof_of_knowledge.prove_all(secret_package.identifier, scalars, secret_package.commitment, context, entropy)


def verify_coefficients(
    sender: Identifier, commitment: VerifiableSecretSharingCommitment, proof: bytes, context: bytes
) -> None:
    """Check what `prove_coefficients` made, for the commitment of the round 1 package that it came beside.

    Raises `InvalidProofOfKnowledge` with the sender as culprit, and `IncorrectPackage`.
    """
    sender.ciphersuite.check_owns(commitment)
    if not len(commitment) or not proof_of_knowledge.verify_all(sender, commitment, context, proof):
        raise InvalidProofOfKnowledge(
            f"the proof of {sender} is not that of this refresh and commitment", culprits=(sender,)
        )


def check_every_share_changed(before: PublicKeyPackage, after: PublicKeyPackage) -> None:
    """Check that a refresh, dealt or not, gave everybody who stays another share of the same key. Ours.

    Raises `UnchangedShare`, without culprits: what is zero at somebody's number may be the polynomial of a dealer, none
    of the participants, or the sum of many. Raises `IncorrectPackage` if one package is no refresh of the other.
    """
    after.ciphersuite.check_owns(before)
    old, new = before.verifying_shares, after.verifying_shares
    if after.verifying_key != before.verifying_key or not new.keys() <= old.keys():
        raise IncorrectPackage("the refreshed public key package is of another key or has somebody new in it")
    same = [identifier for identifier, share in new.items() if share == old[identifier]]
    if same:
        raise UnchangedShare(f"the refresh leaves the share of {names(same)} as it was")


def verify_share(
    sender: Identifier, commitment: VerifiableSecretSharingCommitment, receiver: Identifier, share: SigningShare
) -> None:
    """Check one share against its sender's commitment, as `refresh_dkg_shares` does. Raises `InvalidSecretShare`."""
    check_shares(receiver, {sender: _whole(commitment)}, {sender: share})


def _refresh(
    secret: round2.SecretPackage,
    own_share: SigningShare,
    round1_packages: Mapping[Identifier, round1.Package],
    round2_packages: Mapping[Identifier, round2.Package],
    public_key_package: PublicKeyPackage,
    key_package: KeyPackage,
    strict: bool | None,
) -> tuple[KeyPackage, PublicKeyPackage]:
    suite, own, group = secret.ciphersuite, secret.identifier, secret.ciphersuite.group
    packages = check_round1(secret, round1_packages, secret.min_signers - 1)
    if len(secret.commitment) != secret.min_signers - 1:
        raise IncorrectPackage("the round 2 secret package is not one of a refresh")
    everybody = sorted((own, *packages))
    _check_old(secret, public_key_package, key_package)
    _check_known(public_key_package, everybody)
    if secret.round1_digest is None:
        _check_proofs(packages)
    elif secret.round1_digest != dkg.digest_round1(packages):
        raise IncorrectPackage("the round 1 packages are not those of part 2")
    shares = check_round2(own, packages, round2_packages)

    def check_each() -> None:
        check_shares(own, {sender: _whole(package.commitment) for sender, package in packages.items()}, shares)

    if strict or (strict is None and secret.max_signers <= dkg.STRICT_UP_TO):
        check_each()

    received = [shares[sender].scalar for sender in packages]
    share = SigningShare(suite, group.add_scalars([key_package.signing_share.scalar, own_share.scalar, *received]))
    others = [package.commitment.elements for package in packages.values()]
    total = [group.identity(), *many_commitments.add(group, [secret.commitment.elements, *others])]
    refreshed = _add_to_all(public_key_package, _evaluate(total, everybody), secret.min_signers)
    if share.verifying_share() != refreshed.verifying_shares[own]:
        check_each()
        raise IncorrectPackage("the own key package or round 2 secret package contradicts itself")
    return replace(key_package, signing_share=share, verifying_share=refreshed.verifying_shares[own]), refreshed


def _check_old(secret: round2.SecretPackage, public_key_package: PublicKeyPackage, key_package: KeyPackage) -> None:
    """Check that the packages to be refreshed are this participant's, of one group and of this threshold."""
    secret.ciphersuite.check_owns(public_key_package, key_package)
    if secret.min_signers != key_package.min_signers:
        raise InvalidMinSigners(f"a threshold of {key_package.min_signers} cannot become {secret.min_signers}")
    if public_key_package.min_signers not in (None, key_package.min_signers):
        raise InvalidMinSigners("the key package and the public key package have different thresholds")
    own, known = secret.identifier, public_key_package.verifying_shares
    if key_package.identifier != own:
        raise IncorrectPackage(f"the key package is that of {key_package.identifier}, not of {own}")
    if (key_package.verifying_key, key_package.verifying_share) != (public_key_package.verifying_key, known.get(own)):
        raise IncorrectPackage("the key package and the public key package do not belong together")


def _check_staying(public_key_package: PublicKeyPackage, identifiers: Sequence[Identifier]) -> int:
    """Check that a group can be left with these participants. Returns its threshold."""
    min_signers = check_threshold(public_key_package)
    public_key_package.ciphersuite.check_owns(*identifiers)
    check_numbers(len(identifiers), min_signers)
    check_different(identifiers)
    _check_known(public_key_package, identifiers)
    return min_signers


def _check_known(public_key_package: PublicKeyPackage, identifiers: Sequence[Identifier]) -> None:
    for identifier in identifiers:
        if identifier not in public_key_package.verifying_shares:
            raise UnknownIdentifier(f"{identifier} is not of this group")


def _check_proofs(packages: Mapping[Identifier, round1.Package]) -> None:
    """Check each proof of knowledge of zero."""
    wrong = proof_of_knowledge.find_wrong(
        [
            Claim(sender, package.commitment, package.proof_of_knowledge, sender.ciphersuite.group.identity())
            for sender, package in packages.items()
        ]
    )
    if wrong:
        raise InvalidProofOfKnowledge(f"the proof of {names(wrong)} is not that of a refresh", culprits=wrong)


def _check_refreshing(
    secret_package: round1.SecretPackage, coefficients: tuple[Coefficient, ...]
) -> tuple[Coefficient, ...]:
    """Check that the polynomial is one of this threshold whose constant term is zero, and return it."""
    entries, group = len(secret_package.commitment), secret_package.ciphersuite.group
    fits = len(coefficients) == entries + 1 == secret_package.min_signers
    if not fits or not group.is_zero(coefficients[0].scalar):
        raise IncorrectPackage("the round 1 secret package is not one of a refresh")
    return coefficients


def _zero_polynomial(suite: Ciphersuite, min_signers: int, entropy: Entropy) -> list[SecretScalar]:
    group = suite.group
    return [group.add_scalars(()), *(group.random_scalar(entropy) for _ in range(min_signers - 1))]


def _commit(suite: Ciphersuite, coefficients: Sequence[SecretScalar]) -> VerifiableSecretSharingCommitment:
    """Commit to all coefficients but the first, which everybody knows to be zero."""
    return VerifiableSecretSharingCommitment.commit(suite, coefficients[1:])


def _whole(commitment: VerifiableSecretSharingCommitment) -> tuple[Element, ...]:
    """Put the first entry back, the identity."""
    return (commitment.ciphersuite.group.identity(), *commitment.elements)


def _evaluate(commitment: Sequence[Element], identifiers: Sequence[Identifier]) -> dict[Identifier, Element]:
    """Evaluate a commitment at each identifier."""
    group, numbers = identifiers[0].ciphersuite.group, [identifier.value for identifier in identifiers]
    return dict(zip(identifiers, polynomial.evaluate_commitment_at_all(group, commitment, numbers), strict=True))


def _add_to_all(
    public_key_package: PublicKeyPackage, added: Mapping[Identifier, Element], min_signers: int
) -> PublicKeyPackage:
    """Add to the verifying shares of those who stay; see that key and threshold are right, before and afterwards.

    added: changed in place.
    """
    suite, group = public_key_package.ciphersuite, public_key_package.ciphersuite.group
    key = public_key_package.verifying_key.element
    for identifier, value in added.items():
        group.accumulate(value, public_key_package.verifying_shares[identifier].element)
    shares = {i: VerifyingShare.from_element(suite, value) for i, value in added.items()}
    refreshed = replace(public_key_package, verifying_shares=shares, min_signers=min_signers)

    def make_the_key(package: PublicKeyPackage, count: int) -> bool:
        points = {i.value: package.verifying_shares[i].element for i in list(added)[:count]}
        return group.equal(polynomial.interpolate(group, points), key)

    if make_the_key(public_key_package, min_signers - 1) or not make_the_key(refreshed, min_signers):
        raise IncorrectPackage("the verifying shares are not those of the group key with this threshold")
    if make_the_key(refreshed, min_signers - 1):
        raise IncorrectPackage("the commitments cancel out: fewer participants than the threshold could sign")
    return refreshed
