"""A whole key generation or signature in one process, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stage.p256 import identifiers

from frost_hsm.frost import signing
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.keys import dkg, round1, round2
from frost_hsm.frost.packages import (
    Identifier,
    KeyPackage,
    PublicKeyPackage,
    SignatureShare,
    SigningNonces,
    SigningPackage,
)


def others(packages: Mapping[Identifier, Any], own: Identifier) -> dict[Identifier, Any]:
    return {sender: package for sender, package in packages.items() if sender != own}


@dataclass
class Run:
    """One key generation, round by round; tests tamper with its maps in between."""

    suite: Ciphersuite
    numbers: Sequence[int]
    min_signers: int
    secrets1: dict[Identifier, round1.SecretPackage] = field(default_factory=dict)
    packages1: dict[Identifier, round1.Package] = field(default_factory=dict)
    secrets2: dict[Identifier, round2.SecretPackage] = field(default_factory=dict)
    packages2: dict[Identifier, dict[Identifier, round2.Package]] = field(default_factory=dict)  # by sender

    def __post_init__(self) -> None:
        self.ids = identifiers(self.suite, *self.numbers)
        for own in self.ids:
            self.secrets1[own], self.packages1[own] = dkg.part1(
                self.suite, own, max_signers=len(self.ids), min_signers=self.min_signers
            )

    def round1_for(self, own: Identifier) -> dict[Identifier, round1.Package]:
        return others(self.packages1, own)

    def round2_for(self, own: Identifier) -> dict[Identifier, round2.Package]:
        return {sender: sent[own] for sender, sent in self.packages2.items() if sender != own}

    def part2(self, own: Identifier) -> None:
        self.secrets2[own], self.packages2[own] = dkg.part2(self.secrets1[own], self.round1_for(own))

    def part3(self, own: Identifier, *, strict: bool | None = None) -> tuple[KeyPackage, PublicKeyPackage]:
        return dkg.part3(self.secrets2[own], self.round1_for(own), self.round2_for(own), strict=strict)

    def until_part3(self) -> Run:
        for own in self.ids:
            self.part2(own)
        return self

    def finish(self, *, strict: bool | None = None) -> tuple[dict[Identifier, KeyPackage], PublicKeyPackage]:
        """Run what is left; everybody must end with the same public key package."""
        self.until_part3()
        results = {own: self.part3(own, strict=strict) for own in self.ids}
        public, *rest = (package for _, package in results.values())
        assert all(package == public for package in rest)
        return {own: package for own, (package, _) in results.items()}, public


@dataclass
class Signing:
    """One signature until its shares are made."""

    signers: Sequence[KeyPackage]
    message: bytes

    def __post_init__(self) -> None:
        committed = {package.identifier: signing.commit(package) for package in self.signers}
        self.nonces: dict[Identifier, SigningNonces] = {own: nonces for own, (nonces, _) in committed.items()}
        self.package = SigningPackage(
            self.signers[0].ciphersuite, {own: pair[1] for own, pair in committed.items()}, self.message
        )

    def shares(self) -> dict[Identifier, SignatureShare]:
        return {
            key_package.identifier: signing.sign(self.package, self.nonces[key_package.identifier], key_package)
            for key_package in self.signers
        }
