//! Group operations of frost-hsm behind a C interface that takes arrays.
//!
//! - Curves: `curve` says what each does; `curve25519`, `secp256k1` and `ed448` do it; `p256` takes square roots alone.
//! - Of many points: `sums`, `membership`.
//! - Of secrets: `expanded` hashes; `wipe` wipes.
//! - The border: `border` reads and writes the caller's buffers, and lets no panic across; the functions are below.
//!
//! Every function takes the number of a curve and buffers, each a pointer and a length in bytes, and returns a
//! `Status`. Arrays follow each other without gaps. Nothing is kept between calls, but for a context of libsecp256k1,
//! without secrets, that is made when it is first used: in the self-test, before there are threads. Nothing random is
//! made here.

mod border;
mod curve;
mod curve25519;
mod ed448;
mod expanded;
mod membership;
mod p256;
mod secp256k1;
mod sums;
mod wipe;

use border::{guarded, In, Out};
use curve::{Curve, Status, DONE, IDENTITY, MISUSED, NO, OUTSIDE, YES};
use curve25519::{Ed25519, Ristretto255};
use ed448::Ed448;
use secp256k1::Secp256k1;
use sha2::{Digest, Sha256, Sha512};
use sha3::digest::{ExtendableOutput, Update, XofReader};
use sha3::Shake256;
use std::mem::size_of;
use wipe::wiped;

/// Changes when a function, or what it means, does.
const VERSION: u32 = 3;

/// Bytes that the suite of Ed448 hashes to.
const LONG: usize = 114;

/// Secret scalars that are on the stack at once.
const TERMS: usize = 32;

type Answer = Result<Status, Status>;

