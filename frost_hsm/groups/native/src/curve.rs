//! What a curve has to do, whichever crate does it.

/// What came of a call: 0 and above is an answer, below is a failure.
pub type Status = i32;

pub const DONE: Status = 0;
pub const YES: Status = 1;
pub const NO: Status = 0;

/// The bytes are not an element, or not a scalar, in its one form.
pub const MALFORMED: Status = -1;
/// The identity, where none is taken or written.
pub const IDENTITY: Status = -2;
/// A point of the curve that is not in the subgroup of prime order.
pub const OUTSIDE: Status = -3;
/// A null pointer, a length that does not fit, or buffers that overlap.
pub const MISUSED: Status = -4;
/// A panic: a mistake in this library or one that it uses.
pub const FAULT: Status = -5;

const LONGEST_ELEMENT: usize = 57; // of Ed448

/// A group of prime order. Elements and scalars are written as FROST's ciphersuites write them.
///
/// `Point` and `Scalar` are plain integers without invalid bit patterns, and without anything to drop: points are
/// handed out as opaque bytes, and whatever comes back is computed with.
pub trait Curve {
    type Point: Copy;
    type Scalar: Copy;

    const SCALAR: usize;
    const ELEMENT: usize;
    const Y: usize;
    /// What a proof of one element costs, in additions; 0 where every point is in the group.
    const PROOF: usize;

    // ── scalars: in constant time ──

    fn zero() -> Self::Scalar;
    /// Clear the bits that no scalar has.
    fn clear_unused(data: &mut [u8]);
    /// Read a scalar below the order.
    fn read_scalar(data: &[u8]) -> Result<Self::Scalar, Status>;
    /// Read an integer of any length modulo the order.
    fn reduce(wide: &[u8]) -> Self::Scalar;
    fn write_scalar(scalar: &Self::Scalar, out: &mut [u8]);
    fn add_scalars(a: &Self::Scalar, b: &Self::Scalar) -> Self::Scalar;
    /// Compute a + b·c.
    fn multiply_add(a: &Self::Scalar, b: &Self::Scalar, c: &Self::Scalar) -> Self::Scalar;
    fn multiply_base(scalar: &Self::Scalar) -> Self::Point;
    /// Multiply the generator by each scalar, none of them zero, and write the elements: together where that shares
    /// inversions. `put` takes the number of each, the element and what is written.
    fn commit(scalars: &[Self::Scalar], mut put: impl FnMut(usize, Self::Point, &[u8])) {
        for (k, scalar) in scalars.iter().enumerate() {
            let point = Self::multiply_base(scalar);
            let mut encoding = [0; LONGEST_ELEMENT];
            Self::write(&point, &mut encoding[..Self::ELEMENT]);
            put(k, point, &encoding[..Self::ELEMENT]);
        }
    }

    // ── points: public, in variable time ──

    /// Read an element, or a point of the whole curve, but not the identity.
    fn read(data: &[u8]) -> Result<Self::Point, Status>;
    /// Read an element with its y, which proves that it is in the group.
    fn read_beside(data: &[u8], y: &[u8]) -> Result<Self::Point, Status>;
    /// Say whether a point that was read from `data` is in the group.
    fn proves(data: &[u8], point: &Self::Point) -> bool;
    fn is_member(point: &Self::Point) -> bool;
    /// Write an element that is not the identity.
    fn write(point: &Self::Point, out: &mut [u8]);
    fn write_y(point: &Self::Point, out: &mut [u8]);
    fn identity() -> Self::Point;
    fn is_identity(point: &Self::Point) -> bool;
    fn equal(a: &Self::Point, b: &Self::Point) -> bool;
    fn add(a: &Self::Point, b: &Self::Point) -> Self::Point;
    fn double(point: &Self::Point) -> Self::Point;
    fn negate(point: &Self::Point) -> Self::Point;
    fn combine_base(a: &Self::Scalar, b: &Self::Scalar, point: &Self::Point) -> Self::Point;
    fn sum_products(scalars: &[Self::Scalar], points: &[Self::Point]) -> Self::Point;
}
