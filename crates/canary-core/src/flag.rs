//! Feature flags inside a rollout: which of a variant's users get which feature.

use crate::bucket::{Point, Salt};
use crate::condition::Condition;
use crate::facts::Facts;
use crate::request::RequestView;
use crate::split::{VariantId, Weight};

/// A rollout has at most this many flags.
pub const MAX_FLAGS: usize = 64;

/// A feature that goes to a part of some sides' users, independent of the split.
#[derive(Clone, Debug)]
pub struct Flag {
    /// Its name, as services see it.
    pub name: Box<str>,
    /// On these sides it is evaluated; elsewhere it is off and not counted.
    pub sides: Box<[VariantId]>,
    /// Decides who gets it first; a salt of its own.
    pub salt: Salt,
    /// The share of a side's users who get it.
    pub share: Weight,
    /// The first whose condition holds gives another share, on the same bucket.
    pub rules: Box<[FlagRule]>,
}

/// An exception to a flag's share.
#[derive(Clone, Debug)]
pub struct FlagRule {
    /// Whom it is for.
    pub when: Condition,
    /// Their share: 100 % is everyone, also those without identity.
    pub share: Weight,
}

/// What came of the flags of a rollout, by their places in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    evaluated: u64,
    on: u64,
}

impl Flags {
    /// Evaluates flags for a user on a side. `point` gives the user's point under a salt, where
    /// there is an identity.
    pub fn of<V: RequestView>(
        flags: &[Flag],
        side: VariantId,
        facts: &Facts<'_, V>,
        point: impl Fn(Salt) -> Option<Point>,
    ) -> Self {
        let mut result = Self::default();
        for (bit, flag) in bits().zip(flags) {
            if flag.sides.contains(&side) {
                result.evaluated |= bit;
                let rule = flag.rules.iter().find(|rule| rule.when.holds(facts));
                let share = rule.map_or(flag.share, |rule| rule.share);
                let on = share == Weight::ALL
                    || point(flag.salt).is_some_and(|point| point.bucket() < share.ppm());
                result.on |= if on { bit } else { 0 };
            }
        }
        result
    }

    /// Each flag that was evaluated, by its place, and whether it is on.
    pub fn iter(self) -> impl Iterator<Item = (usize, bool)> {
        // Asked for with each request: without flags there is nothing to walk.
        let mut left = self.evaluated;
        std::iter::from_fn(move || {
            let bit = left & left.wrapping_neg();
            left ^= bit;
            (bit != 0)
                .then(|| (usize::try_from(bit.trailing_zeros()).unwrap_or_default(), self.on & bit != 0))
        })
    }
}

/// A bit for each place.
fn bits() -> impl Iterator<Item = u64> {
    (0..u64::BITS).map(|place| 1 << place)
}
