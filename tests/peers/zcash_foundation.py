"""ZcashFoundation's crates behind the contract of `ceremony`, exchanging packages in either encoding.

What the crates write is read by frost_hsm and must be exactly what frost_hsm would have written; what frost_hsm
writes is read by the crates. So every exchange is a test of both encoders and both decoders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from peers.process import PeerProcess

from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.encoding.package import SecretPackage
from frost_hsm.frost.keys import round1, round2
from frost_hsm.frost.packages import KeyPackage, PublicKeyPackage, SignatureShare, SigningCommitments, SigningPackage
from frost_hsm.frost.values import Identifier, Signature, VerifyingKey
from frost_hsm.secret import Secret

T = TypeVar("T")


class Form(StrEnum):
    """The encoding that packages travel in."""

    JSON = "json"
    POSTCARD = "postcard"


def public_bytes(data: bytes | Secret) -> bytes:
    """Give a peer what no program of ours gets: the bytes of a secret."""
    if isinstance(data, Secret):
        with data.reveal() as view:
            return bytes(view)
    return data


def write(package: Any, form: Form) -> str:
    """Write a package as it travels: JSON text, or postcard in hex."""
    if form is Form.POSTCARD:
        return public_bytes(package.serialize()).hex()
    text = package.to_json()
    return text if isinstance(text, str) else public_bytes(text).decode()


def read(kind: type[T], suite: Ciphersuite, text: str, form: Form) -> T:
    """Read what a peer wrote; frost_hsm must write the very same."""
    given: Any = text.encode() if form is Form.JSON else bytes.fromhex(text)
    if issubclass(kind, SecretPackage):
        given = Secret(given)
    package: Any = kind.from_json(suite, given) if form is Form.JSON else kind.deserialize(suite, given)  # type: ignore[attr-defined]
    assert write(package, form) == text
    return package  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Rust:
    """ZcashFoundation's crates, in a process, with packages in one form."""

    suite: Ciphersuite
    process: PeerProcess
    form: Form = Form.POSTCARD

    def ask(self, do: str, **arguments: Any) -> Any:
        return self.process.ask(do, form=self.form, **arguments)

    def write(self, package: Any) -> str:
        return write(package, self.form)

    def write_map(self, packages: Mapping[Identifier, Any]) -> dict[str, str]:
        return {key(identifier): self.write(package) for identifier, package in packages.items()}

    def read(self, kind: type[T], text: str) -> T:
        return read(kind, self.suite, text, self.form)

    def read_map(self, kind: type[T], texts: Mapping[str, str]) -> dict[Identifier, T]:
        return {self.identifier(name): self.read(kind, text) for name, text in texts.items()}

    def identifier(self, name: str) -> Identifier:
        return Identifier.deserialize(self.suite, bytes.fromhex(name))

    def join(self, identifier: Identifier) -> RustParticipant:
        return RustParticipant(self, identifier)

    def aggregate(
        self, package: SigningPackage, shares: Mapping[Identifier, SignatureShare], public: PublicKeyPackage
    ) -> Signature:
        answer = self.ask(
            "aggregate",
            signing_package=self.write(package),
            shares=self.write_map(shares),
            public_key_package=self.write(public),
            cheater_detection="all",
        )
        return Signature.deserialize(self.suite, bytes.fromhex(answer["signature"]))

    def verify(self, message: bytes, signature: Signature, key: VerifyingKey) -> None:
        self.ask(
            "verify",
            message=message.hex(),
            signature=signature.serialize().hex(),
            verifying_key=key.serialize().hex(),
        )

    def verify_share(
        self, identifier: Identifier, share: SignatureShare, package: SigningPackage, public: PublicKeyPackage
    ) -> None:
        self.ask(
            "verify_share",
            identifier=key(identifier),
            verifying_share=public.verifying_shares[identifier].serialize().hex(),
            share=self.write(share),
            signing_package=self.write(package),
            verifying_key=public.verifying_key.serialize().hex(),
        )


class RustParticipant:
    def __init__(self, rust: Rust, identifier: Identifier) -> None:
        self.rust = rust
        self.identifier = identifier

    def part1(self, max_signers: int, min_signers: int) -> round1.Package:
        return self.run_part1("part1", max_signers, min_signers)

    def part2(self, packages: Mapping[Identifier, round1.Package]) -> dict[Identifier, round2.Package]:
        return self.run_part2("part2", packages)

    def part3(
        self, round1_packages: Mapping[Identifier, round1.Package], round2_packages: Mapping[Identifier, round2.Package]
    ) -> PublicKeyPackage:
        return self.run_part3("part3", round1_packages, round2_packages)

    def run_part1(self, do: str, max_signers: int, min_signers: int) -> round1.Package:
        answer = self.rust.ask(do, identifier=key(self.identifier), max_signers=max_signers, min_signers=min_signers)
        self.round1 = answer["handle"]
        return self.rust.read(round1.Package, answer["package"])

    def run_part2(self, do: str, packages: Mapping[Identifier, round1.Package]) -> dict[Identifier, round2.Package]:
        answer = self.rust.ask(do, handle=self.round1, round1_packages=self.rust.write_map(packages))
        self.round2 = answer["handle"]
        return self.rust.read_map(round2.Package, answer["packages"])

    def run_part3(
        self,
        do: str,
        round1_packages: Mapping[Identifier, round1.Package],
        round2_packages: Mapping[Identifier, round2.Package],
        **arguments: Any,
    ) -> PublicKeyPackage:
        answer = self.rust.ask(
            do,
            handle=self.round2,
            round1_packages=self.rust.write_map(round1_packages),
            round2_packages=self.rust.write_map(round2_packages),
            **arguments,
        )
        self.key = answer["handle"]
        return self.rust.read(PublicKeyPackage, answer["public_key_package"])

    def key_package(self) -> KeyPackage:
        return self.export("key_package", KeyPackage, self.key)

    def take_key_package(self, key_package: KeyPackage, public_key_package: PublicKeyPackage) -> None:
        package = self.rust.write(key_package)
        self.key = self.rust.ask("import", kind="key_package", package=package)["handle"]

    def commit(self) -> SigningCommitments:
        answer = self.rust.ask("commit", key=self.key)
        self.nonces = answer["handle"]
        return self.rust.read(SigningCommitments, answer["commitments"])

    def sign(self, package: SigningPackage, **how: str) -> SignatureShare:
        written = self.rust.write(package)
        answer = self.rust.ask("sign", key=self.key, nonces=self.nonces, signing_package=written, **how)
        return self.rust.read(SignatureShare, answer["share"])

    def export(self, name: str, kind: type[T], handle: int) -> T:
        return self.rust.read(kind, self.rust.ask("export", kind=name, handle=handle)["package"])


def key(identifier: Identifier) -> str:
    """Write an identifier as the peers do."""
    return identifier.serialize().hex()