/// Export functions that are generic in the curve, which their first argument chooses.
macro_rules! exported {
    ($($(#[$note:meta])* $name:ident = $inner:ident($($kind:ident $data:ident $length:ident),*);)*) => {
        $(
            $(#[$note])*
            ///
            /// # Safety
            /// Each pointer is to as many bytes as the length after it says.
            #[no_mangle]
            pub unsafe extern "C" fn $name(curve: u32, $($data: pointer!($kind), $length: usize),*) -> Status {
                guarded(|| {
                    $(let $data = unsafe { $kind::new($data, $length)? };)*
                    match curve {
                        0 => $inner::<Ed25519>($($data),*),
                        1 => $inner::<Ristretto255>($($data),*),
                        2 => $inner::<Secp256k1>($($data),*),
                        3 => $inner::<Ed448>($($data),*),
                        _ => Err(MISUSED),
                    }
                })
            }
        )*
    };
}

macro_rules! pointer {
    (In) => { *const u8 };
    (Out) => { *mut u8 };
}

exported! {
    /// Tell the bytes of a point, a scalar, an element and a y: four numbers of 32 bits.
    frost_native_sizes = sizes(Out out out_length);

    /// Copy a secret scalar that is below the order, or `MALFORMED`.
    frost_native_read_scalar = read_scalar(Out out out_length, In data data_length);
    /// Clear the bits that no scalar has; say whether the rest is a scalar that is not zero.
    frost_native_fit_scalar = fit_scalar(Out random random_length);
    /// Reduce a secret integer of any length modulo the order.
    frost_native_reduce = reduce(Out out out_length, In wide wide_length);
    /// Say whether a secret scalar is zero.
    frost_native_is_zero = is_zero(In scalar scalar_length);
    /// Add secret scalars up.
    frost_native_add_scalars = add_scalars(Out out out_length, In scalars scalars_length);
    /// Compute a + b·c of secret scalars.
    frost_native_multiply_add = multiply_add(Out out out_length, In a a_length, In b b_length, In c c_length);
    /// Evaluate a secret polynomial, constant term first, at public points.
    frost_native_evaluate = evaluate(Out out out_length, In coefficients coefficients_length, In at at_length);
    /// Compute the sum of products of secret scalars and public ones, which is public from then on.
    frost_native_reveal_sum = reveal_sum(Out out out_length, In scalars scalars_length, In factors factors_length);
    /// Hash secret data to scalars, SHA-512 of `prefix`, a piece of `data` and `rest` each.
    frost_native_hash_sha512 = hash_sha512(
        Out out out_length, In prefix prefix_length, In data data_length, In rest rest_length
    );
    /// Hash secret data to scalars, SHAKE256 of `prefix`, a piece of `data` and `rest` each: 114 bytes.
    frost_native_hash_shake256 = hash_shake256(
        Out out out_length, In prefix prefix_length, In data data_length, In rest rest_length
    );
    /// Hash secret data to scalars by expand_message_xmd, of a piece of `data` and `rest` each (RFC 9380, section 5.3.1).
    frost_native_hash_expanded = hash_expanded(
        Out out out_length, In suffix suffix_length, In data data_length, In rest rest_length
    );
    /// Hash secret data to nonces, as `frost_native_hash_sha512` does, and commit to them: `IDENTITY` for one of zero.
    frost_native_nonces_sha512 = nonces_sha512(
        Out out out_length, Out points points_length, Out encodings encodings_length,
        In prefix prefix_length, In data data_length, In rest rest_length
    );
    /// Hash secret data to nonces, as `frost_native_hash_shake256` does, and commit to them, likewise.
    frost_native_nonces_shake256 = nonces_shake256(
        Out out out_length, Out points points_length, Out encodings encodings_length,
        In prefix prefix_length, In data data_length, In rest rest_length
    );
    /// Hash secret data to nonces, as `frost_native_hash_expanded` does, and commit to them, likewise.
    frost_native_nonces_expanded = nonces_expanded(
        Out out out_length, Out points points_length, Out encodings encodings_length,
        In suffix suffix_length, In data data_length, In rest rest_length
    );
    /// Multiply the generator by each secret scalar.
    frost_native_multiply_base = multiply_base(Out out out_length, In scalars scalars_length);
    /// Multiply the generator by each secret scalar, and write the elements, too: `IDENTITY`.
    frost_native_commit = commit(Out out out_length, Out encodings encodings_length, In scalars scalars_length);

    /// Read elements, or points of the whole curve that are not the identity: `MALFORMED`, `IDENTITY`.
    frost_native_read = read(Out out out_length, In data data_length);
    /// Read elements, each of them proven to be in the group: `OUTSIDE`, too.
    frost_native_read_proven = read_proven(Out out out_length, In data data_length);
    /// Read elements with the y that comes beside each.
    frost_native_read_beside = read_beside(Out out out_length, In data data_length, In y y_length);
    /// Prove that points are in the group: `OUTSIDE`. encodings: what they were read from. random: 16 bytes for each.
    frost_native_prove = prove(In points points_length, In encodings encodings_length, In random random_length);
    /// Write elements: `IDENTITY`.
    frost_native_write = write(Out out out_length, In points points_length);
    /// Write what comes beside elements: `IDENTITY`.
    frost_native_write_y = write_y(Out out out_length, In points points_length);
    /// Make the identity.
    frost_native_identity = identity(Out out out_length);
    /// Say whether a point is the identity.
    frost_native_is_identity = is_identity(In point point_length);
    /// Say whether two points are the same element.
    frost_native_equal = equal(In a a_length, In b b_length);
    /// Add to each point of `targets` the one at its place.
    frost_native_add = add(Out targets targets_length, In points points_length);
    /// Double a point.
    frost_native_double = double(Out target target_length);
    /// Negate a point.
    frost_native_negate = negate(Out target target_length);
    /// Compute a·G + b·P.
    frost_native_combine_base = combine_base(Out out out_length, In a a_length, In b b_length, In point point_length);
    /// Write every a·G + b·P, and for each whether it is to be written (1) or the identity (0).
    frost_native_write_combinations = write_combinations(
        Out out out_length, Out written written_length, In a a_length, In b b_length, In points points_length
    );
    /// Add points and products of public scalars and points up.
    frost_native_sum_products = sum_products(
        Out out out_length, In terms terms_length, In scalars scalars_length, In points points_length
    );
}

/// Tell the `VERSION`.
#[no_mangle]
pub extern "C" fn frost_native_version() -> u32 {
    VERSION
}

/// Hash secret data by SHA-256 (0), SHA-512 (1) or SHAKE256 (2).
///
/// # Safety
/// Each pointer is to as many bytes as the length after it says.
#[no_mangle]
pub unsafe extern "C" fn frost_native_digest(
    algorithm: u32,
    out: *mut u8,
    out_length: usize,
    data: *const u8,
    data_length: usize,
) -> Status {
    guarded(|| {
        let (out, data) = unsafe { (Out::new(out, out_length)?, In::new(data, data_length)?) };
        wiped(|| digest(algorithm, out, data))
    })
}

/// Compute the y of compressed points of P-256: `MALFORMED`.
///
/// # Safety
/// Each pointer is to as many bytes as the length after it says.
#[no_mangle]
pub unsafe extern "C" fn frost_native_p256_ordinates(
    out: *mut u8,
    out_length: usize,
    data: *const u8,
    data_length: usize,
) -> Status {
    guarded(|| {
        let (out, data) = unsafe { (Out::new(out, out_length)?, In::new(data, data_length)?) };
        let count = data.count(p256::ELEMENT)?;
        out.expect(count, p256::Y)?;
        for k in 0..count {
            let y = p256::ordinate(&data.piece(k, p256::ELEMENT))?;
            out.put(k, p256::Y, |piece| piece.copy_from_slice(&y));
        }
        Ok(DONE)
    })
}

fn sizes<C: Curve>(out: Out) -> Answer {
    let sizes = [size_of::<C::Point>(), C::SCALAR, C::ELEMENT, C::Y];
    out.expect(sizes.len(), size_of::<u32>())?;
    for (k, size) in sizes.into_iter().enumerate() {
        out.put_value(k, size as u32);
    }
    Ok(DONE)
}

// ── secret scalars ──

fn read_scalar<C: Curve>(out: Out, data: In) -> Answer {
    out.expect(1, C::SCALAR)?;
    wiped(|| {
        let scalar = C::read_scalar(data.all())?;
        put_scalar::<C>(out, 0, &scalar);
        Ok(DONE)
    })
}

fn fit_scalar<C: Curve>(random: Out) -> Answer {
    random.expect(1, C::SCALAR)?;
    wiped(|| {
        let mut piece = random.read().piece(0, C::SCALAR);
        C::clear_unused(&mut piece);
        random.put(0, C::SCALAR, |out| out.copy_from_slice(&piece));
        let fits = C::read_scalar(&piece).is_ok() && is_zero::<C>(random.read()) == Ok(NO);
        Ok(if fits { YES } else { NO })
    })
}

fn reduce<C: Curve>(out: Out, wide: In) -> Answer {
    out.expect(1, C::SCALAR)?;
    wiped(|| {
        let scalar = C::reduce(wide.all());
        put_scalar::<C>(out, 0, &scalar);
        Ok(DONE)
    })
}

fn is_zero<C: Curve>(scalar: In) -> Answer {
    scalar.expect(1, C::SCALAR)?;
    Ok(if vanishes(scalar.all()) { YES } else { NO })
}

fn vanishes(scalar: &[u8]) -> bool {
    scalar.iter().fold(0, |bits, byte| bits | byte) == 0
}

fn add_scalars<C: Curve>(out: Out, scalars: In) -> Answer {
    let count = scalars.count(C::SCALAR)?;
    out.expect(1, C::SCALAR)?;
    wiped(|| {
        let mut total = C::zero();
        for k in 0..count {
            total = C::add_scalars(&total, &scalar::<C>(scalars, k)?);
        }
        put_scalar::<C>(out, 0, &total);
        Ok(DONE)
    })
}

fn multiply_add<C: Curve>(out: Out, a: In, b: In, c: In) -> Answer {
    for each in [out.read(), a, b, c] {
        each.expect(1, C::SCALAR)?;
    }
    wiped(|| {
        let result = C::multiply_add(&scalar::<C>(a, 0)?, &scalar::<C>(b, 0)?, &scalar::<C>(c, 0)?);
        put_scalar::<C>(out, 0, &result);
        Ok(DONE)
    })
}

fn evaluate<C: Curve>(out: Out, coefficients: In, at: In) -> Answer {
    let (terms, count) = (coefficients.count(C::SCALAR)?, at.count(C::SCALAR)?);
    out.expect(count, C::SCALAR)?;
    wiped(|| {
        for k in 0..count {
            put_scalar::<C>(out, k, &C::zero());
        }
        // Horner's rule, several terms at a time, so that each is read once.
        for first in (0..terms).step_by(TERMS).rev() {
            let mut room = [C::zero(); TERMS];
            let block = block::<C>(coefficients, first, &mut room)?;
            for k in 0..count {
                let (x, mut value) = (scalar::<C>(at, k)?, scalar::<C>(out.read(), k)?);
                for term in block.iter().rev() {
                    value = C::multiply_add(term, &value, &x);
                }
                put_scalar::<C>(out, k, &value);
            }
        }
        Ok(DONE)
    })
}

fn reveal_sum<C: Curve>(out: Out, scalars: In, factors: In) -> Answer {
    let count = scalars.count(C::SCALAR)?;
    factors.expect(count, C::SCALAR)?;
    out.expect(1, C::SCALAR)?;
    wiped(|| {
        let mut total = C::zero();
        for k in 0..count {
            total = C::multiply_add(&total, &scalar::<C>(scalars, k)?, &scalar::<C>(factors, k)?);
        }
        put_scalar::<C>(out, 0, &total);
        Ok(DONE)
    })
}

fn hash_sha512<C: Curve>(out: Out, prefix: In, data: In, rest: In) -> Answer {
    hash_each::<C>(out, data, |piece| {
        let hash = Sha512::new()
            .chain_update(prefix.all())
            .chain_update(piece)
            .chain_update(rest.all());
        C::reduce(&hash.finalize())
    })
}

fn hash_shake256<C: Curve>(out: Out, prefix: In, data: In, rest: In) -> Answer {
    hash_each::<C>(out, data, |piece| {
        let hash = Shake256::default().chain(prefix.all()).chain(piece).chain(rest.all());
        let mut wide = [0; LONG];
        hash.finalize_xof().read(&mut wide);
        C::reduce(&wide)
    })
}

fn hash_expanded<C: Curve>(out: Out, suffix: In, data: In, rest: In) -> Answer {
    hash_each::<C>(out, data, |piece| {
        C::reduce(&expanded::expand(suffix.all(), piece, rest.all()))
    })
}

fn nonces_sha512<C: Curve>(out: Out, points: Out, encodings: Out, prefix: In, data: In, rest: In) -> Answer {
    hash_sha512::<C>(out, prefix, data, rest)?;
    commit::<C>(points, encodings, out.read())
}

fn nonces_shake256<C: Curve>(out: Out, points: Out, encodings: Out, prefix: In, data: In, rest: In) -> Answer {
    hash_shake256::<C>(out, prefix, data, rest)?;
    commit::<C>(points, encodings, out.read())
}

fn nonces_expanded<C: Curve>(out: Out, points: Out, encodings: Out, suffix: In, data: In, rest: In) -> Answer {
    hash_expanded::<C>(out, suffix, data, rest)?;
    commit::<C>(points, encodings, out.read())
}

/// Hash each piece of `data`, as many as `out` takes scalars.
fn hash_each<C: Curve>(out: Out, data: In, hash: impl Fn(&[u8]) -> C::Scalar) -> Answer {
    let count = out.read().count(C::SCALAR)?;
    let length = data.count(count.max(1))?;
    wiped(|| {
        for k in 0..count {
            let scalar = hash(&data.all()[k * length..(k + 1) * length]);
            put_scalar::<C>(out, k, &scalar);
        }
        Ok(DONE)
    })
}

fn commit<C: Curve>(out: Out, encodings: Out, scalars: In) -> Answer {
    let count = scalars.count(C::SCALAR)?;
    out.expect(count, size_of::<C::Point>())?;
    encodings.expect(count, C::ELEMENT)?;
    if scalars.all().chunks(C::SCALAR).any(vanishes) {
        return Err(IDENTITY);
    }
    wiped(|| {
        for first in (0..count).step_by(TERMS) {
            let mut room = [C::zero(); TERMS];
            C::commit(block::<C>(scalars, first, &mut room)?, |k, point, encoding| {
                out.put_value(first + k, point);
                encodings.put(first + k, C::ELEMENT, |piece| piece.copy_from_slice(encoding));
            });
        }
        Ok(DONE)
    })
}

fn multiply_base<C: Curve>(out: Out, scalars: In) -> Answer {
    let count = scalars.count(C::SCALAR)?;
    out.expect(count, size_of::<C::Point>())?;
    wiped(|| {
        for k in 0..count {
            out.put_value(k, C::multiply_base(&scalar::<C>(scalars, k)?));
        }
        Ok(DONE)
    })
}

fn digest(algorithm: u32, out: Out, data: In) -> Answer {
    match algorithm {
        0 => put_digest(out, &Sha256::digest(data.all())),
        1 => put_digest(out, &Sha512::digest(data.all())),
        2 => {
            let mut stream = Shake256::default().chain(data.all()).finalize_xof();
            for k in 0..out.read().count(1)? {
                out.put(k, 1, |byte| stream.read(byte));
            }
            Ok(DONE)
        }
        _ => Err(MISUSED),
    }
}

fn put_digest(out: Out, digest: &[u8]) -> Answer {
    out.expect(1, digest.len())?;
    out.put(0, digest.len(), |piece| piece.copy_from_slice(digest));
    Ok(DONE)
}

fn scalar<C: Curve>(scalars: In, k: usize) -> Result<C::Scalar, Status> {
    C::read_scalar(&scalars.piece(k, C::SCALAR))
}

/// Read scalars from the k-th one on, as many as there are and there is room for.
fn block<C: Curve>(scalars: In, first: usize, room: &mut [C::Scalar; TERMS]) -> Result<&[C::Scalar], Status> {
    let count = TERMS.min(scalars.count(C::SCALAR)? - first);
    for (k, place) in room[..count].iter_mut().enumerate() {
        *place = scalar::<C>(scalars, first + k)?;
    }
    Ok(&room[..count])
}

fn put_scalar<C: Curve>(out: Out, k: usize, scalar: &C::Scalar) {
    out.put(k, C::SCALAR, |piece| C::write_scalar(scalar, piece));
}

// ── public points ──

fn read<C: Curve>(out: Out, data: In) -> Answer {
    read_each::<C>(out, data, |piece, _| C::read(piece))
}

fn read_proven<C: Curve>(out: Out, data: In) -> Answer {
    read_each::<C>(out, data, |piece, _| {
        let point = C::read(piece)?;
        if C::proves(piece, &point) {
            Ok(point)
        } else {
            Err(OUTSIDE)
        }
    })
}

fn read_beside<C: Curve>(out: Out, data: In, y: In) -> Answer {
    y.expect(data.count(C::ELEMENT)?, C::Y)?;
    read_each::<C>(out, data, |piece, k| C::read_beside(piece, &y.piece(k, C::Y)))
}

fn read_each<C: Curve>(out: Out, data: In, read: impl Fn(&[u8], usize) -> Result<C::Point, Status>) -> Answer {
    let count = data.count(C::ELEMENT)?;
    out.expect(count, size_of::<C::Point>())?;
    for k in 0..count {
        out.put_value(k, read(&data.piece(k, C::ELEMENT), k)?);
    }
    Ok(DONE)
}

fn prove<C: Curve>(points: In, encodings: In, random: In) -> Answer {
    let points = values::<C>(points)?;
    encodings.expect(points.len(), C::ELEMENT)?;
    random.expect(points.len(), membership::RANDOM_BYTES)?;
    if C::PROOF == 0 || membership::are_members::<C>(&points, encodings.all(), random.all()) {
        Ok(DONE)
    } else {
        Err(OUTSIDE)
    }
}

fn write<C: Curve>(out: Out, points: In) -> Answer {
    write_each::<C>(out, points, C::ELEMENT, C::write)
}

fn write_y<C: Curve>(out: Out, points: In) -> Answer {
    write_each::<C>(out, points, C::Y, C::write_y)
}

fn write_each<C: Curve>(out: Out, points: In, size: usize, write: impl Fn(&C::Point, &mut [u8])) -> Answer {
    let count = points.count(size_of::<C::Point>())?;
    out.expect(count, size)?;
    for k in 0..count {
        let point = points.value(k);
        if C::is_identity(&point) {
            return Err(IDENTITY);
        }
        out.put(k, size, |piece| write(&point, piece));
    }
    Ok(DONE)
}

fn identity<C: Curve>(out: Out) -> Answer {
    out.expect(1, size_of::<C::Point>())?;
    out.put_value(0, C::identity());
    Ok(DONE)
}

fn is_identity<C: Curve>(point: In) -> Answer {
    point.expect(1, size_of::<C::Point>())?;
    Ok(if C::is_identity(&point.value(0)) { YES } else { NO })
}

fn equal<C: Curve>(a: In, b: In) -> Answer {
    a.expect(1, size_of::<C::Point>())?;
    b.expect(1, size_of::<C::Point>())?;
    Ok(if C::equal(&a.value(0), &b.value(0)) { YES } else { NO })
}

fn add<C: Curve>(targets: Out, points: In) -> Answer {
    let count = points.count(size_of::<C::Point>())?;
    targets.expect(count, size_of::<C::Point>())?;
    for k in 0..count {
        targets.put_value(k, C::add(&targets.read().value(k), &points.value(k)));
    }
    Ok(DONE)
}

fn double<C: Curve>(target: Out) -> Answer {
    target.expect(1, size_of::<C::Point>())?;
    target.put_value(0, C::double(&target.read().value(0)));
    Ok(DONE)
}

fn negate<C: Curve>(target: Out) -> Answer {
    target.expect(1, size_of::<C::Point>())?;
    target.put_value(0, C::negate(&target.read().value(0)));
    Ok(DONE)
}

fn combine_base<C: Curve>(out: Out, a: In, b: In, point: In) -> Answer {
    out.expect(1, size_of::<C::Point>())?;
    a.expect(1, C::SCALAR)?;
    b.expect(1, C::SCALAR)?;
    point.expect(1, size_of::<C::Point>())?;
    out.put_value(
        0,
        C::combine_base(&scalar::<C>(a, 0)?, &scalar::<C>(b, 0)?, &point.value(0)),
    );
    Ok(DONE)
}

fn write_combinations<C: Curve>(out: Out, written: Out, a: In, b: In, points: In) -> Answer {
    let count = points.count(size_of::<C::Point>())?;
    out.expect(count, C::ELEMENT)?;
    written.expect(count, 1)?;
    a.expect(count, C::SCALAR)?;
    b.expect(count, C::SCALAR)?;
    for k in 0..count {
        let point = C::combine_base(&scalar::<C>(a, k)?, &scalar::<C>(b, k)?, &points.value(k));
        let is_identity = C::is_identity(&point);
        if !is_identity {
            out.put(k, C::ELEMENT, |piece| C::write(&point, piece));
        }
        written.put_value(k, u8::from(!is_identity));
    }
    Ok(DONE)
}

fn sum_products<C: Curve>(out: Out, terms: In, scalars: In, points: In) -> Answer {
    out.expect(1, size_of::<C::Point>())?;
    let terms = values::<C>(terms)?;
    let points = values::<C>(points)?;
    scalars.expect(points.len(), C::SCALAR)?;
    let scalars = (0..points.len())
        .map(|k| scalar::<C>(scalars, k))
        .collect::<Result<Vec<_>, _>>()?;
    let products = C::sum_products(&scalars, &points);
    out.put_value(0, terms.iter().fold(products, |total, term| C::add(&total, term)));
    Ok(DONE)
}

fn values<C: Curve>(points: In) -> Result<Vec<C::Point>, Status> {
    Ok((0..points.count(size_of::<C::Point>())?)
        .map(|k| points.value(k))
        .collect())
}
