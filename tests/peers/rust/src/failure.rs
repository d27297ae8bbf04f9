//! What went wrong, as the other side is told.

use frost_core::{Ciphersuite, Error};
use serde_json::{json, Value};

/// The name of a variant of `frost_core::Error`, its message, and the identifiers of those it blames.
pub struct Failure {
    name: String,
    message: String,
    culprits: Vec<String>,
}

impl Failure {
    /// A request that this program does not understand.
    pub fn request(message: impl Into<String>) -> Self {
        Self {
            name: "Request".into(),
            message: message.into(),
            culprits: vec![],
        }
    }

    pub fn to_json(&self) -> Value {
        json!({ "name": self.name, "message": self.message, "culprits": self.culprits })
    }
}

impl<C: Ciphersuite> From<Error<C>> for Failure {
    fn from(error: Error<C>) -> Self {
        let variant = format!("{error:?}");
        let end = variant.find(|c: char| !c.is_alphanumeric());
        Self {
            name: variant[..end.unwrap_or(variant.len())].into(),
            message: error.to_string(),
            culprits: error
                .culprits()
                .iter()
                .map(|identifier| hex::encode(identifier.serialize()))
                .collect(),
        }
    }
}

/// Reading JSON fails within serde: the same as `Error::DeserializationError`, which postcard gives.
impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self {
            name: "DeserializationError".into(),
            message: error.to_string(),
            culprits: vec![],
        }
    }
}
