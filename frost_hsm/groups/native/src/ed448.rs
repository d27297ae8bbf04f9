//! Ed448 on crrl, written as RFC 8032 writes it. The last byte of a scalar is always 0.

use crate::curve::{Curve, Status, IDENTITY, MALFORMED};
use crate::sums;
use crrl::ed448::{Point, Scalar};
use crrl::field::GF448;

const LENGTH: usize = 57;
const COORDINATE: usize = 56;
const D: u32 = 39081; // -d

pub struct Ed448;

fn is_odd(x: GF448) -> bool {
    x.encode()[0] & 1 == 1
}

fn is_identity_encoded(data: &[u8]) -> bool {
    data.len() == LENGTH
        && data[0] == 1
        && data[1..LENGTH - 1].iter().all(|byte| *byte == 0)
        && data[LENGTH - 1] & 0x7f == 0
}

impl Curve for Ed448 {
    type Point = Point;
    type Scalar = Scalar;

    const SCALAR: usize = LENGTH;
    const ELEMENT: usize = LENGTH;
    const Y: usize = 2 * COORDINATE;
    const PROOF: usize = 90;

    fn zero() -> Scalar {
        Scalar::ZERO
    }

    fn clear_unused(data: &mut [u8]) {
        data[COORDINATE] = 0;
        data[COORDINATE - 1] &= 0x3f; // 446 bits
    }

    fn read_scalar(data: &[u8]) -> Result<Scalar, Status> {
        if data.len() != LENGTH {
            return Err(MALFORMED);
        }
        let (scalar, below_the_order) = Scalar::decode_ct(&data[..COORDINATE]);
        if below_the_order == 0 || data[COORDINATE] != 0 {
            return Err(MALFORMED);
        }
        Ok(scalar)
    }

    fn reduce(wide: &[u8]) -> Scalar {
        Scalar::decode_reduce(wide)
    }

    fn write_scalar(scalar: &Scalar, out: &mut [u8]) {
        out[..COORDINATE].copy_from_slice(&scalar.encode());
        out[COORDINATE] = 0;
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
        if is_identity_encoded(data) {
            return Err(IDENTITY);
        }
        Point::decode(data).ok_or(MALFORMED)
    }

    /// Read P with affine x and y of P/4.
    fn read_beside(data: &[u8], y: &[u8]) -> Result<Point, Status> {
        if is_identity_encoded(data) {
            return Err(IDENTITY);
        }
        if data.len() != LENGTH || y.len() != Self::Y {
            return Err(MALFORMED);
        }
        let (Some(x), Some(ordinate)) = (GF448::decode(&y[..COORDINATE]), GF448::decode(&y[COORDINATE..])) else {
            return Err(MALFORMED);
        };
        let (xx, yy) = (x.square(), ordinate.square());
        if (xx + yy - GF448::ONE + (xx * yy).mul_small(D)).iszero() == 0 {
            return Err(MALFORMED); // not on the curve
        }
        let mut quarter = [0u8; LENGTH];
        quarter[..COORDINATE].copy_from_slice(&y[COORDINATE..]);
        quarter[LENGTH - 1] = u8::from(is_odd(x)) << 7;
        let point = Point::decode(&quarter).ok_or(MALFORMED)?.xdouble(2);
        if point.encode() != *data {
            return Err(MALFORMED);
        }
        Ok(point)
    }

    fn proves(_: &[u8], point: &Point) -> bool {
        Self::is_member(point)
    }

    fn is_member(point: &Point) -> bool {
        point.is_in_subgroup() != 0
    }

    fn write(point: &Point, out: &mut [u8]) {
        out.copy_from_slice(&point.encode());
    }

    fn write_y(point: &Point, out: &mut [u8]) {
        let quarter = (*point * (Scalar::ONE / Scalar::from_u32(4))).encode();
        let y = GF448::decode_reduce(&quarter[..COORDINATE]);
        let yy = y.square();
        let (mut x, _) = ((GF448::ONE - yy) / (GF448::ONE + yy.mul_small(D))).sqrt();
        if is_odd(x) != (quarter[LENGTH - 1] >> 7 == 1) {
            x = -x;
        }
        out[..COORDINATE].copy_from_slice(&x.encode());
        out[COORDINATE..].copy_from_slice(&y.encode());
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
        sums::sum_products::<Self, COORDINATE>(scalars.iter().map(|scalar| scalar.encode()), points)
    }
}
