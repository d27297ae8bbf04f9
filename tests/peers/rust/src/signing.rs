//! `round1`, `round2`, `aggregate`, plain, with a Taproot tweak, or re-randomised.

use frost_core::keys::PublicKeyPackage;
use frost_core::{
    aggregate_custom, verify_signature_share, CheaterDetection, SigningPackage, VerifyingKey,
};
use frost_rerandomized::RandomizedParams;
use rand_core::OsRng;
use serde_json::{json, Value};

use crate::arguments::Arguments;
use crate::encodings::{Bytes, Package};
use crate::failure::Failure;
use crate::peer::Peer;
use crate::suite::Suite;

impl<C: Suite> Peer<C> {
    pub fn commit(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        let key = self.keys.get(arguments.handle("key")?)?;
        let (nonces, commitments) = frost_core::round1::commit(key.signing_share(), &mut OsRng);
        Ok(
            json!({ "handle": self.nonces.keep(nonces), "commitments": commitments.write(arguments.form)? }),
        )
    }

    pub fn signing_package(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        let commitments = arguments.package_map("commitments")?;
        let package = SigningPackage::<C>::new(commitments, &arguments.bytes("message")?);
        Ok(json!({ "signing_package": package.write(arguments.form)? }))
    }

    pub fn sign(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        let package = arguments.package("signing_package")?;
        let nonces = self.nonces.get(arguments.handle("nonces")?)?;
        let key = self.keys.get(arguments.handle("key")?)?;
        let share = if arguments.has("merkle_root") {
            C::sign_with_tweak(&package, nonces, key, &arguments.bytes("merkle_root")?)?
        } else if arguments.has("randomizer_seed") {
            let seed = arguments.bytes("randomizer_seed")?;
            frost_rerandomized::sign_with_randomizer_seed(&package, nonces, key, &seed)?
        } else {
            frost_core::round2::sign(&package, nonces, key)?
        };
        Ok(json!({ "share": share.write(arguments.form)? }))
    }

    /// Answers with the key too that the signature is by, where that is not the group's.
    pub fn aggregate(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        let package = arguments.package("signing_package")?;
        let shares = arguments.package_map("shares")?;
        let public: PublicKeyPackage<C> = arguments.package("public_key_package")?;
        let detection = match arguments.text("cheater_detection").unwrap_or("first") {
            "disabled" => CheaterDetection::Disabled,
            "first" => CheaterDetection::FirstCheater,
            "all" => CheaterDetection::AllCheaters,
            other => return Err(Failure::request(format!("no cheater detection {other}"))),
        };
        if arguments.has("merkle_root") {
            let root = arguments.bytes("merkle_root")?;
            let signature = C::aggregate_with_tweak(&package, &shares, &public, &root)?;
            return Ok(json!({ "signature": signature.to_hex()? }));
        }
        if arguments.has("randomizer_seed") {
            let params = RandomizedParams::<C>::regenerate_from_seed_and_commitments(
                public.verifying_key(),
                &arguments.bytes("randomizer_seed")?,
                package.signing_commitments(),
            )?;
            let signature = frost_rerandomized::aggregate(&package, &shares, &public, &params)?;
            let key = params.randomized_verifying_key().to_hex()?;
            return Ok(json!({ "signature": signature.to_hex()?, "verifying_key": key }));
        }
        let signature = aggregate_custom(&package, &shares, &public, detection)?;
        Ok(json!({ "signature": signature.to_hex()? }))
    }

    pub fn verify(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        let key: VerifyingKey<C> = arguments.value("verifying_key")?;
        key.verify(&arguments.bytes("message")?, &arguments.value("signature")?)?;
        Ok(json!({}))
    }

    pub fn verify_share(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        verify_signature_share::<C>(
            arguments.value("identifier")?,
            &arguments.value("verifying_share")?,
            &arguments.package("share")?,
            &arguments.package("signing_package")?,
            &arguments.value("verifying_key")?,
        )?;
        Ok(json!({}))
    }
}
