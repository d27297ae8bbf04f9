//! `keys::dkg`, and its twin that refreshes: the three parts.

use std::collections::BTreeMap;

use frost_core::keys::{dkg, refresh};
use frost_core::Identifier;
use rand_core::OsRng;
use serde_json::{json, Map, Value};

use crate::arguments::Arguments;
use crate::encodings::{Bytes, Form, Package};
use crate::failure::Failure;
use crate::peer::Peer;
use crate::suite::Suite;

impl<C: Suite> Peer<C> {
    pub fn part1(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        let (secret, package) = dkg::part1(
            arguments.value("identifier")?,
            arguments.number("max_signers")?,
            arguments.number("min_signers")?,
            OsRng,
        )?;
        self.keep_part1(secret, package, arguments.form)
    }

    pub fn part2(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        let secret = self.round1.get(arguments.handle("handle")?)?.clone();
        let (secret, packages) = dkg::part2(secret, &arguments.package_map("round1_packages")?)?;
        self.keep_part2(secret, packages, arguments.form)
    }

    pub fn part3(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        let (key, public) = dkg::part3(
            self.round2.get(arguments.handle("handle")?)?,
            &arguments.package_map("round1_packages")?,
            &arguments.package_map("round2_packages")?,
        )?;
        Ok(
            json!({ "handle": self.keys.keep(key), "public_key_package": public.write(arguments.form)? }),
        )
    }

    pub fn refresh_part1(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        let (secret, package) = refresh::refresh_dkg_part1(
            arguments.value("identifier")?,
            arguments.number("max_signers")?,
            arguments.number("min_signers")?,
            OsRng,
        )?;
        self.keep_part1(secret, package, arguments.form)
    }

    pub fn refresh_part2(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        let secret = self.round1.get(arguments.handle("handle")?)?.clone();
        let round1 = arguments.package_map("round1_packages")?;
        let (secret, packages) = refresh::refresh_dkg_part2(secret, &round1)?;
        self.keep_part2(secret, packages, arguments.form)
    }

    pub fn refresh_part3(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        let (key, public) = refresh::refresh_dkg_shares(
            self.round2.get(arguments.handle("handle")?)?,
            &arguments.package_map("round1_packages")?,
            &arguments.package_map("round2_packages")?,
            arguments.package("public_key_package")?,
            self.keys.get(arguments.handle("key")?)?.clone(),
        )?;
        Ok(
            json!({ "handle": self.keys.keep(key), "public_key_package": public.write(arguments.form)? }),
        )
    }

    fn keep_part1(
        &mut self,
        secret: dkg::round1::SecretPackage<C>,
        package: dkg::round1::Package<C>,
        form: Form,
    ) -> Result<Value, Failure> {
        Ok(json!({ "handle": self.round1.keep(secret), "package": package.write(form)? }))
    }

    fn keep_part2(
        &mut self,
        secret: dkg::round2::SecretPackage<C>,
        packages: BTreeMap<Identifier<C>, dkg::round2::Package<C>>,
        form: Form,
    ) -> Result<Value, Failure> {
        Ok(json!({ "handle": self.round2.keep(secret), "packages": write_map(&packages, form)? }))
    }
}

pub fn write_map<C: Suite, T: Package>(
    packages: &BTreeMap<Identifier<C>, T>,
    form: Form,
) -> Result<Map<String, Value>, Failure> {
    packages
        .iter()
        .map(|(identifier, package)| Ok((identifier.to_hex()?, package.write(form)?.into())))
        .collect()
}
