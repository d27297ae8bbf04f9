"""What implementations do together: key generation and signatures, with every result compared."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import pytest
from peers.process import PeerError

from frost_hsm.errors import FrostHsmError
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.keys import round1, round2
from frost_hsm.frost.packages import KeyPackage, PublicKeyPackage, SignatureShare, SigningCommitments, SigningPackage
from frost_hsm.frost.values import Identifier, Signature, VerifyingKey


class Participant(Protocol):
    """One participant of a key generation and of signatures."""

    identifier: Identifier

    def part1(self, max_signers: int, min_signers: int) -> round1.Package: ...
    def part2(self, packages: Mapping[Identifier, round1.Package]) -> dict[Identifier, round2.Package]: ...
    def part3(
        self, round1_packages: Mapping[Identifier, round1.Package], round2_packages: Mapping[Identifier, round2.Package]
    ) -> PublicKeyPackage: ...
    def key_package(self) -> KeyPackage: ...
    def take_key_package(self, key_package: KeyPackage, public_key_package: PublicKeyPackage) -> None: ...
    def commit(self) -> SigningCommitments: ...
    def sign(self, package: SigningPackage) -> SignatureShare: ...


class Implementation(Protocol):
    """A program that has participants, and aggregates and verifies for anybody."""

    def join(self, identifier: Identifier) -> Participant: ...
    def aggregate(
        self, package: SigningPackage, shares: Mapping[Identifier, SignatureShare], public: PublicKeyPackage
    ) -> Signature: ...
    def verify(self, message: bytes, signature: Signature, key: VerifyingKey) -> None: ...
    def verify_share(
        self, identifier: Identifier, share: SignatureShare, package: SigningPackage, public: PublicKeyPackage
    ) -> None: ...


def choose_identifiers(suite: Ciphersuite, choices: random.Random, count: int) -> list[Identifier]:
    """Choose from the three kinds: 1 to n, any 16-bit numbers, derived from bytes."""
    kind = choices.randrange(3)
    if kind == 0:
        return [Identifier.from_u16(suite, number) for number in range(1, count + 1)]
    if kind == 1:
        return [Identifier.from_u16(suite, number) for number in choices.sample(range(1, 1 << 16), count)]
    return [Identifier.derive(suite, choices.randbytes(choices.randrange(1, 40))) for _ in range(count)]


def join(suite: Ciphersuite, choices: random.Random, sides: Sequence[Implementation]) -> list[Participant]:
    """Let a participant of each side join, under identifiers of any kind."""
    identifiers = choose_identifiers(suite, choices, len(sides))
    return [side.join(identifier) for side, identifier in zip(sides, identifiers, strict=True)]


def exchange_round1(participants: Sequence[Participant], min_signers: int) -> dict[Identifier, round1.Package]:
    """Let everybody run part1."""
    return {one.identifier: one.part1(len(participants), min_signers) for one in participants}


def others(packages: Mapping[Identifier, round1.Package], own: Identifier) -> dict[Identifier, round1.Package]:
    """Return what everybody but one sent to all."""
    return {sender: package for sender, package in packages.items() if sender != own}


def exchange_round2(
    participants: Sequence[Participant], first: Mapping[Identifier, round1.Package]
) -> dict[Identifier, dict[Identifier, round2.Package]]:
    """Let everybody run part2. Returns what each one receives, by sender."""
    received: dict[Identifier, dict[Identifier, round2.Package]] = {one.identifier: {} for one in participants}
    for one in participants:
        for recipient, package in one.part2(others(first, one.identifier)).items():
            received[recipient][one.identifier] = package
    return received


def generate_key(participants: Sequence[Participant], min_signers: int) -> PublicKeyPackage:
    """Make a key together; all must end up with the same public key package, and shares that fit it."""
    first = exchange_round1(participants, min_signers)
    second = exchange_round2(participants, first)
    published = [one.part3(others(first, one.identifier), second[one.identifier]) for one in participants]
    public = published[0]
    assert all(package == public for package in published)
    assert public.min_signers == min_signers
    check_key_packages(participants, public)
    return public


def check_key_packages(participants: Sequence[Participant], public: PublicKeyPackage) -> None:
    """Check that everybody holds the share that everybody else thinks they hold."""
    for one in participants:
        held = one.key_package()
        assert held.identifier == one.identifier
        assert held.verifying_key == public.verifying_key
        assert held.min_signers == public.min_signers
        assert held.verifying_share == public.verifying_shares[one.identifier] == held.signing_share.verifying_share()


def sign(
    signers: Sequence[Participant], public: PublicKeyPackage, message: bytes, verifiers: Sequence[Implementation]
) -> Signature:
    """Sign together; every implementation must aggregate to the same signature and accept it, and the first share."""
    package = SigningPackage(public.ciphersuite, {one.identifier: one.commit() for one in signers}, message)
    shares = {one.identifier: one.sign(package) for one in signers}
    signatures = [verifier.aggregate(package, shares, public) for verifier in verifiers]
    assert all(signature == signatures[0] for signature in signatures)
    first = signers[0].identifier
    for verifier in verifiers:
        verifier.verify(message, signatures[0], public.verifying_key)
        verifier.verify_share(first, shares[first], package, public)
    return signatures[0]


def blamed(work: Callable[[], object]) -> tuple[str, tuple[str, ...]]:
    """Return the error's name and the culprits, whoever raised it."""
    with pytest.raises((PeerError, FrostHsmError)) as caught:
        work()
    if isinstance(caught.value, PeerError):
        return caught.value.name, caught.value.culprits
    assert isinstance(caught.value, FrostHsmError)
    return type(caught.value).__name__, tuple(culprit.serialize().hex() for culprit in caught.value.culprits)  # type: ignore[arg-type]
