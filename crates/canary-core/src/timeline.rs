//! Layouts over time: which split is in force at an instant.

use crate::split::{Overfull, Split, Weight};

/// An instant, in seconds since 1970.
pub type Instant = i64;

/// The splits of a rollout or a rule, one after the other; there is always one in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    first: Split,
    /// Sorted: from each instant on.
    later: Box<[(Instant, Split)]>,
}

/// One variant's weight over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Curve {
    /// Until the first step.
    pub initial: Weight,
    /// Sorted: from each instant on.
    pub steps: Vec<(Instant, Weight)>,
}

/// At some instant the weights sum to more than the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverfullAt {
    /// From when on; `None` from the beginning.
    pub from: Option<Instant>,
    /// By how much.
    pub sum: Overfull,
}

impl Curve {
    /// A weight that never changes.
    pub fn constant(weight: Weight) -> Self {
        Self { initial: weight, steps: Vec::new() }
    }

    /// The weight at an instant.
    pub fn at(&self, now: Instant) -> Weight {
        let passed = self.steps.partition_point(|(from, _)| *from <= now);
        let step = passed.checked_sub(1).and_then(|last| self.steps.get(last));
        step.map_or(self.initial, |(_, weight)| *weight)
    }
}

impl Timeline {
    /// Lays out the curves of the variants, in the order of the policy.
    ///
    /// # Errors
    /// The first instant at which they sum to more than a million.
    pub fn try_new(curves: &[Curve]) -> Result<Self, OverfullAt> {
        let split = |from: Option<Instant>| {
            let weights = curves.iter().map(|curve| from.map_or(curve.initial, |from| curve.at(from)));
            Split::try_new(&weights.collect::<Vec<_>>()).map_err(|sum| OverfullAt { from, sum })
        };
        let first = split(None)?;
        let mut later: Vec<(Instant, Split)> = Vec::new();
        for from in Self::instants(curves) {
            let next = split(Some(from))?;
            if later.last().map_or(&first, |(_, last)| last) != &next {
                later.push((from, next));
            }
        }
        Ok(Self { first, later: later.into() })
    }

    /// At how many instants the curves change: what a timeline of them costs.
    pub fn instants(curves: &[Curve]) -> Vec<Instant> {
        let mut instants: Vec<Instant> =
            curves.iter().flat_map(|curve| curve.steps.iter().map(|(from, _)| *from)).collect();
        instants.sort_unstable();
        instants.dedup();
        instants
    }

    /// The split in force.
    pub fn at(&self, now: Instant) -> &Split {
        let passed = self.later.partition_point(|(from, _)| *from <= now);
        let split = passed.checked_sub(1).and_then(|last| self.later.get(last));
        split.map_or(&self.first, |(_, split)| split)
    }

    /// When another split comes into force.
    pub fn next_change(&self, now: Instant) -> Option<Instant> {
        let passed = self.later.partition_point(|(from, _)| *from <= now);
        self.later.get(passed).map(|(from, _)| *from)
    }

    /// Every instant at which another split comes into force, in order.
    pub fn changes(&self) -> impl Iterator<Item = Instant> {
        self.later.iter().map(|(from, _)| *from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(percent: u32) -> Weight {
        Weight::from_percent(percent.into()).unwrap()
    }

    fn ramp() -> Curve {
        Curve { initial: percent(0), steps: vec![(100, percent(1)), (200, percent(5))] }
    }

    #[test]
    fn a_step_is_in_force_from_its_instant_on() {
        let timeline = Timeline::try_new(&[ramp()]).unwrap();
        for (now, weight) in [(0, 0), (99, 0), (100, 1), (199, 1), (200, 5), (i64::MAX, 5), (i64::MIN, 0)] {
            assert_eq!(timeline.at(now).weights(), [percent(weight)], "{now}");
        }
        assert_eq!(timeline.next_change(99), Some(100));
        assert_eq!(timeline.next_change(100), Some(200));
        assert_eq!(timeline.next_change(200), None);
    }

    #[test]
    fn variants_that_change_at_other_instants_are_laid_out_together() {
        let other = Curve { initial: percent(50), steps: vec![(150, percent(60)), (200, percent(60))] };
        let timeline = Timeline::try_new(&[ramp(), other]).unwrap();
        assert_eq!(timeline.changes().collect::<Vec<_>>(), [100, 150, 200]);
        assert_eq!(timeline.at(150).weights(), [percent(1), percent(60)]);
    }

    #[test]
    fn the_first_instant_that_is_too_full_is_told() {
        let other = Curve { initial: percent(50), steps: vec![(150, percent(100))] };
        let full = Timeline::try_new(&[ramp(), other]).unwrap_err();
        assert_eq!((full.from, full.sum.sum), (Some(150), 1_010_000));
    }
}
