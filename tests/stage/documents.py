"""ZcashFoundation's fixtures: one package of each type, in postcard and in the JSON its tests accept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stage.p256 import G, vectors

from frost_hsm.frost.encoding.package import Package, SecretPackage
from frost_hsm.frost.keys import round1, round2
from frost_hsm.frost.packages import (
    KeyPackage,
    PublicKeyPackage,
    SecretShare,
    SignatureShare,
    SigningCommitments,
    SigningNonces,
    SigningPackage,
)
from frost_hsm.secret import Secret

HEADER = {"version": 0, "ciphersuite": "FROST-P256-SHA256-v1"}
SAMPLES = vectors("samples.json")
ID, S, E1, E2 = (SAMPLES[name] for name in ("identifier", "scalar1", "element1", "element2"))
NONCE_COMMITMENT = "02517d3f033d9b7d1994d200de245f8952bf5ac043d4014ca9af9ec20fee5119c8"
COMMITMENTS = {"header": HEADER, "hiding": E1, "binding": E2}

assert bytes.fromhex(E1) == G


@dataclass(frozen=True)
class Document:
    """A package in both encodings."""

    kind: type[Package]
    snapshot: str  # its name in postcard-snapshots.json
    json: dict[str, Any]

    @property
    def postcard(self) -> bytes:
        return bytes.fromhex(vectors("postcard-snapshots.json")[self.snapshot])

    @property
    def is_secret(self) -> bool:
        return issubclass(self.kind, SecretPackage)

    def given(self, data: bytes) -> Any:
        """Return an encoding as the package's readers take it."""
        return Secret(data) if self.is_secret else data


DOCUMENTS = {
    document.snapshot: document
    for document in (
        Document(
            round1.Package,
            "round1_package",
            {"header": HEADER, "commitment": [E1], "proof_of_knowledge": SAMPLES["proof_of_knowledge"]},
        ),
        Document(
            round1.SecretPackage,
            "round1_secret_package",
            {"identifier": ID, "coefficients": [S, S], "commitment": [E1], "min_signers": 2, "max_signers": 3},
        ),
        Document(round2.Package, "round2_package", {"header": HEADER, "signing_share": S}),
        Document(
            round2.SecretPackage,
            "round2_secret_package",
            {"identifier": ID, "commitment": [E1], "secret_share": S, "min_signers": 2, "max_signers": 3},
        ),
        Document(
            KeyPackage,
            "key_package",
            {
                "header": HEADER,
                "identifier": ID,
                "signing_share": S,
                "verifying_share": E1,
                "verifying_key": E1,
                "min_signers": 2,
            },
        ),
        Document(
            PublicKeyPackage,
            "public_key_package_new",
            {"header": HEADER, "verifying_shares": {ID: E1}, "verifying_key": E1, "min_signers": 2},
        ),
        Document(
            PublicKeyPackage,
            "public_key_package",
            {"header": HEADER, "verifying_shares": {ID: E1}, "verifying_key": E1},
        ),
        Document(
            SecretShare,
            "secret_share",
            {"header": HEADER, "identifier": ID, "signing_share": S, "commitment": [E1]},
        ),
        Document(
            SigningNonces,
            "signing_nonces",
            {
                "header": HEADER,
                "hiding": S,
                "binding": S,
                "commitments": {"header": HEADER, "hiding": NONCE_COMMITMENT, "binding": NONCE_COMMITMENT},
            },
        ),
        Document(SigningCommitments, "signing_commitments", COMMITMENTS),
        Document(
            SigningPackage,
            "signing_package",
            {"header": HEADER, "signing_commitments": {ID: COMMITMENTS}, "message": b"hello world".hex()},
        ),
        Document(SignatureShare, "signature_share", {"header": HEADER, "share": S}),
    )
}
