"""ZcashFoundation's sample values as packages, for every suite, in both encodings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from stage.p256 import public_bytes
from stage.suites import sample, vectors

from frost_hsm.errors import DeserializationError
from frost_hsm.frost.ciphersuites import ALL, Ciphersuite
from frost_hsm.frost.encoding.package import Package
from frost_hsm.frost.keys import round1, round2
from frost_hsm.frost.packages import KeyPackage, PublicKeyPackage, SecretShare, SignatureShare, SigningPackage
from frost_hsm.frost.values import Identifier, Signature, SigningShare, VerifyingKey
from frost_hsm.secret import Secret


def documents(suite: Ciphersuite) -> list[tuple[type[Package], dict[str, Any]]]:
    """Return packages in JSON as ZcashFoundation's tests accept them (``tests/serde_tests.rs``)."""
    values = vectors(suite, "samples.json")
    own, scalar, e1, e2 = (values[name] for name in ("identifier", "scalar1", "element1", "element2"))
    header = {"version": 0, "ciphersuite": suite.id}
    commitments = {"header": header, "hiding": e1, "binding": e2}
    keys = {"verifying_share": e1, "verifying_key": e1, "min_signers": 2}
    return [
        (
            round1.Package,
            {"header": header, "commitment": [e1, e2], "proof_of_knowledge": values["proof_of_knowledge"]},
        ),
        (round2.Package, {"header": header, "signing_share": scalar}),
        (KeyPackage, {"header": header, "identifier": own, "signing_share": scalar, **keys}),
        (
            PublicKeyPackage,
            {"header": header, "verifying_shares": {own: e1}, "verifying_key": e1, "min_signers": 2},
        ),
        (
            SecretShare,
            {"header": header, "identifier": own, "signing_share": scalar, "commitment": [e1]},
        ),
        (SigningPackage, {"header": header, "signing_commitments": {own: commitments}, "message": "00ff"}),
        (SignatureShare, {"header": header, "share": scalar}),
    ]


def test_packages_both_ways(suite: Ciphersuite) -> None:
    for kind, document in documents(suite):
        secret = kind in (round2.Package, KeyPackage, SecretShare)
        text = json.dumps(document, separators=(",", ":")).encode()
        package: Any = kind.from_json(suite, Secret(text) if secret else text)  # type: ignore[attr-defined]
        written = package.to_json()
        assert (public_bytes(written) if secret else written.encode()) == text
        stored = package.serialize()
        again: Any = kind.deserialize(suite, stored)  # type: ignore[attr-defined]
        assert public_bytes(again.serialize()) == public_bytes(stored)


def test_postcard_begins_with_the_suite(suite: Ciphersuite) -> None:
    (kind, document), *_ = documents(suite)
    data = kind.from_json(suite, json.dumps(document)).serialize()  # type: ignore[attr-defined]
    e1, e2, proof = (sample(suite, name) for name in ("element1", "element2", "proof_of_knowledge"))
    assert data == suite.header + b"\2" + e1 + e2 + bytes((len(proof),)) + proof
    for other in ALL:
        if other.id != suite.id:
            with pytest.raises(DeserializationError):
                kind.deserialize(other, data)  # type: ignore[attr-defined]
            with pytest.raises(DeserializationError):
                kind.from_json(other, json.dumps(document))  # type: ignore[attr-defined]


def test_bare_values(suite: Ciphersuite) -> None:
    for kind, name in ((Identifier, "identifier"), (VerifyingKey, "element2"), (Signature, "proof_of_knowledge")):
        assert kind.deserialize(suite, sample(suite, name)).serialize() == sample(suite, name)
    share = SigningShare.deserialize(suite, Secret(sample(suite, "scalar1")))
    assert public_bytes(share.serialize()) == sample(suite, "scalar1")
    assert Identifier.deserialize(suite, sample(suite, "identifier")).value == 42
    group = suite.group
    third = group.multiply_base(share.scalar)
    assert group.encode(group.combine_base(0, 3, third)) == sample(suite, "element1")
    assert group.encode(group.combine_base(0, 6, third)) == sample(suite, "element2")
