//! Ed25519 and ristretto255 on curve25519-dalek.
//!
//! It shows no field elements. Affine coordinates, which come beside encodings, are read and written by the field of
//! crrl, which proves membership too, in half the time: by halving the point (eprint 2022/1164).

use crate::curve::{Curve, Status, IDENTITY, MALFORMED};
use crrl::field::GF25519;
use curve25519_dalek::{
    edwards::{CompressedEdwardsY, EdwardsPoint},
    ristretto::{CompressedRistretto, RistrettoPoint},
    traits::{Identity, IsIdentity, VartimeMultiscalarMul},
    Scalar,
};
use zeroize::Zeroize;

const LENGTH: usize = 32;

fn array(data: &[u8]) -> Result<[u8; LENGTH], Status> {
    data.try_into().map_err(|_| MALFORMED)
}

fn read_scalar(data: &[u8]) -> Result<Scalar, Status> {
    let mut bytes = array(data)?;
    let scalar = Option::from(Scalar::from_canonical_bytes(bytes));
    bytes.zeroize();
    scalar.ok_or(MALFORMED)
}

/// Reduce pieces of 32 bytes, from the top.
fn reduce(wide: &[u8]) -> Scalar {
    let mut total = Scalar::ZERO;
    for piece in wide.chunks(LENGTH).rev() {
        let mut both = [0u8; 2 * LENGTH];
        both[..piece.len()].copy_from_slice(piece);
        both[LENGTH..].copy_from_slice(total.as_bytes());
        total = Scalar::from_bytes_mod_order_wide(&both);
        both.zeroize();
    }
    total
}

// ── coordinates: 121666·(y² - x² - 1) + 121665·x²·y² = 0 ──

const D_NUMERATOR: u32 = 121665; // of -d
const D_DENOMINATOR: u32 = 121666;

/// Read affine x and y, little-endian and below p, of a point of the curve.
fn read_coordinates(data: &[u8]) -> Result<(GF25519, GF25519), Status> {
    if data.len() != 2 * LENGTH {
        return Err(MALFORMED);
    }
    let (Some(x), Some(y)) = (GF25519::decode(&data[..LENGTH]), GF25519::decode(&data[LENGTH..])) else {
        return Err(MALFORMED);
    };
    let (xx, yy) = (x.square(), y.square());
    let left = (yy - xx - GF25519::ONE).mul_small(D_DENOMINATOR) + (xx * yy).mul_small(D_NUMERATOR);
    if left.iszero() == 0 {
        return Err(MALFORMED);
    }
    Ok((x, y))
}

/// Write affine x and y, where y and the lowest bit of x are known.
fn write_coordinates(y: GF25519, odd: bool, out: &mut [u8]) {
    let yy = y.square();
    let square = (yy - GF25519::ONE).mul_small(D_DENOMINATOR)
        / (GF25519::ONE.mul_small(D_DENOMINATOR) - yy.mul_small(D_NUMERATOR));
    let (mut x, _) = square.sqrt();
    if is_odd(x) != odd {
        x = -x;
    }
    out[..LENGTH].copy_from_slice(&x.encode());
    out[LENGTH..].copy_from_slice(&y.encode());
}

fn is_odd(x: GF25519) -> bool {
    x.encode()[0] & 1 == 1
}

macro_rules! dalek {
    ($point:ty) => {
        type Point = $point;
        type Scalar = Scalar;

        const SCALAR: usize = LENGTH;
        const ELEMENT: usize = LENGTH;
        const Y: usize = 2 * LENGTH;

        fn zero() -> Scalar {
            Scalar::ZERO
        }
        fn clear_unused(data: &mut [u8]) {
            data[LENGTH - 1] &= 0x1f; // 253 bits
        }
        fn read_scalar(data: &[u8]) -> Result<Scalar, Status> {
            read_scalar(data)
        }
        fn reduce(wide: &[u8]) -> Scalar {
            reduce(wide)
        }
        fn write_scalar(scalar: &Scalar, out: &mut [u8]) {
            out.copy_from_slice(scalar.as_bytes());
        }
        fn add_scalars(a: &Scalar, b: &Scalar) -> Scalar {
            a + b
        }
        fn multiply_add(a: &Scalar, b: &Scalar, c: &Scalar) -> Scalar {
            a + b * c
        }
        fn multiply_base(scalar: &Scalar) -> Self::Point {
            Self::Point::mul_base(scalar)
        }
        fn write(point: &Self::Point, out: &mut [u8]) {
            out.copy_from_slice(point.compress().as_bytes());
        }
        fn identity() -> Self::Point {
            Self::Point::identity()
        }
        fn is_identity(point: &Self::Point) -> bool {
            point.is_identity()
        }
        fn equal(a: &Self::Point, b: &Self::Point) -> bool {
            a == b
        }
        fn add(a: &Self::Point, b: &Self::Point) -> Self::Point {
            a + b
        }
        fn double(point: &Self::Point) -> Self::Point {
            point + point
        }
        fn negate(point: &Self::Point) -> Self::Point {
            -point
        }
        fn combine_base(a: &Scalar, b: &Scalar, point: &Self::Point) -> Self::Point {
            Self::Point::vartime_double_scalar_mul_basepoint(b, point, a)
        }
        fn sum_products(scalars: &[Scalar], points: &[Self::Point]) -> Self::Point {
            Self::Point::vartime_multiscalar_mul(scalars, points)
        }
    };
}

