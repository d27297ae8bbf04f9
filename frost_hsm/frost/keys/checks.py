"""What key generation, dealing and refreshing check alike, in ZcashFoundation's order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from frost_hsm.errors import (
    DuplicatedIdentifier,
    IncorrectNumberOfCommitments,
    IncorrectNumberOfPackages,
    IncorrectPackage,
    InvalidMaxSigners,
    InvalidMinSigners,
    InvalidSecretShare,
    UnknownIdentifier,
)
from frost_hsm.frost import polynomial
from frost_hsm.frost.keys import round1, round2
from frost_hsm.frost.packages import PublicKeyPackage
from frost_hsm.frost.values import Identifier, SigningShare, in_order
from frost_hsm.groups import Element

_MOST_SIGNERS = (1 << 16) - 1  # ZcashFoundation counts participants in 16 bits


def check_numbers(max_signers: int, min_signers: int) -> None:
    """Raise `InvalidMinSigners`, `InvalidMaxSigners` for a group that cannot be."""
    if min_signers < 2:
        raise InvalidMinSigners(f"the threshold {min_signers} is below 2")
    if not 2 <= max_signers <= _MOST_SIGNERS:
        raise InvalidMaxSigners(f"{max_signers} participants are not from 2 to {_MOST_SIGNERS}")
    if min_signers > max_signers:
        raise InvalidMinSigners(f"the threshold {min_signers} is above the number of participants {max_signers}")


def check_different(identifiers: Sequence[Identifier]) -> None:
    """Raise `DuplicatedIdentifier` if one is there twice."""
    seen: set[Identifier] = set()
    for identifier in identifiers:
        if identifier in seen:
            raise DuplicatedIdentifier(f"the identifier {identifier} is there twice")
        seen.add(identifier)


def check_threshold(public_key_package: PublicKeyPackage) -> int:
    """Return min_signers. Raises `InvalidMinSigners` where it is not known, `IncorrectPackage` if it cannot be."""
    min_signers = public_key_package.min_signers
    if min_signers is None:  # a package from before version 3 of ZcashFoundation's crates
        raise InvalidMinSigners("the public key package does not say its threshold: set its min_signers")
    if not 2 <= min_signers <= len(public_key_package.verifying_shares):
        raise IncorrectPackage(f"the public key package has a threshold of {min_signers} and fewer participants")
    return min_signers


def check_round1(
    secret: round1.SecretPackage | round2.SecretPackage,
    round1_packages: Mapping[Identifier, round1.Package],
    entries: int,
) -> dict[Identifier, round1.Package]:
    """Check that each other participant sent one package with ``entries`` commitments.

    Returns them in order. Raises `IncorrectNumberOfPackages`, `UnknownIdentifier`, `IncorrectPackage`, and
    `IncorrectNumberOfCommitments` with all culprits.
    """
    check_numbers(secret.max_signers, secret.min_signers)
    expected = secret.max_signers - 1
    if len(round1_packages) != expected:
        raise IncorrectNumberOfPackages(f"{len(round1_packages)} round 1 packages instead of {expected}")
    if secret.identifier in round1_packages:
        raise UnknownIdentifier("the own round 1 package is among those of the others")
    secret.ciphersuite.check_owns(*round1_packages, *round1_packages.values())
    packages = in_order(round1_packages)
    check_entries(packages, entries)
    return packages


def check_entries(packages: Mapping[Identifier, round1.Package], entries: int) -> None:
    """Check that each commitment has so many ``entries``. Raises `IncorrectNumberOfCommitments` with all culprits."""
    wrong = [sender for sender, package in packages.items() if len(package.commitment) != entries]
    if wrong:
        found = len(packages[wrong[0]].commitment)
        raise IncorrectNumberOfCommitments(
            f"the commitment of {wrong[0]} has {found} entries instead of {entries}", culprits=wrong
        )


def check_round2(
    own: Identifier,
    packages: Mapping[Identifier, round1.Package],
    round2_packages: Mapping[Identifier, round2.Package],
) -> dict[Identifier, SigningShare]:
    """Check that each sender of a round 1 package sent a share, and nobody else.

    Returns the shares in order. Raises `UnknownIdentifier`, `IncorrectNumberOfPackages`, `IncorrectPackage`.
    """
    if own in round2_packages:
        raise UnknownIdentifier("the own round 2 package is among those of the others")
    if len(round2_packages) != len(packages):
        raise IncorrectNumberOfPackages(f"{len(round2_packages)} round 2 packages instead of {len(packages)}")
    for sender in packages:
        if sender not in round2_packages:
            raise IncorrectPackage(f"no round 2 package of {sender}")
    own.ciphersuite.check_owns(*round2_packages.values())
    return {sender: round2_packages[sender].signing_share for sender in packages}


def check_shares(
    own: Identifier,
    commitments: Mapping[Identifier, Sequence[Element]],
    shares: Mapping[Identifier, SigningShare],
) -> None:
    """Check each share against its sender's commitment. Raises `InvalidSecretShare` with all culprits."""
    group = own.ciphersuite.group
    wrong = [
        sender
        for sender, share in shares.items()
        if not polynomial.commits_to(group, tuple(commitments[sender]), own.value, share.scalar)
    ]
    if wrong:
        raise InvalidSecretShare(f"the share from {names(wrong)} does not match the commitment", culprits=wrong)


def names(identifiers: Iterable[Identifier]) -> str:
    """List identifiers for people."""
    return ", ".join(map(str, identifiers))
