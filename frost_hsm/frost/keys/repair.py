"""Rebuilding a lost share, or making one for a new participant (ZcashFoundation: ``keys::repairable``).

The repairable threshold scheme of Laing and Stinson (https://eprint.iacr.org/2017/1155): at least min_signers
helpers each cut their part of the share into one random piece, a `Delta`, for every helper; each adds up the pieces
it got to a `Sigma` and sends that to the participant, who adds up those. Nobody but the participant learns the
share, and the participant learns no helper's. Every delta and sigma is secret, for its recipient alone, and wiped
by the caller. They carry no proof: that a result is wrong shows, who spoilt it does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from frost_hsm.errors import (
    IncorrectNumberOfIdentifiers,
    IncorrectNumberOfPackages,
    IncorrectPackage,
    NotPossible,
    UnknownIdentifier,
)
from frost_hsm.frost import polynomial
from frost_hsm.frost.keys.checks import check_different, check_threshold
from frost_hsm.frost.packages import KeyPackage, PublicKeyPackage
from frost_hsm.frost.values import Identifier, SecretValue, SigningShare, VerifyingShare
from frost_hsm.secret import Entropy, system_entropy


class Delta(SecretValue):
    """One helper's piece of its part, for one helper. Secret."""

    __slots__ = ()


class Sigma(SecretValue):
    """What one helper sends to the participant: the sum of the deltas it got. Secret."""

    __slots__ = ()


def repair_share_part1(
    helpers: Sequence[Identifier],
    key_package: KeyPackage,
    participant: Identifier,
    entropy: Entropy = system_entropy,
) -> dict[Identifier, Delta]:
    """Cut this helper's part of the participant's share into a delta for each helper, itself included.

    helpers: everybody's who helps, alike for all. participant: whose share it is, or will be. Returns secrets,
    each for the helper it is filed under. Raises `IncorrectNumberOfIdentifiers` for fewer helpers than
    min_signers, `UnknownIdentifier` if this one is not among them, `DuplicatedIdentifier`, `NotPossible` if the
    participant is, and `IncorrectPackage`.
    """
    suite, group = key_package.ciphersuite, key_package.ciphersuite.group
    suite.check_owns(participant, *helpers)
    _check_helpers(helpers, participant, key_package.min_signers)
    if key_package.identifier not in helpers:
        raise UnknownIdentifier(f"{key_package.identifier} is not among the helpers")
    *others, last = sorted(helpers)  # the last one's delta makes up for the random ones, as ZcashFoundation's does
    numbers = [helper.value for helper in helpers]
    factor = polynomial.lagrange(group.order, numbers, key_package.identifier.value, participant.value)
    drawn = [group.random_scalar(entropy) for _ in others]
    negative = group.multiply_add(group.add_scalars(()), group.add_scalars(drawn), -1)
    rest = group.multiply_add(negative, key_package.signing_share.scalar, factor)
    return {helper: Delta(suite, scalar) for helper, scalar in zip((*others, last), (*drawn, rest), strict=True)}


def repair_share_part2(helpers: Sequence[Identifier], deltas: Mapping[Identifier, Delta]) -> Sigma:
    """Add up the deltas that this helper got, its own included, to what it sends to the participant.

    deltas: by sender. Raises `IncorrectNumberOfPackages`, `UnknownIdentifier`, `DuplicatedIdentifier` unless there
    is one from each of ``helpers``, and `IncorrectPackage`.
    """
    check_different(helpers)
    if len(deltas) != len(helpers) or not helpers:
        raise IncorrectNumberOfPackages(f"{len(deltas)} deltas from {len(helpers)} helpers")
    for helper in helpers:
        if helper not in deltas:
            raise UnknownIdentifier(f"no delta from {helper}")
    suite = helpers[0].ciphersuite
    suite.check_owns(*helpers, *deltas.values())
    return Sigma(suite, suite.group.add_scalars(delta.scalar for delta in deltas.values()))


def repair_share_part3(
    sigmas: Mapping[Identifier, Sigma], participant: Identifier, public_key_package: PublicKeyPackage
) -> KeyPackage:
    """Add up the sigmas to the participant's share, and check it.

    sigmas: from all helpers, by sender. participant: this one; new if it is not in ``public_key_package``, which
    `add_participant` then adds. Raises `InvalidMinSigners` for a public key package that does not know its
    threshold, `IncorrectNumberOfIdentifiers`, `UnknownIdentifier` for helpers that are not of the group,
    `NotPossible`, and `IncorrectPackage`, naming nobody, if the result is not the participant's share.
    """
    suite = public_key_package.ciphersuite
    suite.check_owns(participant, *sigmas.keys(), *sigmas.values())
    min_signers = check_threshold(public_key_package)
    _check_helpers(list(sigmas), participant, min_signers)
    for helper in sigmas:
        if helper not in public_key_package.verifying_shares:
            raise UnknownIdentifier(f"the helper {helper} is not of this group")
    expected = verifying_share_at(public_key_package, participant)
    scalar = suite.group.add_scalars(sigma.scalar for sigma in sigmas.values())
    if not suite.group.equal(suite.group.multiply_base(scalar), expected.element):
        scalar.wipe()
        raise IncorrectPackage(
            f"the sigmas do not add up to the share of {participant}",
            hint="a helper, or what it was sent, is wrong, and nothing shows which: start again, with other helpers",
        )
    return KeyPackage(
        suite, participant, SigningShare(suite, scalar), expected, public_key_package.verifying_key, min_signers
    )


def verifying_share_at(public_key_package: PublicKeyPackage, identifier: Identifier) -> VerifyingShare:
    """Return a participant's verifying share: the known one, or that of a new participant, computed.

    Raises `InvalidMinSigners`, `IncorrectPackage`.
    """
    suite, known = public_key_package.ciphersuite, public_key_package.verifying_shares
    suite.check_owns(identifier)
    if identifier in known:
        return known[identifier]
    min_signers = check_threshold(public_key_package)
    points = {other.value: share.element for other, share in list(known.items())[:min_signers]}
    return VerifyingShare.from_element(suite, polynomial.interpolate(suite.group, points, identifier.value))


def add_participant(public_key_package: PublicKeyPackage, identifier: Identifier) -> PublicKeyPackage:
    """Return the public key package with one more participant, whose share repair has made or will.

    Everybody who has the package can compute it. Raises `NotPossible` if the participant is in it,
    `InvalidMinSigners`, `IncorrectPackage`.
    """
    if identifier in public_key_package.verifying_shares:
        raise NotPossible(f"{identifier} is of this group already")
    added = {identifier: verifying_share_at(public_key_package, identifier)}
    return replace(public_key_package, verifying_shares={**public_key_package.verifying_shares, **added})


def _check_helpers(helpers: Sequence[Identifier], participant: Identifier, min_signers: int) -> None:
    if len(helpers) < min_signers:
        raise IncorrectNumberOfIdentifiers(f"{len(helpers)} helpers are fewer than {min_signers}")
    check_different(helpers)
    if participant in helpers:
        raise NotPossible(f"{participant} cannot help to rebuild its own share")
