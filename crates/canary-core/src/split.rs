//! Weights laid out on the circle, so that ramps move as few users as can be.
//!
//! Two-phase anchored layout: variant `i` owns a stripe that begins at the anchor
//! van der Corput(i). Phase 1 fills each stripe from its left edge; phase 2 puts what
//! did not fit into free space upward of the stripe, wrapping. The rest is the
//! baseline's. While each weight fits its stripe, raising one takes users from the
//! baseline only. The layout is frozen by `tests/vectors/bucketing.json`; the
//! alternatives and their figures are in `docs/decisions/0003-layout.md`.

use std::fmt;

use crate::bucket::{MILLION, Point};

/// A rollout has at most this many variants beside its baseline.
pub const MAX_VARIANTS: usize = 64;

/// A share of the users, `0 ..= 1_000_000` parts per million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(u32);

/// Which side of a rollout: the baseline, or a variant by its place in the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VariantId(u8);

/// Who owns which part of the circle; a look-up always finds an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Sorted by start, the first at 0, no two neighbours with one owner.
    ranges: Box<[Range]>,
    weights: Box<[Weight]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    start: Point,
    owner: VariantId,
}

/// The weights of a split sum to more than the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overfull {
    /// The sum, in parts per million.
    pub sum: u64,
}

/// A piece of the circle in parts per million, `lo < hi`.
struct Piece {
    lo: u32,
    hi: u32,
    owner: VariantId,
}

// impl Weight

impl Weight {
    /// Nobody.
    pub const NONE: Self = Self(0);

    /// Everyone.
    pub const ALL: Self = Self(MILLION);

    /// A weight from percent: `0 ..= 100` with at most four decimals, else `None`.
    pub fn from_percent(percent: f64) -> Option<Self> {
        if !(0.0..=100.0).contains(&percent) {
            return None;
        }
        // Both the decimal text and this quotient are rounded correctly, so a number
        // with at most four decimals compares equal to the bit.
        let ppm = (percent * 1e4).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::float_cmp,
            reason = "an integer between 0 and a million by the test above; equality is meant"
        )]
        (ppm / 1e4 == percent).then_some(Self(ppm as u32))
    }

    /// Parts per million.
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// This part of it, rounded down.
    pub(crate) fn part(self, part: Self) -> Self {
        let ppm = u64::from(self.0) * u64::from(part.0) / u64::from(MILLION);
        Self(u32::try_from(ppm).unwrap_or(MILLION))
    }

    /// A part of so many, of the whole; at most all.
    pub fn of(part: u64, whole: u64) -> Self {
        let ppm = part.saturating_mul(u64::from(MILLION)).checked_div(whole);
        Self(ppm.and_then(|ppm| u32::try_from(ppm).ok()).unwrap_or(MILLION).min(MILLION))
    }

    /// What others leave that have so many parts per million.
    pub(crate) fn remainder(others: u64) -> Self {
        let left = u64::from(MILLION).saturating_sub(others);
        Self(u32::try_from(left).unwrap_or(MILLION))
    }
}

/// Percent, with no more decimals than it needs.
impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.0) / 1e4)
    }
}

// impl VariantId

impl VariantId {
    /// The side that gets what no variant takes.
    pub const BASELINE: Self = Self(0);

    /// The variant at this place in the policy's list, counted from 0.
    pub fn variant(index: usize) -> Self {
        Self(u8::try_from(index.saturating_add(1)).unwrap_or(u8::MAX))
    }

    /// 0 for the baseline, then the variants in the order of the policy.
    pub fn slot(self) -> usize {
        usize::from(self.0)
    }
}

// impl Split

impl Split {
    /// Lays out the weights of the variants, in the order of the policy.
    ///
    /// # Errors
    /// [`Overfull`] when they sum to more than a million.
    pub fn try_new(weights: &[Weight]) -> Result<Self, Overfull> {
        let sum = weights.iter().map(|weight| u64::from(weight.ppm())).sum();
        if sum > u64::from(MILLION) {
            return Err(Overfull { sum });
        }
        let mut ranges = Vec::new();
        let mut push = |lo: u32, owner: VariantId| {
            let same = ranges.last().is_some_and(|last: &Range| last.owner == owner);
            if let (false, Some(start)) = (same, Point::start_of(lo)) {
                ranges.push(Range { start, owner });
            }
        };
        let mut end = 0;
        for piece in anchored(weights) {
            if end < piece.lo {
                push(end, VariantId::BASELINE);
            }
            push(piece.lo, piece.owner);
            end = piece.hi;
        }
        push(end, VariantId::BASELINE);
        Ok(Self { ranges: ranges.into(), weights: weights.into() })
    }

    /// The owner of a point.
    pub fn owner(&self, point: Point) -> VariantId {
        let after = self.ranges.partition_point(|range| range.start <= point);
        let range = after.checked_sub(1).and_then(|last| self.ranges.get(last));
        range.map_or(VariantId::BASELINE, |range| range.owner)
    }

