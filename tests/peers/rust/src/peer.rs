//! One participant, or several, of one ciphersuite: the commands, and what is kept between them.

use frost_core::keys::{dkg, KeyPackage, PublicKeyPackage, SecretShare};
use frost_core::round1::{SigningCommitments, SigningNonces};
use frost_core::round2::SignatureShare;
use frost_core::{Identifier, SigningPackage};
use serde_json::{json, Value};

use crate::arguments::Arguments;
use crate::bench;
use crate::encodings::{Bytes, Form, Package};
use crate::failure::Failure;
use crate::suite::Suite;

/// Secrets of one kind, by handle.
pub struct Kept<T>(Vec<T>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(vec![])
    }
}

impl<T> Kept<T> {
    pub fn keep(&mut self, item: T) -> usize {
        self.0.push(item);
        self.0.len() - 1
    }

    pub fn get(&self, handle: usize) -> Result<&T, Failure> {
        self.0
            .get(handle)
            .ok_or_else(|| Failure::request(format!("nothing is kept as {handle}")))
    }
}

pub struct Peer<C: Suite> {
    pub round1: Kept<dkg::round1::SecretPackage<C>>,
    pub round2: Kept<dkg::round2::SecretPackage<C>>,
    pub keys: Kept<KeyPackage<C>>,
    pub nonces: Kept<SigningNonces<C>>,
    pub key_generation: Option<bench::KeyGeneration<C>>,
    pub signing: Option<bench::Signing<C>>,
}

impl<C: Suite> Default for Peer<C> {
    fn default() -> Self {
        Self {
            round1: Kept::default(),
            round2: Kept::default(),
            keys: Kept::default(),
            nonces: Kept::default(),
            key_generation: None,
            signing: None,
        }
    }
}

impl<C: Suite> Peer<C> {
    pub fn answer(&mut self, request: &Value) -> Result<Value, Failure> {
        let arguments = Arguments::new(request)?;
        match arguments.text("do")? {
            "identifier" => identifier::<C>(&arguments),
            "rewrite" => rewrite::<C>(&arguments),
            "import" => self.import(&arguments),
            "export" => self.export(&arguments),
            "part1" => self.part1(&arguments),
            "part2" => self.part2(&arguments),
            "part3" => self.part3(&arguments),
            "commit" => self.commit(&arguments),
            "signing_package" => self.signing_package(&arguments),
            "sign" => self.sign(&arguments),
            "aggregate" => self.aggregate(&arguments),
            "verify" => self.verify(&arguments),
            "verify_share" => self.verify_share(&arguments),
            "split" => self.split(&arguments),
            "accept" => self.accept(&arguments),
            "reconstruct" => self.reconstruct(&arguments),
            "repair_part1" => self.repair_part1(&arguments),
            "repair_part2" => self.repair_part2(&arguments),
            "repair_part3" => self.repair_part3(&arguments),
            "refreshing_shares" => self.refreshing_shares(&arguments),
            "refresh_share" => self.refresh_share(&arguments),
            "refresh_part1" => self.refresh_part1(&arguments),
            "refresh_part2" => self.refresh_part2(&arguments),
            "refresh_part3" => self.refresh_part3(&arguments),
            "prepare_key_generation" => self.prepare_key_generation(&arguments),
            "time_key_generation" => self.time_key_generation(),
            "prepare_signing" => self.prepare_signing(&arguments),
            "time_signing" => self.time_signing(&arguments),
            other => Err(Failure::request(format!("no command {other}"))),
        }
    }

    /// Take over a key package or nonces.
    fn import(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        let handle = match arguments.text("kind")? {
            "key_package" => self.keys.keep(arguments.package("package")?),
            "signing_nonces" => self.nonces.keep(arguments.package("package")?),
            other => return Err(Failure::request(format!("no kind {other}"))),
        };
        Ok(json!({ "handle": handle }))
    }

    /// Give away something secret.
    fn export(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        let (handle, form) = (arguments.handle("handle")?, arguments.form);
        let package = match arguments.text("kind")? {
            "round1_secret_package" => self.round1.get(handle)?.write(form),
            "round2_secret_package" => self.round2.get(handle)?.write(form),
            "key_package" => self.keys.get(handle)?.write(form),
            "signing_nonces" => self.nonces.get(handle)?.write(form),
            other => Err(Failure::request(format!("no kind {other}"))),
        }?;
        Ok(json!({ "package": package }))
    }
}

/// Make an identifier from a number, or from any bytes.
fn identifier<C: Suite>(arguments: &Arguments) -> Result<Value, Failure> {
    let identifier: Identifier<C> = if arguments.has("number") {
        arguments.number("number")?.try_into()?
    } else {
        Identifier::derive(&arguments.bytes("bytes")?)?
    };
    Ok(json!({ "identifier": identifier.to_hex()? }))
}

/// Read a package in one form and write it in both.
fn rewrite<C: Suite>(arguments: &Arguments) -> Result<Value, Failure> {
    fn both<T: Package>(arguments: &Arguments) -> Result<Value, Failure> {
        let package = arguments.package::<T>("package")?;
        Ok(
            json!({ "json": package.write(Form::Json)?, "postcard": package.write(Form::Postcard)? }),
        )
    }
    match arguments.text("kind")? {
        "round1_package" => both::<dkg::round1::Package<C>>(arguments),
        "round1_secret_package" => both::<dkg::round1::SecretPackage<C>>(arguments),
        "round2_package" => both::<dkg::round2::Package<C>>(arguments),
        "round2_secret_package" => both::<dkg::round2::SecretPackage<C>>(arguments),
        "key_package" => both::<KeyPackage<C>>(arguments),
        "public_key_package" => both::<PublicKeyPackage<C>>(arguments),
        "secret_share" => both::<SecretShare<C>>(arguments),
        "signing_nonces" => both::<SigningNonces<C>>(arguments),
        "signing_commitments" => both::<SigningCommitments<C>>(arguments),
        "signing_package" => both::<SigningPackage<C>>(arguments),
        "signature_share" => both::<SignatureShare<C>>(arguments),
        other => Err(Failure::request(format!("no kind {other}"))),
    }
}
