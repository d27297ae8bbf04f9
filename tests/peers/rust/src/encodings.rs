//! The two encodings of packages, and the one of everything else, under one roof.

use frost_core::keys::{
    dkg, repairable, KeyPackage, PublicKeyPackage, SecretShare, VerifyingShare,
};
use frost_core::round1::{SigningCommitments, SigningNonces};
use frost_core::round2::SignatureShare;
use frost_core::{Ciphersuite, Identifier, Signature, SigningKey, SigningPackage, VerifyingKey};
use serde::de::DeserializeOwned;
use serde::Serialize;

use crate::failure::Failure;

#[derive(Clone, Copy, PartialEq)]
pub enum Form {
    Json,
    Postcard,
}

/// What the crates write and read by `serialize` and `deserialize`.
pub trait Bytes: Sized {
    fn to_bytes(&self) -> Result<Vec<u8>, Failure>;
    fn from_bytes(bytes: &[u8]) -> Result<Self, Failure>;

    fn to_hex(&self) -> Result<String, Failure> {
        Ok(hex::encode(self.to_bytes()?))
    }

    fn from_hex(text: &str) -> Result<Self, Failure> {
        Self::from_bytes(&decode(text)?)
    }
}

/// What has a JSON form beside its bytes.
pub trait Package: Bytes + Serialize + DeserializeOwned {
    fn write(&self, form: Form) -> Result<String, Failure> {
        match form {
            Form::Json => Ok(serde_json::to_string(self)?),
            Form::Postcard => self.to_hex(),
        }
    }

    fn read(text: &str, form: Form) -> Result<Self, Failure> {
        match form {
            Form::Json => Ok(serde_json::from_str(text)?),
            Form::Postcard => Self::from_hex(text),
        }
    }
}

impl<T: Bytes + Serialize + DeserializeOwned> Package for T {}

pub fn decode(text: &str) -> Result<Vec<u8>, Failure> {
    hex::decode(text).map_err(|error| Failure::request(error.to_string()))
}

macro_rules! bytes {
    ($($kind:ty),*; |$value:ident| $serialized:expr) => {$(
        impl<C: Ciphersuite> Bytes for $kind {
            fn to_bytes(&self) -> Result<Vec<u8>, Failure> {
                let $value = self;
                Ok($serialized)
            }

            fn from_bytes(bytes: &[u8]) -> Result<Self, Failure> {
                Ok(<$kind>::deserialize(bytes)?)
            }
        }
    )*};
}

bytes!(
    dkg::round1::SecretPackage<C>, dkg::round1::Package<C>, dkg::round2::SecretPackage<C>, dkg::round2::Package<C>,
    KeyPackage<C>, PublicKeyPackage<C>, SecretShare<C>, SigningNonces<C>, SigningCommitments<C>, SigningPackage<C>,
    Signature<C>, VerifyingKey<C>, VerifyingShare<C>;
    |value| value.serialize()?
);
bytes!(
    Identifier<C>, SignatureShare<C>, SigningKey<C>, repairable::Delta<C>, repairable::Sigma<C>;
    |value| value.serialize()
);
