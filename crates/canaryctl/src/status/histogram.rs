//! Latencies as Envoy keeps them: how many were at most so long, for each of some bounds.

/// Cumulative counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Histogram {
    /// Upper bounds, in order, and how many lie at or below each.
    buckets: Vec<(f64, u64)>,
    /// All, those above the last bound too.
    count: u64,
}

/// What so many of a hundred stay below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Quantile {
    /// About this.
    At(f64),
    /// More than the last bound; how much more was not kept.
    Above(f64),
}

impl Histogram {
    /// Puts bounds in order; counts are never fewer than those of a lower bound.
    pub(super) fn new(mut buckets: Vec<(f64, u64)>, count: u64) -> Self {
        buckets.retain(|(bound, _)| bound.is_finite());
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut most = 0;
        for (_, count) in &mut buckets {
            most = most.max(*count);
            *count = most;
        }
        Self { buckets, count: count.max(most) }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Adds another's counts. Of proxies that keep other bounds, the common ones stay.
    pub(super) fn add(&mut self, other: &Self) {
        if *self == Self::default() {
            self.clone_from(other);
            return;
        }
        self.buckets.retain_mut(|(bound, count)| {
            let more = other.at_most(*bound);
            *count += more.unwrap_or_default();
            more.is_some()
        });
        self.count += other.count;
    }

    /// What was counted since; `None` where counts have gone back.
    pub(super) fn since(&self, earlier: &Self) -> Option<Self> {
        let buckets = self.buckets.iter().map(|(bound, count)| {
            let before = earlier.at_most(*bound).unwrap_or_default();
            Some((*bound, count.checked_sub(before)?))
        });
        Some(Self::new(buckets.collect::<Option<_>>()?, self.count.checked_sub(earlier.count)?))
    }

    /// The value that a share of all stays below: linear inside its bucket.
    pub(super) fn quantile(&self, share: f64) -> Option<Quantile> {
        let rank = super::statistics::float(self.count) * share;
        let (mut low, mut below) = (0.0, 0);
        if self.count == 0 {
            return None;
        }
        for (bound, count) in &self.buckets {
            let (from, to) = (super::statistics::float(below), super::statistics::float(*count));
            if to >= rank && to > from {
                return Some(Quantile::At(low + (bound - low) * (rank - from) / (to - from)));
            }
            (low, below) = (*bound, *count);
        }
        Some(Quantile::Above(low))
    }

    /// The bounds between which a quantile lies; without an upper one if it lies above the last.
    pub(super) fn edges(&self, quantile: Quantile) -> Vec<f64> {
        match quantile {
            Quantile::Above(bound) => vec![bound],
            Quantile::At(value) => {
                let bounds = || self.buckets.iter().map(|(bound, _)| *bound);
                let low = bounds().take_while(|bound| *bound < value).last();
                low.into_iter().chain(bounds().find(|bound| *bound >= value)).collect()
            }
        }
    }

    /// How many lie at or below one of the bounds.
    pub(super) fn at_most(&self, bound: f64) -> Option<u64> {
        let found = self.buckets.iter().find(|(it, _)| it.total_cmp(&bound).is_eq());
        found.map(|(_, count)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram() -> Histogram {
        Histogram::new(vec![(10.0, 40), (100.0, 80), (1_000.0, 98)], 100)
    }

    #[test]
    fn a_quantile_is_linear_inside_its_bucket() {
        assert_eq!(histogram().quantile(0.2), Some(Quantile::At(5.0)));
        // 50 of 100: a quarter of the forty between 10 and 100.
        assert_eq!(histogram().quantile(0.5), Some(Quantile::At(32.5)));
        assert_eq!(histogram().quantile(0.4), Some(Quantile::At(10.0)));
    }

    #[test]
    fn above_the_last_bound_nothing_is_made_up() {
        assert_eq!(histogram().quantile(0.99), Some(Quantile::Above(1_000.0)));
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn histograms_add_up_and_may_differ_in_bounds() {
        let mut sum = Histogram::default();
        sum.add(&histogram());
        sum.add(&histogram());
        assert_eq!((sum.count(), sum.at_most(100.0)), (200, Some(160)));
        sum.add(&Histogram::new(vec![(10.0, 1), (50.0, 2)], 2));
        assert_eq!((sum.count(), sum.at_most(10.0), sum.at_most(100.0)), (202, Some(81), None));
    }

    #[test]
    fn what_came_since_is_a_histogram() {
        let later = Histogram::new(vec![(10.0, 50), (100.0, 90), (1_000.0, 110)], 112);
        let since = later.since(&histogram()).unwrap();
        assert_eq!(since, Histogram::new(vec![(10.0, 10), (100.0, 10), (1_000.0, 12)], 12));
        assert_eq!(histogram().since(&later), None);
    }

    #[test]
    fn the_edges_of_a_bucket_are_found() {
        let histogram = histogram();
        assert_eq!(histogram.edges(Quantile::At(5.0)), [10.0]);
        assert_eq!(histogram.edges(Quantile::At(32.5)), [10.0, 100.0]);
        assert_eq!(histogram.edges(Quantile::Above(1_000.0)), [1_000.0]);
    }
}
