"""Every package as ZcashFoundation's crates read and write it, in both encodings."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from peers.process import PeerError
from peers.zcash_foundation import Form, Rust, write

from frost_hsm.errors import DeserializationError
from frost_hsm.frost import dealer, dkg, round1, round2, signing
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.encoding import SecretPackage
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

KINDS = {
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

MUTATIONS = 60


@pytest.fixture(scope="module")
def packages(suite: Ciphersuite) -> dict[str, Any]:
    """One package of each kind, by its name; those that serve once have not served."""
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


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("kind", KINDS)
def test_the_crates_write_what_we_write(rust: Rust, packages: dict[str, Any], kind: str, form: Form) -> None:
    package = packages[kind]

    rewritten = rust.process.ask("rewrite", kind=kind, form=form, package=write(package, form))

    assert rewritten == {name: write(package, name) for name in Form}


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind != "round1_package"]
)  # its proof's R is not decoded when it is read
def test_the_crates_read_whatever_we_read(suite: Ciphersuite, rust: Rust, packages: dict[str, Any], kind: str) -> None:
    """Change bytes of a package at random: what we still read, they read, and as the same."""
    choices = random.Random(kind)
    original = bytes.fromhex(write(packages[kind], Form.POSTCARD))
    for _ in range(MUTATIONS):
        changed = bytearray(original)
        changed[choices.randrange(len(changed))] ^= 1 << choices.randrange(8)
        try:
            package: Any = read_postcard(suite, kind, bytes(changed))
        except DeserializationError:
            continue
        rewritten = rust.process.ask("rewrite", kind=kind, form=Form.POSTCARD, package=changed.hex())
        assert rewritten["postcard"] == changed.hex()
        assert rewritten["json"] == write(package, Form.JSON)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.endswith("_secret_package")])  # no header there
def test_both_refuse_another_suite_and_version(rust: Rust, packages: dict[str, Any], kind: str) -> None:
    text = json.loads(write(packages[kind], Form.JSON))
    for field, value in (("version", 1), ("ciphersuite", "FROST-P255-SHA256-v1")):
        changed = json.dumps({**text, "header": {**text["header"], field: value}})
        with pytest.raises(DeserializationError):
            read_json(rust.suite, kind, changed)
        with pytest.raises(PeerError, match="DeserializationError"):
            rust.process.ask("rewrite", kind=kind, form=Form.JSON, package=changed)


def read_postcard(suite: Ciphersuite, kind: str, data: bytes) -> Any:
    of: Any = KINDS[kind]
    return of.deserialize(suite, Secret(data) if issubclass(of, SecretPackage) else data)


def read_json(suite: Ciphersuite, kind: str, text: str) -> Any:
    of: Any = KINDS[kind]
    return of.from_json(suite, Secret(text.encode()) if issubclass(of, SecretPackage) else text)
