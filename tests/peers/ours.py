"""frost_hsm itself, behind the contract of `ceremony`."""

from __future__ import annotations

from collections.abc import Mapping

from frost_hsm.frost import signing
from frost_hsm.frost.keys import dkg, round1, round2
from frost_hsm.frost.packages import KeyPackage, PublicKeyPackage, SignatureShare, SigningCommitments, SigningPackage
from frost_hsm.frost.values import Identifier, Signature, VerifyingKey


class OurParticipant:
    def __init__(self, identifier: Identifier) -> None:
        self.identifier = identifier

    def part1(self, max_signers: int, min_signers: int) -> round1.Package:
        suite = self.identifier.ciphersuite
        self._round1, package = dkg.part1(suite, self.identifier, max_signers=max_signers, min_signers=min_signers)
        return package

    def part2(self, packages: Mapping[Identifier, round1.Package]) -> dict[Identifier, round2.Package]:
        self._round2, sent = dkg.part2(self._round1, packages)
        return sent

    def part3(
        self, round1_packages: Mapping[Identifier, round1.Package], round2_packages: Mapping[Identifier, round2.Package]
    ) -> PublicKeyPackage:
        self.key, public = dkg.part3(self._round2, round1_packages, round2_packages)
        return public

    def key_package(self) -> KeyPackage:
        return self.key

    def take_key_package(self, key_package: KeyPackage, public_key_package: PublicKeyPackage) -> None:
        self.key = key_package

    def commit(self) -> SigningCommitments:
        self.nonces, commitments = signing.commit(self.key)
        return commitments

    def sign(self, package: SigningPackage) -> SignatureShare:
        return signing.sign(package, self.nonces, self.key)


class Ours:
    """frost_hsm."""

    def join(self, identifier: Identifier) -> OurParticipant:
        return OurParticipant(identifier)

    def aggregate(
        self, package: SigningPackage, shares: Mapping[Identifier, SignatureShare], public: PublicKeyPackage
    ) -> Signature:
        return signing.aggregate(package, shares, public)

    def verify(self, message: bytes, signature: Signature, key: VerifyingKey) -> None:
        key.verify(message, signature)

    def verify_share(
        self, identifier: Identifier, share: SignatureShare, package: SigningPackage, public: PublicKeyPackage
    ) -> None:
        verifying_share = public.verifying_shares[identifier]
        signing.verify_signature_share(identifier, verifying_share, share, package, public.verifying_key)
