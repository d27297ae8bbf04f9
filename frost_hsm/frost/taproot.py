"""Taproot outputs of Bitcoin (BIP-341) for the ciphersuite secp256k1-tr: tweaking keys, and signing by tweaked ones.

A tweak t hashes the group key and the root of a tree of scripts that may spend as well. It is added to the one of
the two keys ±Y with an even y, and to every share of it: Lagrange coefficients add up to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from frost_hsm.frost import signing
from frost_hsm.frost.hashing import tagged_sha256
from frost_hsm.frost.packages import KeyPackage, PublicKeyPackage, SignatureShare, SigningNonces, SigningPackage
from frost_hsm.frost.values import ElementValue, Identifier, Signature, SigningShare, VerifyingKey
from frost_hsm.groups import Element
from frost_hsm.secret import Secret

NO_SCRIPTS = b""
"""The Merkle root of a key that no script can spend."""


def tweak_key_package(key_package: KeyPackage, merkle_root: bytes) -> KeyPackage:
    """Tweak a participant's key (ZcashFoundation: ``KeyPackage::tweak``). Secret.

    merkle_root: of the tree of scripts, 32 bytes, or `NO_SCRIPTS`. Raises `InvalidIdentityElement` if the tweaked
    key is the identity.
    """
    suite, key = key_package.ciphersuite, key_package.verifying_key
    group, tweak = suite.group, _tweak(key, merkle_root)
    offset = _offset(key, tweak)
    with Secret(suite.encode_scalar(tweak)) as encoded:
        sign = suite.hooks.sign(key.encoded)
        share = group.multiply_add(group.decode_scalar(encoded), key_package.signing_share.scalar, sign)
    return replace(
        key_package,
        signing_share=SigningShare(suite, share),
        verifying_share=_tweaked(key_package.verifying_share, key, offset),
        verifying_key=_tweaked(key, key, offset),
    )


def tweak_public_key_package(public_key_package: PublicKeyPackage, merkle_root: bytes) -> PublicKeyPackage:
    """Tweak what everybody knows of a group likewise (ZcashFoundation: ``PublicKeyPackage::tweak``)."""
    key = public_key_package.verifying_key
    offset = _offset(key, _tweak(key, merkle_root))
    return replace(
        public_key_package,
        verifying_shares={
            identifier: _tweaked(share, key, offset)
            for identifier, share in public_key_package.verifying_shares.items()
        },
        verifying_key=_tweaked(key, key, offset),
    )


def sign_with_tweak(
    signing_package: SigningPackage, nonces: SigningNonces, key_package: KeyPackage, merkle_root: bytes
) -> SignatureShare:
    """Make this signer's share of a signature by the tweaked key (ZcashFoundation: ``round2::sign_with_tweak``).

    merkle_root: as for `tweak_key_package`; `NO_SCRIPTS` where the crates take ``None``. Consumes ``nonces``.
    Raises what `signing.sign` raises.
    """
    tweaked = tweak_key_package(key_package, merkle_root)
    try:
        return signing.sign(signing_package, nonces, tweaked)
    finally:
        tweaked.wipe()


def aggregate_with_tweak(
    signing_package: SigningPackage,
    signature_shares: Mapping[Identifier, SignatureShare],
    public_key_package: PublicKeyPackage,
    merkle_root: bytes,
    *,
    cheater_detection: signing.CheaterDetection = signing.CheaterDetection.FIRST,
) -> Signature:
    """Add the shares up to a signature by the tweaked key (ZcashFoundation: ``aggregate_with_tweak``).

    It verifies under the key of `tweak_public_key_package`. Raises what `signing.aggregate` raises.
    """
    tweaked = tweak_public_key_package(public_key_package, merkle_root)
    return signing.aggregate(signing_package, signature_shares, tweaked, cheater_detection=cheater_detection)


_Value = TypeVar("_Value", bound=ElementValue)


def _tweak(key: VerifyingKey, merkle_root: bytes) -> int:
    """Compute t (BIP-341, "Constructing and spending Taproot outputs")."""
    hashed = tagged_sha256("TapTweak", key.ciphersuite.hooks.shorten(key.encoded) + merkle_root)
    return int.from_bytes(hashed, "big") % key.ciphersuite.group.order


def _offset(key: VerifyingKey, tweak: int) -> Element:
    """Compute t·G."""
    return key.ciphersuite.group.combine_base(tweak, 0, key.element)


def _tweaked(value: _Value, key: VerifyingKey, offset: Element) -> _Value:
    """Compute t·G ± a share of ``key``, or the key itself, with the sign that gives the key an even y."""
    suite = value.ciphersuite
    element = suite.group.copy(value.element)
    if suite.hooks.sign(key.encoded) < 0:
        suite.group.negate(element)
    suite.group.accumulate(element, offset)
    return type(value).from_element(suite, element)
