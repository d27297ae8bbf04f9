//! One participant's work, in seconds of this process on a core: what it receives is postcard in memory when they start.

use std::collections::BTreeMap;
use std::hint::black_box;

use cpu_time::ProcessTime;
use frost_core::keys::{dkg, KeyPackage, PublicKeyPackage};
use frost_core::round1::SigningNonces;
use frost_core::round2::{self, SignatureShare};
use frost_core::{aggregate, Identifier, Signature, SigningPackage};
use rand_core::OsRng;
use serde_json::{json, Value};

use crate::arguments::Arguments;
use crate::encodings::Bytes;
use crate::failure::Failure;
use crate::peer::Peer;
use crate::suite::Suite;

type Encoded<C> = Vec<(Identifier<C>, Vec<u8>)>;

/// What the other participants of a key generation send to one.
pub struct KeyGeneration<C: Suite> {
    identifier: Identifier<C>,
    max_signers: u16,
    min_signers: u16,
    round1_packages: Encoded<C>,
    round2_packages: Encoded<C>,
}

impl<C: Suite> KeyGeneration<C> {
    /// Take part from beginning to end, reading and writing included.
    fn run(&self) -> Result<(), Failure> {
        let (secret, package) =
            dkg::part1(self.identifier, self.max_signers, self.min_signers, OsRng)?;
        black_box(package.to_bytes()?);
        let round1 = read_all(&self.round1_packages)?;
        let (secret, packages) = dkg::part2(secret, &round1)?;
        for package in packages.values() {
            black_box(package.to_bytes()?);
        }
        let (key, public) = dkg::part3(&secret, &round1, &read_all(&self.round2_packages)?)?;
        black_box((key.to_bytes()?, public.to_bytes()?));
        Ok(())
    }
}

/// What one signer and the aggregator of a signature have to do with.
pub struct Signing<C: Suite> {
    key: KeyPackage<C>,
    nonces: SigningNonces<C>,
    public: PublicKeyPackage<C>,
    signing_package: Vec<u8>,
    shares: Encoded<C>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl<C: Suite> Signing<C> {
    fn step(&self, step: &str) -> Result<(), Failure> {
        match step {
            "commit" => {
                let (nonces, commitments) =
                    frost_core::round1::commit(self.key.signing_share(), &mut OsRng);
                black_box((nonces, commitments.to_bytes()?));
            }
            "sign" => {
                let package = SigningPackage::from_bytes(&self.signing_package)?;
                black_box(round2::sign(&package, &self.nonces, &self.key)?.to_bytes()?);
            }
            "aggregate" => {
                let package = SigningPackage::from_bytes(&self.signing_package)?;
                let shares: BTreeMap<_, SignatureShare<C>> = read_all(&self.shares)?;
                black_box(aggregate(&package, &shares, &self.public)?.to_bytes()?);
            }
            "verify" => {
                let signature = Signature::from_bytes(&self.signature)?;
                let key = self.public.verifying_key();
                key.verify(&self.message, &signature)?;
            }
            other => return Err(Failure::request(format!("no step {other}"))),
        }
        Ok(())
    }
}

impl<C: Suite> Peer<C> {
    pub fn prepare_key_generation(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        self.key_generation = Some(KeyGeneration {
            identifier: arguments.value("identifier")?,
            max_signers: arguments.number("max_signers")?,
            min_signers: arguments.number("min_signers")?,
            round1_packages: arguments.bytes_map("round1_packages")?,
            round2_packages: arguments.bytes_map("round2_packages")?,
        });
        Ok(json!({}))
    }

    pub fn time_key_generation(&mut self) -> Result<Value, Failure> {
        let prepared = self.key_generation.as_ref();
        let prepared = prepared.ok_or_else(|| Failure::request("nothing is prepared"))?;
        time(|| prepared.run())
    }

    pub fn prepare_signing(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        self.signing = Some(Signing {
            key: arguments.package("key_package")?,
            nonces: arguments.package("signing_nonces")?,
            public: arguments.package("public_key_package")?,
            signing_package: arguments.bytes("signing_package")?,
            shares: arguments.bytes_map("shares")?,
            message: arguments.bytes("message")?,
            signature: arguments.bytes("signature")?,
        });
        Ok(json!({}))
    }

    pub fn time_signing(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        let prepared = self.signing.as_ref();
        let prepared = prepared.ok_or_else(|| Failure::request("nothing is prepared"))?;
        let step = arguments.text("step")?;
        time(|| prepared.step(step))
    }
}

fn read_all<C: Suite, T: Bytes>(
    encoded: &Encoded<C>,
) -> Result<BTreeMap<Identifier<C>, T>, Failure> {
    encoded
        .iter()
        .map(|(identifier, bytes)| Ok((*identifier, T::from_bytes(bytes)?)))
        .collect()
}

fn time(work: impl FnOnce() -> Result<(), Failure>) -> Result<Value, Failure> {
    let start = ProcessTime::now();
    work()?;
    Ok(json!({ "seconds": start.elapsed().as_secs_f64() }))
}
