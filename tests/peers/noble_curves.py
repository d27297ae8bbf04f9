"""@noble/curves behind the contract of `ceremony`.

It has plain objects where others have packages; their fields are put into frost_hsm's packages and taken from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from peers.process import PeerProcess
from peers.zcash_foundation import key, public_bytes

from frost_hsm.errors import InvalidSignature, InvalidSignatureShare
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.keys import round1, round2
from frost_hsm.frost.packages import KeyPackage, PublicKeyPackage, SignatureShare, SigningCommitments, SigningPackage
from frost_hsm.frost.values import (
    Identifier,
    NonceCommitment,
    Signature,
    SignatureResponse,
    SigningShare,
    VerifiableSecretSharingCommitment,
    VerifyingKey,
    VerifyingShare,
)
from frost_hsm.secret import Secret


@dataclass(frozen=True)
class Noble:
    """noble, in a process."""

    suite: Ciphersuite
    process: PeerProcess

    def join(self, identifier: Identifier) -> NobleParticipant:
        return NobleParticipant(self, identifier)

    def aggregate(
        self, package: SigningPackage, shares: Mapping[Identifier, SignatureShare], public: PublicKeyPackage
    ) -> Signature:
        answer = self.process.ask(
            "aggregate",
            public=public_fields(public),
            shares={key(identifier): share.serialize().hex() for identifier, share in shares.items()},
            **signing_fields(package),
        )
        return Signature.deserialize(self.suite, bytes.fromhex(answer["signature"]))

    def verify(self, message: bytes, signature: Signature, verifying_key: VerifyingKey) -> None:
        answer = self.process.ask(
            "verify",
            message=message.hex(),
            signature=signature.serialize().hex(),
            verifying_key=verifying_key.serialize().hex(),
        )
        if not answer["valid"]:
            raise InvalidSignature("noble says no")

    def verify_share(
        self, identifier: Identifier, share: SignatureShare, package: SigningPackage, public: PublicKeyPackage
    ) -> None:
        answer = self.process.ask(
            "verify_share",
            identifier=key(identifier),
            share=share.serialize().hex(),
            public=public_fields(public),
            **signing_fields(package),
        )
        if not answer["valid"]:
            raise InvalidSignatureShare("noble says no", culprits=(identifier,))

    def identifier(self, name: str) -> Identifier:
        return Identifier.deserialize(self.suite, bytes.fromhex(name))

    def read_public(self, fields: Any) -> PublicKeyPackage:
        verifying_shares = {
            self.identifier(name): VerifyingShare.deserialize(self.suite, bytes.fromhex(share))
            for name, share in fields["verifyingShares"].items()
        }
        verifying_key = VerifyingKey.deserialize(self.suite, bytes.fromhex(fields["commitments"][0]))
        return PublicKeyPackage(self.suite, verifying_shares, verifying_key, fields["signers"]["min"])


class NobleParticipant:
    def __init__(self, noble: Noble, identifier: Identifier) -> None:
        self._noble = noble
        self._ask = noble.process.ask
        self.identifier = identifier

    def part1(self, max_signers: int, min_signers: int) -> round1.Package:
        answer = self._ask("part1", identifier=key(self.identifier), signers={"min": min_signers, "max": max_signers})
        self._round = answer["handle"]
        fields, suite = answer["package"], self._noble.suite
        assert fields["identifier"] == key(self.identifier)
        return round1.Package(
            suite,
            VerifiableSecretSharingCommitment.deserialize_whole(suite, bytes.fromhex("".join(fields["commitment"]))),
            Signature.deserialize(suite, bytes.fromhex(fields["proofOfKnowledge"])),
        )

    def part2(self, packages: Mapping[Identifier, round1.Package]) -> dict[Identifier, round2.Package]:
        answer = self._ask("part2", handle=self._round, round1_packages=round1_fields(packages))
        return {self._noble.identifier(name): self._read_share(share) for name, share in answer["packages"].items()}

    def part3(
        self, round1_packages: Mapping[Identifier, round1.Package], round2_packages: Mapping[Identifier, round2.Package]
    ) -> PublicKeyPackage:
        answer = self._ask(
            "part3",
            handle=self._round,
            round1_packages=round1_fields(round1_packages),
            round2_packages=round2_fields(round2_packages),
        )
        self._key = answer["handle"]
        self._public = self._noble.read_public(answer["public"])
        return self._public

    def key_package(self) -> KeyPackage:
        secret = self._ask("export", handle=self._key)["secret"]
        share = SigningShare.deserialize(self._noble.suite, Secret(bytes.fromhex(secret["signingShare"])))
        public = self._public
        assert public.min_signers is not None
        verifying_share = public.verifying_shares[self.identifier]
        return KeyPackage(
            public.ciphersuite, self.identifier, share, verifying_share, public.verifying_key, public.min_signers
        )

    def take_key_package(self, key_package: KeyPackage, public_key_package: PublicKeyPackage) -> None:
        share = public_bytes(key_package.signing_share.serialize()).hex()
        secret = {"identifier": key(self.identifier), "signingShare": share}
        self._key = self._ask("import", secret=secret, public=public_fields(public_key_package))["handle"]
        self._public = public_key_package

    def commit(self) -> SigningCommitments:
        answer = self._ask("commit", key=self._key)
        self._nonces = answer["handle"]
        suite = self._noble.suite
        hiding, binding = (
            NonceCommitment.deserialize(suite, bytes.fromhex(answer["commitments"][name]))
            for name in ("hiding", "binding")
        )
        return SigningCommitments(suite, hiding, binding)

    def sign(self, package: SigningPackage) -> SignatureShare:
        answer = self._ask("sign", key=self._key, nonces=self._nonces, **signing_fields(package))
        suite = self._noble.suite
        return SignatureShare(suite, SignatureResponse.deserialize(suite, bytes.fromhex(answer["share"])))

    def _read_share(self, fields: Any) -> round2.Package:
        assert fields["identifier"] == key(self.identifier)  # the sender's
        suite = self._noble.suite
        return round2.Package(suite, SigningShare.deserialize(suite, Secret(bytes.fromhex(fields["signingShare"]))))


# ── frost_hsm's packages as noble's objects ──


def round1_fields(packages: Mapping[Identifier, round1.Package]) -> list[dict[str, Any]]:
    return [
        {
            "identifier": key(sender),
            "commitment": split_elements(package.commitment),
            "proofOfKnowledge": package.proof_of_knowledge.serialize().hex(),
        }
        for sender, package in packages.items()
    ]


def split_elements(commitment: VerifiableSecretSharingCommitment) -> list[str]:
    length = commitment.ciphersuite.group.element_length
    encoded = commitment.encoded
    return [encoded[k : k + length].hex() for k in range(0, len(encoded), length)]


def round2_fields(packages: Mapping[Identifier, round2.Package]) -> list[dict[str, str]]:
    return [
        {"identifier": key(sender), "signingShare": public_bytes(package.signing_share.serialize()).hex()}
        for sender, package in packages.items()
    ]


def public_fields(public: PublicKeyPackage) -> dict[str, Any]:
    """Of the commitments of the whole group only the first is used in signing: the key."""
    return {
        "signers": {"min": public.min_signers, "max": len(public.verifying_shares)},
        "commitments": [public.verifying_key.serialize().hex()],
        "verifyingShares": {key(own): share.serialize().hex() for own, share in public.verifying_shares.items()},
    }


def signing_fields(package: SigningPackage) -> dict[str, Any]:
    commitments = [
        {"identifier": key(own), "hiding": made.hiding.encoded.hex(), "binding": made.binding.encoded.hex()}
        for own, made in package.signing_commitments.items()
    ]
    return {"commitments": commitments, "message": package.message.hex()}
