//! secp256k1: secret scalars on k256, their products with the generator on libsecp256k1, public points on crrl, which is
//! twice as fast with them as k256. Scalars and coordinates are big-endian, points as SEC 1 writes them, compressed.
//!
//! crrl's sources compute in constant time, too, but on x86-64 the compiler makes branches of its masks: seen by
//! tests/benchmarks/timing.py.

use crate::curve::{Curve, Status, IDENTITY, MALFORMED};
use crate::sums;
use crrl::secp256k1::{Point, Scalar as PublicScalar};
use k256::elliptic_curve::bigint::U512;
use k256::elliptic_curve::ops::Reduce;
use k256::elliptic_curve::PrimeField;
use k256::Scalar;
use secp256k1_sys::{self as libsecp256k1, secp256k1_ec_pubkey_create, secp256k1_ec_pubkey_serialize, PublicKey};
use std::ptr::NonNull;
use std::sync::LazyLock;

const LENGTH: usize = 32;
const UNCOMPRESSED: usize = 1 + 2 * LENGTH;

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

/// What libsecp256k1 has for multiplying by secrets. It is only read.
struct Context(NonNull<libsecp256k1::Context>);

unsafe impl Send for Context {}
unsafe impl Sync for Context {}

static CONTEXT: LazyLock<Context> =
    LazyLock::new(|| Context(unsafe { libsecp256k1::secp256k1_context_create(libsecp256k1::SECP256K1_START_NONE) }));

/// Multiply the generator by a secret scalar, and write the element uncompressed; of zero there is none.
fn multiply_base(scalar: &Scalar) -> Option<[u8; UNCOMPRESSED]> {
    let (context, secret) = (CONTEXT.0.as_ptr(), scalar.to_bytes());
    let (mut encoded, mut length) = ([0; UNCOMPRESSED], UNCOMPRESSED);
    unsafe {
        let mut product = PublicKey::new();
        if secp256k1_ec_pubkey_create(context, &mut product, secret.as_ptr()) == 0 {
            return None;
        }
        let form = libsecp256k1::SECP256K1_SER_UNCOMPRESSED;
        secp256k1_ec_pubkey_serialize(context, encoded.as_mut_ptr(), &mut length, &product, form);
    }
    Some(encoded)
}

/// Hand a point that is public to crrl.
fn handed_over(encoded: &[u8; UNCOMPRESSED]) -> Point {
    Point::decode(encoded).expect("a point of the curve")
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
        multiply_base(scalar).map_or(Point::NEUTRAL, |encoded| handed_over(&encoded))
    }

    fn commit(scalars: &[Scalar], mut put: impl FnMut(usize, Point, &[u8])) {
        for (k, scalar) in scalars.iter().enumerate() {
            let encoded = multiply_base(scalar).expect("a scalar that is not zero");
            let mut compressed = [2 | encoded[UNCOMPRESSED - 1] & 1; 1 + LENGTH];
            compressed[1..].copy_from_slice(&encoded[1..=LENGTH]);
            put(k, handed_over(&encoded), &compressed);
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
