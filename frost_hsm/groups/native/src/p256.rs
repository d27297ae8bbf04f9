//! Square roots for P-256, whose points are read, and computed with, by libcrypto.

use crate::curve::{Status, MALFORMED};
use crrl::field::GFp256;

pub const ELEMENT: usize = 33;
pub const Y: usize = 32;

/// b of y² = x³ - 3·x + b (SP 800-186, section 3.2.1.3).
const B: GFp256 = GFp256::w64be(
    0x5AC635D8AA3A93E7,
    0xB3EBBD55769886BC,
    0x651D06B0CC53B0F6,
    0x3BCE3C3E27D2604B,
);

/// Compute the y of a compressed point, big-endian.
pub fn ordinate(data: &[u8]) -> Result<[u8; Y], Status> {
    let mut reversed: [u8; Y] = data[1..].try_into().map_err(|_| MALFORMED)?;
    reversed.reverse();
    let x = GFp256::decode(&reversed).ok_or(MALFORMED)?;
    let (mut y, is_square) = ((x.square() - GFp256::from_u32(3)) * x + B).sqrt();
    if is_square == 0 || !matches!(data[0], 2 | 3) {
        return Err(MALFORMED);
    }
    if y.encode()[0] & 1 != data[0] & 1 {
        y = -y;
    }
    let mut out = y.encode();
    out.reverse();
    Ok(out)
}