pub struct Ed25519;

/// Read a point of the whole curve but the identity: y below p, with the sign of x in the top bit.
fn read_edwards(data: &[u8]) -> Result<EdwardsPoint, Status> {
    let data = array(data)?;
    let mut ordinate = data;
    ordinate[LENGTH - 1] &= 0x7f;
    let Some(y) = GF25519::decode(&ordinate) else {
        return Err(MALFORMED);
    };
    if y.equals(GF25519::ONE) != 0 {
        return Err(IDENTITY);
    }
    if y.equals(GF25519::MINUS_ONE) != 0 && data != ordinate {
        return Err(MALFORMED); // -0
    }
    CompressedEdwardsY(data).decompress().ok_or(MALFORMED)
}

impl Curve for Ed25519 {
    dalek!(EdwardsPoint);

    const PROOF: usize = 130;

    fn read(data: &[u8]) -> Result<EdwardsPoint, Status> {
        read_edwards(data)
    }

    /// Read P with affine x and y of P/8.
    fn read_beside(data: &[u8], y: &[u8]) -> Result<EdwardsPoint, Status> {
        let (x, ordinate) = read_coordinates(y)?;
        let mut eighth = ordinate.encode();
        eighth[LENGTH - 1] |= u8::from(is_odd(x)) << 7;
        let point = CompressedEdwardsY(eighth)
            .decompress()
            .ok_or(MALFORMED)?
            .mul_by_cofactor();
        if point.is_identity() || point.compress().as_bytes() != data {
            return Err(if is_identity_encoded(data) { IDENTITY } else { MALFORMED });
        }
        Ok(point)
    }

    fn proves(data: &[u8], _: &EdwardsPoint) -> bool {
        crrl::ed25519::Point::decode(data).is_some_and(|point| point.is_in_subgroup() != 0)
    }

    fn is_member(point: &EdwardsPoint) -> bool {
        Self::proves(point.compress().as_bytes(), point)
    }

    fn write_y(point: &EdwardsPoint, out: &mut [u8]) {
        let eighth = (point * Scalar::from(8u8).invert()).compress().to_bytes();
        let mut ordinate = eighth;
        ordinate[LENGTH - 1] &= 0x7f;
        write_coordinates(GF25519::decode_reduce(&ordinate), eighth[LENGTH - 1] >> 7 == 1, out);
    }
}

fn is_identity_encoded(data: &[u8]) -> bool {
    matches!(read_edwards(data), Err(IDENTITY))
}

pub struct Ristretto255;

/// 1/2 modulo the order: (order + 1) / 2.
#[rustfmt::skip]
const HALF: [u8; LENGTH] = [
    0xf7, 0xe9, 0x7a, 0x2e, 0x8d, 0x31, 0x09, 0x2c, 0x6b, 0xce, 0x7b, 0x51, 0xef, 0x7c, 0x6f, 0x0a,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x08,
];

impl Curve for Ristretto255 {
    dalek!(RistrettoPoint);

    const PROOF: usize = 0;

    /// Compute halves, which dalek doubles and writes by a single inversion.
    fn commit(scalars: &[Scalar], mut put: impl FnMut(usize, RistrettoPoint, &[u8])) {
        let half = Scalar::from_bytes_mod_order(HALF);
        let halves: Vec<_> = scalars
            .iter()
            .map(|scalar| Self::multiply_base(&(scalar * half)))
            .collect();
        let encodings = RistrettoPoint::double_and_compress_batch(&halves);
        for (k, (point, encoding)) in halves.iter().zip(&encodings).enumerate() {
            put(k, point + point, encoding.as_bytes());
        }
    }

    fn read(data: &[u8]) -> Result<RistrettoPoint, Status> {
        let point = CompressedRistretto(array(data)?).decompress().ok_or(MALFORMED)?;
        if point.is_identity() {
            return Err(IDENTITY);
        }
        Ok(point)
    }

    /// Read an element with affine x and y of the point that reading it gives (RFC 9496, section 4.3.1).
    ///
    /// On the curve, y = (1 - s²)/(1 + s²) leaves two x, and x and x·y are both even in one case only.
    fn read_beside(data: &[u8], y: &[u8]) -> Result<RistrettoPoint, Status> {
        let point = Self::read(data)?;
        let (x, ordinate) = read_coordinates(y)?;
        let square = GF25519::decode_reduce(data).square();
        let fits = ordinate * (GF25519::ONE + square) - GF25519::ONE + square;
        if fits.iszero() == 0 || is_odd(x) || is_odd(x * ordinate) || ordinate.iszero() != 0 {
            return Err(MALFORMED);
        }
        Ok(point)
    }

    fn proves(_: &[u8], _: &RistrettoPoint) -> bool {
        true
    }

    fn is_member(_: &RistrettoPoint) -> bool {
        true
    }

    fn write_y(point: &RistrettoPoint, out: &mut [u8]) {
        let square = GF25519::decode_reduce(point.compress().as_bytes()).square();
        write_coordinates((GF25519::ONE - square) / (GF25519::ONE + square), false, out);
    }
}
