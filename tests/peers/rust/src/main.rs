//! ZcashFoundation's crates as a peer: `frost-peer CONTEXT-STRING` reads one JSON request a line and answers in one.
//!
//! `{"do": COMMAND, "form": "json" | "postcard", ...}` is answered by `{"ok": {...}}` or by `{"error": {"name": ...,
//! "message": ..., "culprits": [...]}}`. A package travels as a string: its JSON text, or its postcard in hex; every
//! other value in hex. What is secret stays here, under a handle, unless `export` asks for it.

mod arguments;
mod bench;
mod encodings;
mod failure;
mod key_generation;
mod key_management;
mod peer;
mod signing;
mod suite;

use std::io::{self, BufRead, Write};

use frost_core::Ciphersuite;
use frost_ed25519::Ed25519Sha512;
use frost_ed448::Ed448Shake256;
use frost_p256::P256Sha256;
use frost_ristretto255::Ristretto255Sha512;
use frost_secp256k1::Secp256K1Sha256;
use frost_secp256k1_tr::Secp256K1Sha256TR;
use serde_json::{json, Value};

use crate::peer::Peer;
use crate::suite::Suite;

fn main() -> io::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some(P256Sha256::ID) => serve::<P256Sha256>(),
        Some(Ed25519Sha512::ID) => serve::<Ed25519Sha512>(),
        Some(Ristretto255Sha512::ID) => serve::<Ristretto255Sha512>(),
        Some(Ed448Shake256::ID) => serve::<Ed448Shake256>(),
        Some(Secp256K1Sha256::ID) => serve::<Secp256K1Sha256>(),
        Some(Secp256K1Sha256TR::ID) => serve::<Secp256K1Sha256TR>(),
        _ => Err(io::Error::other("usage: frost-peer CONTEXT-STRING")),
    }
}

fn serve<C: Suite>() -> io::Result<()> {
    let mut peer = Peer::<C>::default();
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let answer = match peer.answer(&serde_json::from_str::<Value>(&line?)?) {
            Ok(answer) => json!({ "ok": answer }),
            Err(failure) => json!({ "error": failure.to_json() }),
        };
        serde_json::to_writer(&mut output, &answer)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}
