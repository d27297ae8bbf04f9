//! Where the crates of the suites offer more than `frost_core` does for all of them.

use std::collections::BTreeMap;

use frost_core::keys::{KeyPackage, PublicKeyPackage};
use frost_core::round1::SigningNonces;
use frost_core::round2::SignatureShare;
use frost_core::{Identifier, Signature, SigningPackage};
use frost_rerandomized::RandomizedCiphersuite;

use crate::failure::Failure;

pub trait Suite: RandomizedCiphersuite {
    /// Sign for the key with a Taproot tweak (BIP-341). No scripts: an empty Merkle root.
    fn sign_with_tweak(
        _: &SigningPackage<Self>,
        _: &SigningNonces<Self>,
        _: &KeyPackage<Self>,
        _: &[u8],
    ) -> Result<SignatureShare<Self>, Failure> {
        Err(Failure::request("only secp256k1-tr has tweaks"))
    }

    /// Aggregate for the key with a Taproot tweak.
    fn aggregate_with_tweak(
        _: &SigningPackage<Self>,
        _: &BTreeMap<Identifier<Self>, SignatureShare<Self>>,
        _: &PublicKeyPackage<Self>,
        _: &[u8],
    ) -> Result<Signature<Self>, Failure> {
        Err(Failure::request("only secp256k1-tr has tweaks"))
    }
}

impl Suite for frost_p256::P256Sha256 {}
impl Suite for frost_ed25519::Ed25519Sha512 {}
impl Suite for frost_ristretto255::Ristretto255Sha512 {}
impl Suite for frost_ed448::Ed448Shake256 {}
impl Suite for frost_secp256k1::Secp256K1Sha256 {}

impl Suite for frost_secp256k1_tr::Secp256K1Sha256TR {
    fn sign_with_tweak(
        package: &SigningPackage<Self>,
        nonces: &SigningNonces<Self>,
        key: &KeyPackage<Self>,
        merkle_root: &[u8],
    ) -> Result<SignatureShare<Self>, Failure> {
        Ok(frost_secp256k1_tr::round2::sign_with_tweak(
            package,
            nonces,
            key,
            Some(merkle_root),
        )?)
    }

    fn aggregate_with_tweak(
        package: &SigningPackage<Self>,
        shares: &BTreeMap<Identifier<Self>, SignatureShare<Self>>,
        public: &PublicKeyPackage<Self>,
        merkle_root: &[u8],
    ) -> Result<Signature<Self>, Failure> {
        Ok(frost_secp256k1_tr::aggregate_with_tweak(
            package,
            shares,
            public,
            Some(merkle_root),
        )?)
    }
}
