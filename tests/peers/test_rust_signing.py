"""Signatures of the special kinds, made by signers on ZcashFoundation's crates and on frost_hsm."""

from __future__ import annotations

from typing import Any

import pytest
from peers.ours import OurParticipant
from peers.zcash_foundation import Rust, RustParticipant, public_bytes

from frost_hsm.frost import rerandomized, taproot
from frost_hsm.frost.ciphersuites import SECP256K1_TR, Ciphersuite
from frost_hsm.frost.keys import dealer
from frost_hsm.frost.packages import KeyPackage, PublicKeyPackage, SigningPackage

MESSAGE = b"message"
Group = tuple[OurParticipant, RustParticipant, PublicKeyPackage]


@pytest.fixture
def group(suite: Ciphersuite, rust: Rust) -> Group:
    """Two of three, one on each side."""
    shares, public = dealer.generate_with_dealer(suite, max_signers=3, min_signers=2)
    first, second, _ = (KeyPackage.from_secret_share(share) for share in shares.values())
    ours, theirs = OurParticipant(first.identifier), RustParticipant(rust, second.identifier)
    ours.take_key_package(first, public)
    theirs.take_key_package(second, public)
    return ours, theirs, public


def aggregate_there(
    rust: Rust, package: SigningPackage, shares: dict[Any, Any], public: PublicKeyPackage, **how: str
) -> Any:
    return rust.ask(
        "aggregate",
        signing_package=rust.write(package),
        shares=rust.write_map(shares),
        public_key_package=rust.write(public),
        **how,
    )


def test_rerandomized_signatures(suite: Ciphersuite, rust: Rust, group: Group) -> None:
    ours, theirs, public = group
    package = SigningPackage(suite, {one.identifier: one.commit() for one in (ours, theirs)}, MESSAGE)
    params, seed = rerandomized.RandomizedParams.new_from_commitments(public.verifying_key, package.signing_commitments)
    how = {"randomizer_seed": public_bytes(seed).hex()}

    shares = {
        ours.identifier: rerandomized.sign_with_randomizer_seed(package, ours.nonces, ours.key, seed),
        theirs.identifier: theirs.sign(package, **how),
    }

    signature = rerandomized.aggregate(package, shares, public, params)
    there = aggregate_there(rust, package, shares, public, **how)
    assert there["signature"] == signature.serialize().hex()
    assert there["verifying_key"] == params.randomized_verifying_key.serialize().hex()
    rust.verify(MESSAGE, signature, params.randomized_verifying_key)


@pytest.mark.parametrize("suite", [SECP256K1_TR], ids=["secp256k1-tr"], indirect=True)
@pytest.mark.parametrize("merkle_root", [taproot.NO_SCRIPTS, bytes(range(32))])
@pytest.mark.parametrize("attempt", range(4))  # so that keys and nonces have odd and even y
def test_taproot_signatures(suite: Ciphersuite, rust: Rust, group: Group, merkle_root: bytes, attempt: int) -> None:
    ours, theirs, public = group
    package = SigningPackage(suite, {one.identifier: one.commit() for one in (ours, theirs)}, MESSAGE)
    how = {"merkle_root": merkle_root.hex()}

    shares = {
        ours.identifier: taproot.sign_with_tweak(package, ours.nonces, ours.key, merkle_root),
        theirs.identifier: theirs.sign(package, **how),
    }

    signature = taproot.aggregate_with_tweak(package, shares, public, merkle_root)
    assert aggregate_there(rust, package, shares, public, **how)["signature"] == signature.serialize().hex()
    rust.verify(MESSAGE, signature, taproot.tweak_public_key_package(public, merkle_root).verifying_key)
