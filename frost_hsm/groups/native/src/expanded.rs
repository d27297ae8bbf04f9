//! expand_message_xmd with SHA-256, 48 bytes long (RFC 9380, section 5.3.1), for secret messages.

use sha2::{Digest, Sha256};

pub const LENGTH: usize = 48;

const BLOCK: usize = 64; // of SHA-256's input
const DIGEST: usize = 32;

/// Expand `message` and what follows it. suffix: DST_prime.
pub fn expand(suffix: &[u8], message: &[u8], more: &[u8]) -> [u8; LENGTH] {
    let before = [0; BLOCK];
    let after = [0, LENGTH as u8, 0];
    let b0 = Sha256::new()
        .chain_update(before)
        .chain_update(message)
        .chain_update(more)
        .chain_update(after);
    let b0: [u8; DIGEST] = b0.chain_update(suffix).finalize().into();
    let b1: [u8; DIGEST] = Sha256::new()
        .chain_update(b0)
        .chain_update([1])
        .chain_update(suffix)
        .finalize()
        .into();
    let mut mixed = b0;
    mixed.iter_mut().zip(b1).for_each(|(mixed, byte)| *mixed ^= byte);
    let b2: [u8; DIGEST] = Sha256::new()
        .chain_update(mixed)
        .chain_update([2])
        .chain_update(suffix)
        .finalize()
        .into();
    let mut expanded = [0; LENGTH];
    expanded[..DIGEST].copy_from_slice(&b1);
    expanded[DIGEST..].copy_from_slice(&b2[..LENGTH - DIGEST]);
    expanded
}
