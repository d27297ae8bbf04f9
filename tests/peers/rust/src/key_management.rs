//! What a dealer does, and what is done with shares later: reconstruct, repair, refresh by a dealer.

use std::collections::BTreeMap;

use frost_core::keys::repairable::{repair_share_part1, repair_share_part2, repair_share_part3};
use frost_core::keys::{
    reconstruct, refresh, split, IdentifierList, KeyPackage, PublicKeyPackage, SecretShare,
};
use frost_core::{Identifier, SigningKey};
use rand_core::OsRng;
use serde_json::{json, Map, Value};

use crate::arguments::Arguments;
use crate::encodings::{Bytes, Package};
use crate::failure::Failure;
use crate::key_generation::write_map;
use crate::peer::Peer;
use crate::suite::Suite;

impl<C: Suite> Peer<C> {
    /// Split a signing key, a new one unless it is given.
    pub fn split(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        let key = if arguments.has("signing_key") {
            arguments.value("signing_key")?
        } else {
            SigningKey::<C>::new(&mut OsRng)
        };
        let identifiers = arguments.values("identifiers")?;
        let (shares, public) = split(
            &key,
            arguments.number("max_signers")?,
            arguments.number("min_signers")?,
            IdentifierList::Custom(&identifiers),
            &mut OsRng,
        )?;
        let form = arguments.form;
        Ok(
            json!({ "secret_shares": write_map(&shares, form)?, "public_key_package": public.write(form)? }),
        )
    }

    /// Make a key package of a dealer's secret share.
    pub fn accept(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        let share: SecretShare<C> = arguments.package("secret_share")?;
        Ok(json!({ "handle": self.keys.keep(KeyPackage::try_from(share)?) }))
    }

    pub fn reconstruct(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        let keys = arguments.packages::<KeyPackage<C>>("key_packages")?;
        Ok(json!({ "signing_key": reconstruct(&keys)?.to_hex()? }))
    }

    pub fn repair_part1(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        let deltas = repair_share_part1(
            &arguments.values::<Identifier<C>>("helpers")?,
            self.keys.get(arguments.handle("key")?)?,
            &mut OsRng,
            arguments.value("participant")?,
        )?;
        let deltas: Map<String, Value> = deltas
            .iter()
            .map(|(helper, delta)| Ok((helper.to_hex()?, delta.to_hex()?.into())))
            .collect::<Result<_, Failure>>()?;
        Ok(json!({ "deltas": deltas }))
    }

    pub fn repair_part2(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        let sigma = repair_share_part2::<C>(&arguments.values("deltas")?);
        Ok(json!({ "sigma": sigma.to_hex()? }))
    }

    pub fn repair_part3(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        let key = repair_share_part3::<C>(
            &arguments.values("sigmas")?,
            arguments.value("identifier")?,
            &arguments.package("public_key_package")?,
        )?;
        Ok(json!({ "handle": self.keys.keep(key) }))
    }

    pub fn refreshing_shares(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        let public: PublicKeyPackage<C> = arguments.package("public_key_package")?;
        let identifiers = arguments.values("identifiers")?;
        let (shares, public) =
            refresh::compute_refreshing_shares(public, &identifiers, &mut OsRng)?;
        let shares: BTreeMap<_, _> = shares
            .into_iter()
            .map(|share| (*share.identifier(), share))
            .collect();
        let form = arguments.form;
        Ok(
            json!({ "secret_shares": write_map(&shares, form)?, "public_key_package": public.write(form)? }),
        )
    }

    pub fn refresh_share(&mut self, arguments: &Arguments) -> Result<Value, Failure> {
        let key = refresh::refresh_share(
            arguments.package("secret_share")?,
            self.keys.get(arguments.handle("key")?)?,
        )?;
        Ok(json!({ "handle": self.keys.keep(key) }))
    }
}
