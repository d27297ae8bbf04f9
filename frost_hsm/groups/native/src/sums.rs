//! Sums of several products by Straus' method, for the curves whose crate multiplies one by one.
//!
//! All products share their doublings. Each scalar is cut into odd digits of five bits, mostly zeros between them, so
//! that a table of few multiples serves and most bits take no addition.

use crate::curve::Curve;

const WIDTH: usize = 5;
const MULTIPLES: usize = 1 << (WIDTH - 2); // P, 3·P, … 15·P

/// Compute the sum of scalars[k]·points[k]. scalars: `bits` bits each, little-endian. In variable time.
pub fn sum_products<C: Curve, const BYTES: usize>(
    scalars: impl Iterator<Item = [u8; BYTES]>,
    points: &[C::Point],
) -> C::Point {
    let digits: Vec<_> = scalars.map(|scalar| signed_digits(&scalar)).collect();
    let tables: Vec<_> = points.iter().map(odd_multiples::<C>).collect();
    let mut total = C::identity();
    for bit in (0..=8 * BYTES).rev() {
        total = C::double(&total);
        for (digits, table) in digits.iter().zip(&tables) {
            let digit = digits[bit];
            let multiple = || table[usize::from(digit.unsigned_abs() / 2)];
            if digit > 0 {
                total = C::add(&total, &multiple());
            } else if digit < 0 {
                total = C::add(&total, &C::negate(&multiple()));
            }
        }
    }
    total
}

fn odd_multiples<C: Curve>(point: &C::Point) -> [C::Point; MULTIPLES] {
    let twice = C::double(point);
    let mut multiples = [*point; MULTIPLES];
    for k in 1..MULTIPLES {
        multiples[k] = C::add(&multiples[k - 1], &twice);
    }
    multiples
}

/// Write a number as Σ digit·2ᵏ, with digits 0, ±1, ±3, … ±15, of which few are not 0.
fn signed_digits(scalar: &[u8]) -> Vec<i8> {
    let bits = 8 * scalar.len();
    let byte = |k: usize| u32::from(scalar.get(k).copied().unwrap_or(0));
    let mut digits = vec![0i8; bits + 1];
    let (mut at, mut carry) = (0, 0);
    while at <= bits {
        let window = carry + ((byte(at / 8) | byte(at / 8 + 1) << 8) >> (at % 8) & ((1 << WIDTH) - 1));
        if window & 1 == 0 {
            at += 1;
            continue;
        }
        carry = window >> (WIDTH - 1);
        digits[at] = (window as i32 - ((carry as i32) << WIDTH)) as i8;
        at += WIDTH;
    }
    digits
}
