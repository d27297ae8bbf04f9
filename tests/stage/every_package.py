"""One package of every kind, for any ciphersuite, by the names that the peers have for the kinds."""

from __future__ import annotations

from typing import Any

from frost_hsm.frost import signing
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.encoding.package import Package, SecretPackage
from frost_hsm.frost.keys import dealer, dkg, round1, round2
from frost_hsm.frost.packages import (
    KeyPackage,
    PublicKeyPackage,
    SecretShare,
    SignatureShare,
    SigningCommitments,
    SigningNonces,
    SigningPackage,
)
from frost_hsm.frost.values import Identifier
from frost_hsm.secret import Secret

KINDS: dict[str, type[Package]] = {
    "round1_secret_package": round1.SecretPackage,
    "round1_package": round1.Package,
    "round2_secret_package": round2.SecretPackage,
    "round2_package": round2.Package,
    "key_package": KeyPackage,
    "public_key_package": PublicKeyPackage,
    "secret_share": SecretShare,
    "signing_nonces": SigningNonces,
    "signing_commitments": SigningCommitments,
    "signing_package": SigningPackage,
    "signature_share": SignatureShare,
}


def make(suite: Ciphersuite) -> dict[str, Any]:
    """Make one package of each kind; those that serve once have not served."""
    one, two = Identifier.from_u16(suite, 1), Identifier.derive(suite, b"two")
    first, first_package = dkg.part1(suite, one, max_signers=2, min_signers=2)
    second, package = dkg.part1(suite, two, max_signers=2, min_signers=2)
    kept, sent = dkg.part2(second, {one: first_package})
    shares, public = dealer.generate_with_dealer(suite, max_signers=2, min_signers=2, identifiers=[one, two])
    keys = {identifier: KeyPackage.from_secret_share(share) for identifier, share in shares.items()}
    nonces, commitments = signing.commit(keys[one])
    used, others = signing.commit(keys[two])
    signing_package = SigningPackage(suite, {one: commitments, two: others}, b"message")
    return {
        "round1_secret_package": first,
        "round1_package": package,
        "round2_secret_package": kept,
        "round2_package": sent[one],
        "key_package": keys[one],
        "public_key_package": public,
        "secret_share": shares[one],
        "signing_nonces": nonces,
        "signing_commitments": commitments,
        "signing_package": signing_package,
        "signature_share": signing.sign(signing_package, used, keys[two]),
    }


def read_postcard(suite: Ciphersuite, kind: str, data: bytes) -> Any:
    """Read a package of a kind. Raises `DeserializationError`."""
    of: Any = KINDS[kind]
    return of.deserialize(suite, Secret(data) if issubclass(of, SecretPackage) else data)


def read_json(suite: Ciphersuite, kind: str, text: str) -> Any:
    """Likewise in JSON."""
    of: Any = KINDS[kind]
    return of.from_json(suite, Secret(text.encode()) if issubclass(of, SecretPackage) else text)