    /// How far up in its range a point lies, in parts per million of the range.
    pub(crate) fn depth(&self, point: Point) -> u32 {
        let bucket = point.bucket();
        let range = self.ranges().find(|(lo, hi, _)| (*lo..*hi).contains(&bucket));
        let depth = range.and_then(|(lo, hi, _)| {
            (u64::from(bucket - lo) * u64::from(MILLION)).checked_div(u64::from(hi - lo))
        });
        depth.and_then(|depth| u32::try_from(depth).ok()).unwrap_or(MILLION)
    }

    /// Each range in parts per million, `lo .. hi`, in order; together they are the whole circle.
    pub fn ranges(&self) -> impl Iterator<Item = (u32, u32, VariantId)> {
        let ends = self.ranges.iter().skip(1).map(|next| next.start.bucket()).chain([MILLION]);
        self.ranges.iter().zip(ends).map(|(range, end)| (range.start.bucket(), end, range.owner))
    }

    /// The one variant that holds everything, if one does.
    pub fn sole(&self) -> Option<VariantId> {
        self.weights.iter().position(|weight| *weight == Weight::ALL).map(VariantId::variant)
    }

    /// The weight of each variant, in the order of the policy.
    pub fn weights(&self) -> &[Weight] {
        &self.weights
    }
}

/// The pieces of each variant with a weight, in order and disjoint.
fn anchored(weights: &[Weight]) -> Vec<Piece> {
    let anchors: Vec<u32> = (0..weights.len()).map(anchor).collect();
    let mut taken = Vec::new();
    let mut rest = Vec::new();
    for (i, (lo, weight)) in anchors.iter().copied().zip(weights).enumerate() {
        let end = anchors.iter().copied().filter(|other| *other > lo).min().unwrap_or(MILLION);
        let fits = weight.ppm().min(end - lo);
        let owner = VariantId::variant(i);
        take(&mut taken, Piece { lo, hi: lo + fits, owner });
        rest.push((owner, end, weight.ppm() - fits));
    }
    for (owner, from, mut need) in rest.into_iter().filter(|(_, _, need)| *need > 0) {
        for (lo, hi) in free_from(&taken, from) {
            let size = need.min(hi - lo);
            take(&mut taken, Piece { lo, hi: lo + size, owner });
            need -= size;
        }
    }
    taken
}

/// Puts a piece in its place, unless nothing is in it.
fn take(taken: &mut Vec<Piece>, piece: Piece) {
    if piece.lo < piece.hi {
        let place = taken.partition_point(|other| other.lo < piece.lo);
        taken.insert(place, piece);
    }
}

/// What nobody has taken yet, in the order in which it is met going up from `from` and wrapping.
fn free_from(taken: &[Piece], from: u32) -> Vec<(u32, u32)> {
    let starts = || std::iter::once(0).chain(taken.iter().map(|piece| piece.hi));
    let ends = || taken.iter().map(|piece| piece.lo).chain([MILLION]);
    let above = starts().zip(ends()).map(|(lo, hi)| (lo.max(from), hi));
    let below = starts().zip(ends()).map(|(lo, hi)| (lo, hi.min(from)));
    above.chain(below).filter(|(lo, hi)| lo < hi).collect()
}

/// Van der Corput's sequence in base 2, in parts per million: 0, 1/2, 1/4, 3/4, 1/8 …
///
/// Exact: 64 variants need at most six binary digits, and 2^6 divides a million.
fn anchor(index: usize) -> u32 {
    (0..MAX_VARIANTS.ilog2()).filter(|bit| index >> bit & 1 == 1).map(|bit| MILLION >> (bit + 1)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_anchors_are_van_der_corputs() {
        let anchors: Vec<u32> = (0..6).map(anchor).collect();
        assert_eq!(anchors, [0, 500_000, 250_000, 750_000, 125_000, 625_000]);
        let mut all: Vec<u32> = (0..MAX_VARIANTS).map(anchor).collect();
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[1] - pair[0] == MILLION / 64));
    }

    #[test]
    fn a_weight_is_a_percentage_with_at_most_four_decimals() {
        for (percent, ppm) in [(0.0, 0), (5.0, 50_000), (0.0001, 1), (33.3333, 333_333), (100.0, MILLION)] {
            assert_eq!(Weight::from_percent(percent).map(Weight::ppm), Some(ppm), "{percent}");
        }
        for percent in [-0.0001, 100.0001, 0.00001, 33.33333, f64::NAN, f64::INFINITY] {
            assert_eq!(Weight::from_percent(percent), None, "{percent}");
        }
        for ppm in 0..=MILLION {
            let text = format!("{}", Weight(ppm));
            assert_eq!(Weight::from_percent(text.parse().unwrap()), Some(Weight(ppm)), "{text}");
        }
    }

    #[test]
    fn more_than_everyone_is_refused() {
        let weights = [Weight(600_000), Weight(400_001)];
        assert_eq!(Split::try_new(&weights), Err(Overfull { sum: 1_000_001 }));
    }
}
