//! secp256k1 on crrl. Scalars and coordinates are big-endian, points as SEC 1 writes them, compressed.

use crate::curve::{Curve, Status, IDENTITY, MALFORMED};
use crate::sums;
use crrl::secp256k1::{Point, Scalar};
use zeroize::Zeroize;

const LENGTH: usize = 32;
const UNCOMPRESSED: usize = 1 + 2 * LENGTH;

pub struct Secp256k1;

/// Read an integer modulo the order, of any length.
fn reduce(wide: &[u8]) -> Scalar {
    let shift = Scalar::w64be(0, 0, 0, 1 << 32).xsquare(3); // 2²⁵⁶
    let mut total = Scalar::ZERO;
    let (top, rest) = wide.split_at(wide.len() % LENGTH);
    for piece in std::iter::once(top).chain(rest.chunks(LENGTH)) {
        let mut reversed = [0u8; LENGTH];
        reversed[..piece.len()].copy_from_slice(piece);
        reversed[..piece.len()].reverse();
        total = total * shift + Scalar::decode_reduce(&reversed);
        reversed.zeroize();
    }
    total
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
        let mut reversed: [u8; LENGTH] = data.try_into().map_err(|_| MALFORMED)?;
        reversed.reverse();
        let (scalar, below_the_order) = Scalar::decode32(&reversed);
        reversed.zeroize();
        if below_the_order == 0 {
            return Err(MALFORMED);
        }
        Ok(scalar)
    }

    fn reduce(wide: &[u8]) -> Scalar {
        reduce(wide)
    }

    fn write_scalar(scalar: &Scalar, out: &mut [u8]) {
        out.copy_from_slice(&scalar.encode32());
        out.reverse();
    }

    fn add_scalars(a: &Scalar, b: &Scalar) -> Scalar {
        *a + *b
    }

    fn multiply_add(a: &Scalar, b: &Scalar, c: &Scalar) -> Scalar {
        *a + *b * *c
    }

    fn multiply_base(scalar: &Scalar) -> Point {
        Point::mulgen(scalar)
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
        point.mul_add_mulgen_vartime(b, a)
    }

    fn sum_products(scalars: &[Scalar], points: &[Point]) -> Point {
        sums::sum_products::<Self, LENGTH>(scalars.iter().map(|scalar| scalar.encode32()), points)
    }
}
