//! Proofs that many points are in the subgroup of prime order, at once.

use crate::curve::Curve;

/// Bits: a batch with a point outside the subgroup passes with probability 2⁻⁶⁴ at most.
const SOUNDNESS: usize = 64;

/// What a bucket costs, in additions: to make it, to fold it and to add it up.
const BUCKET: usize = 4;

/// Random bytes that a proof takes for each point, at most.
pub const RANDOM_BYTES: usize = SOUNDNESS / 4;

/// Say whether all points are in the subgroup.
///
/// Of many, random subsets are added up, and their sums are checked. Let one point be outside, and the choice be made
/// for all others: then a subset's sum is in the subgroup with it or without it, not both.
pub fn are_members<C: Curve>(points: &[C::Point], encodings: &[u8], random: &[u8]) -> bool {
    let Some(bits) = subsets_at_once(points.len(), C::PROOF) else {
        return encodings
            .chunks_exact(C::ELEMENT)
            .zip(points)
            .all(|(data, point)| C::proves(data, point));
    };
    random
        .chunks_exact(points.len())
        .take(SOUNDNESS.div_ceil(bits))
        .all(|choices| subset_sums::<C>(points, choices, bits).iter().all(C::is_member))
}

/// Choose how many subsets one pass adds up, from 4 to 8: what costs least; none for one proof a point.
fn subsets_at_once(count: usize, proof: usize) -> Option<usize> {
    let cost = |bits: usize| SOUNDNESS.div_ceil(bits) * (count + (BUCKET << bits) + bits * proof);
    let best = (4..=8).min_by_key(|bits| cost(*bits))?;
    (cost(best) < proof * count).then_some(best)
}

/// Add up `bits` random subsets.
///
/// Each point goes into one of 2ᵇ buckets, whose number in binary says which of the b subsets it is in; a subset is
/// then the upper half of the buckets, and folding that onto the lower half leaves those of the others.
fn subset_sums<C: Curve>(points: &[C::Point], choices: &[u8], bits: usize) -> Vec<C::Point> {
    let mut buckets = vec![C::identity(); 1 << bits];
    for (point, choice) in points.iter().zip(choices) {
        let bucket = &mut buckets[usize::from(*choice) & ((1 << bits) - 1)];
        *bucket = C::add(bucket, point);
    }
    let mut sums = Vec::with_capacity(bits);
    while buckets.len() > 1 {
        let upper = buckets.split_off(buckets.len() / 2);
        for (bucket, folded) in buckets.iter_mut().zip(&upper) {
            *bucket = C::add(bucket, folded);
        }
        sums.push(upper.iter().fold(C::identity(), |sum, point| C::add(&sum, point)));
    }
    sums
}
