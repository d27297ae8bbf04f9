//! The arguments of one request.

use std::collections::BTreeMap;

use frost_core::{Ciphersuite, Identifier};
use serde_json::{Map, Value};

use crate::encodings::{decode, Bytes, Form, Package};
use crate::failure::Failure;

pub struct Arguments<'a> {
    members: &'a Map<String, Value>,
    pub form: Form,
}

impl<'a> Arguments<'a> {
    pub fn new(request: &'a Value) -> Result<Self, Failure> {
        let members = request
            .as_object()
            .ok_or_else(|| Failure::request("not an object"))?;
        let form = match members.get("form").and_then(Value::as_str) {
            Some("json") => Form::Json,
            Some("postcard") | None => Form::Postcard,
            Some(other) => return Err(Failure::request(format!("no form {other}"))),
        };
        Ok(Self { members, form })
    }

    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    pub fn text(&self, name: &str) -> Result<&'a str, Failure> {
        self.get(name, Value::as_str)
    }

    pub fn number(&self, name: &str) -> Result<u16, Failure> {
        self.get(name, |value| {
            value.as_u64().and_then(|number| number.try_into().ok())
        })
    }

    /// A number that stands for something kept here.
    pub fn handle(&self, name: &str) -> Result<usize, Failure> {
        self.number(name).map(usize::from)
    }

    pub fn bytes(&self, name: &str) -> Result<Vec<u8>, Failure> {
        decode(self.text(name)?)
    }

    /// Something that is written in hex whatever the form.
    pub fn value<T: Bytes>(&self, name: &str) -> Result<T, Failure> {
        T::from_hex(self.text(name)?)
    }

    pub fn values<T: Bytes>(&self, name: &str) -> Result<Vec<T>, Failure> {
        self.texts(name)?.into_iter().map(T::from_hex).collect()
    }

    pub fn package<T: Package>(&self, name: &str) -> Result<T, Failure> {
        T::read(self.text(name)?, self.form)
    }

    pub fn packages<T: Package>(&self, name: &str) -> Result<Vec<T>, Failure> {
        self.texts(name)?
            .into_iter()
            .map(|text| T::read(text, self.form))
            .collect()
    }

    /// Packages by identifier.
    pub fn package_map<C: Ciphersuite, T: Package>(
        &self,
        name: &str,
    ) -> Result<BTreeMap<Identifier<C>, T>, Failure> {
        self.text_map(name)?
            .into_iter()
            .map(|(identifier, text)| {
                Ok((Identifier::from_hex(identifier)?, T::read(text, self.form)?))
            })
            .collect()
    }

    /// Postcard packages by identifier, not read yet.
    pub fn bytes_map<C: Ciphersuite>(
        &self,
        name: &str,
    ) -> Result<Vec<(Identifier<C>, Vec<u8>)>, Failure> {
        self.text_map(name)?
            .into_iter()
            .map(|(identifier, text)| Ok((Identifier::from_hex(identifier)?, decode(text)?)))
            .collect()
    }

    fn texts(&self, name: &str) -> Result<Vec<&'a str>, Failure> {
        self.get(name, |value| {
            value.as_array()?.iter().map(Value::as_str).collect()
        })
    }

    fn text_map(&self, name: &str) -> Result<Vec<(&'a str, &'a str)>, Failure> {
        self.get(name, |value| {
            let members = value.as_object()?.iter();
            members
                .map(|(key, member)| Some((key.as_str(), member.as_str()?)))
                .collect()
        })
    }

    fn get<T>(&self, name: &str, read: impl FnOnce(&'a Value) -> Option<T>) -> Result<T, Failure> {
        self.members
            .get(name)
            .and_then(read)
            .ok_or_else(|| Failure::request(format!("no usable \"{name}\"")))
    }
}
