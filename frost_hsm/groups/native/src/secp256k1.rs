//! secp256k1: secrets on k256, public points on crrl, which is twice as fast with them. Scalars and coordinates are
//! big-endian, points as SEC 1 writes them, compressed.
//!
//! crrl's sources compute in constant time, too, but on x86-64 the compiler makes branches of its masks: seen by
//! tests/benchmarks/timing.py.

use crate::curve::{Curve, Status, IDENTITY, MALFORMED};
use crate::sums;
use crrl::secp256k1::{Point, Scalar as PublicScalar};
use k256::elliptic_curve::bigint::U512;
use k256::elliptic_curve::group::GroupEncoding;
use k256::elliptic_curve::ops::{MulByGenerator, Reduce};
use k256::elliptic_curve::sec1::ToEncodedPoint;
use k256::elliptic_curve::{BatchNormalize, PrimeField};
use k256::{AffinePoint, ProjectivePoint, Scalar};

const LENGTH: usize = 32;
const UNCOMPRESSED: usize = 1 + 2 * LENGTH;

/// Products that share an inversion.
const TOGETHER: usize = 4;

pub struct Secp256k1;

/// Reduce pieces of 32 bytes, from the top.
fn reduce(wide: &[u8]) -> Scalar {
    let mut total = Scalar::ZERO;
    for piece in wide.rchunks(LENGTH).rev() {
        let mut both = [0u8; 2 * LENGTH];
        both[..LENGTH].copy_from_slice(&total.to_bytes());
        both[2 * LENGTH - piece.len()..].copy_from_slice(piece);
        total = <Scalar as Reduce<U512>>::reduce_bytes(&both.into());
    }
    total
}

/// Hand a scalar that is public to crrl.
fn public(scalar: &Scalar) -> PublicScalar {
    PublicScalar::decode_reduce(&reversed(scalar))
}

fn reversed(scalar: &Scalar) -> [u8; LENGTH] {
    let mut bytes: [u8; LENGTH] = scalar.to_bytes().into();
    bytes.reverse();
    bytes
}

/// Hand a point that is public to crrl.
fn handed_over(point: &AffinePoint) -> Point {
    let encoded = point.to_encoded_point(false);
    Point::decode(encoded.as_bytes()).unwrap_or(Point::NEUTRAL) // which is one byte
}

impl Curve for Secp256k1 {
    type Point = Point;
    type Scalar = Scalar;

    const SCALAR: usize = LENGTH;
    const ELEMENT: usize = 1 + LENGTH;
    const Y: usize = LENGTH;
    const PROOF: usize = 0;

    fn zero() -> Scalar {
        Scalar::ZERO
    }

    fn clear_unused(_: &mut [u8]) {}

    fn read_scalar(data: &[u8]) -> Result<Scalar, Status> {
        let bytes: [u8; LENGTH] = data.try_into().map_err(|_| MALFORMED)?;
        Option::from(Scalar::from_repr(bytes.into())).ok_or(MALFORMED)
    }

    fn reduce(wide: &[u8]) -> Scalar {
        reduce(wide)
    }

    fn write_scalar(scalar: &Scalar, out: &mut [u8]) {
        out.copy_from_slice(&scalar.to_bytes());
    }

    fn add_scalars(a: &Scalar, b: &Scalar) -> Scalar {
        *a + *b
    }

    fn multiply_add(a: &Scalar, b: &Scalar, c: &Scalar) -> Scalar {
        *a + *b * *c
    }

    fn multiply_base(scalar: &Scalar) -> Point {
        handed_over(&ProjectivePoint::mul_by_generator(scalar).to_affine())
    }

    fn commit(scalars: &[Scalar], mut put: impl FnMut(usize, Point, &[u8])) {
        for (k, scalars) in scalars.chunks(TOGETHER).enumerate() {
            let mut products = [ProjectivePoint::IDENTITY; TOGETHER];
            for (product, scalar) in products.iter_mut().zip(scalars) {
                *product = ProjectivePoint::mul_by_generator(scalar);
            }
            let products = ProjectivePoint::batch_normalize(&products);
            for (j, product) in products[..scalars.len()].iter().enumerate() {
                put(TOGETHER * k + j, handed_over(product), &product.to_bytes());
            }
        }
    }

    fn read(data: &[u8]) -> Result<Point, Status> {
        if data.iter().all(|byte| *byte == 0) {
            return Err(IDENTITY);
        }
        if data.len() != Self::ELEMENT {
            return Err(MALFORMED);
        }
        Point::decode(data).ok_or(MALFORMED)
    }

    fn read_beside(data: &[u8], y: &[u8]) -> Result<Point, Status> {
        if data.len() != Self::ELEMENT
            || y.len() != Self::Y
            || !matches!(data[0], 2 | 3)
            || y[LENGTH - 1] & 1 != data[0] & 1
        {
            return Err(if data.iter().all(|byte| *byte == 0) {
                IDENTITY
            } else {
                MALFORMED
            });
        }
        let mut both = [4u8; UNCOMPRESSED];
        both[1..Self::ELEMENT].copy_from_slice(&data[1..]);
        both[Self::ELEMENT..].copy_from_slice(y);
        Point::decode(&both).ok_or(MALFORMED)
    }

    fn proves(_: &[u8], _: &Point) -> bool {
        true
    }

    fn is_member(_: &Point) -> bool {
        true
    }

    fn write(point: &Point, out: &mut [u8]) {
        out.copy_from_slice(&point.encode_compressed());
    }

    fn write_y(point: &Point, out: &mut [u8]) {
        out.copy_from_slice(&point.encode_uncompressed()[Self::ELEMENT..]);
    }

    fn identity() -> Point {
        Point::NEUTRAL
    }

    fn is_identity(point: &Point) -> bool {
        point.isneutral() != 0
    }

    fn equal(a: &Point, b: &Point) -> bool {
        a.equals(*b) != 0
    }

    fn add(a: &Point, b: &Point) -> Point {
        *a + *b
    }

    fn double(point: &Point) -> Point {
        point.double()
    }

    fn negate(point: &Point) -> Point {
        -*point
    }

    fn combine_base(a: &Scalar, b: &Scalar, point: &Point) -> Point {
        point.mul_add_mulgen_vartime(&public(b), &public(a))
    }

    fn sum_products(scalars: &[Scalar], points: &[Point]) -> Point {
        sums::sum_products::<Self, LENGTH>(scalars.iter().map(reversed), points)
    }
}
