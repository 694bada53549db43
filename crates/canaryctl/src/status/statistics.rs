//! Tests and intervals: counts in, probabilities out.
//!
//! The tests are exact (Fisher's), however large the counts: a canary has few errors, and few
//! is where approximations fail.

/// The standard normal quantile of a two-sided 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ratio {
    hits: u64,
    of: u64,
}

/// A share's lower and upper end, both from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Interval {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Ratio {
    /// There are never more hits than trials: what is still under way may be counted in one only.
    pub(super) fn new(hits: u64, of: u64) -> Self {
        Self { hits: hits.min(of), of }
    }

    pub(super) fn hits(self) -> u64 {
        self.hits
    }

    pub(super) fn of(self) -> u64 {
        self.of
    }

    /// The share, where there is anything to share.
    pub(super) fn value(self) -> Option<f64> {
        (self.of > 0).then(|| float(self.hits) / float(self.of))
    }

    /// Wilson's score interval at 95 %: right for few hits and none.
    pub(super) fn interval(self) -> Option<Interval> {
        let (n, share) = (float(self.of), self.value()?);
        let shrink = 1.0 + Z * Z / n;
        let middle = (share + Z * Z / (2.0 * n)) / shrink;
        let half = Z / shrink * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        let low = if self.hits == 0 { 0.0 } else { middle - half };
        let high = if self.hits == self.of { 1.0 } else { middle + half };
        Some(Interval { low: low.max(0.0), high: high.min(1.0) })
    }

    /// How likely a share at least this much above the other is, were there no difference:
    /// Fisher's exact test, one-sided.
    pub(super) fn above(self, other: Self) -> f64 {
        Hypergeometric::new(self, other).at_least(self.hits)
    }

    /// The same for a share that is below the other.
    pub(super) fn below(self, other: Self) -> f64 {
        self.complement().above(other.complement())
    }

    fn complement(self) -> Self {
        Self { hits: self.of - self.hits, of: self.of }
    }
}

/// Where a share of that size falls in 95 of 100 samples of so many.
pub(super) fn expected_interval(share: f64, sample: u64) -> Interval {
    let half = Z * (share * (1.0 - share) / float(sample.max(1))).sqrt();
    Interval { low: (share - half).max(0.0), high: (share + half).min(1.0) }
}

/// How likely counts at least this far from the expected ones are, by the chi-square test;
/// `None` where the expected counts are too small for it, or fewer than two.
pub(super) fn chi_square(counts: &[(u64, u64)]) -> Option<f64> {
    let (observed, expected) = counts.iter().fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
    // A side that nobody is expected on is none of the test's.
    let counted: Vec<_> = counts.iter().filter(|it| it.0 + it.1 > 0).collect();
    let scale = float(observed) / float(expected.max(1));
    let mut sum = 0.0;
    for (observed, expected) in &counted {
        let expected = float(*expected) * scale;
        if expected < 5.0 {
            return None;
        }
        sum += (float(*observed) - expected).powi(2) / expected;
    }
    let degrees = u32::try_from(counted.len()).ok()?.checked_sub(1)?;
    (degrees > 0).then(|| chi_square_tail(sum, degrees))
}

/// How much of the chi-square distribution lies above.
fn chi_square_tail(sum: f64, degrees: u32) -> f64 {
    let x = sum / 2.0;
    // Q(a + 1, x) = Q(a, x) + x^a e^-x / Γ(a + 1), from Q(1/2, x) or Q(1, x) on.
    let odd = degrees % 2 == 1;
    let (mut a, mut tail) = if odd { (0.5, libm::erfc(x.sqrt())) } else { (1.0, (-x).exp()) };
    while a < f64::from(degrees) / 2.0 - 0.25 {
        if x > 0.0 {
            tail += (a * x.ln() - x - libm::lgamma(a + 1.0)).exp();
        }
        a += 1.0;
    }
    tail.min(1.0)
}

/// How many of all hits fall to one side by chance.
struct Hypergeometric {
    /// The trials of this side, and of both.
    draws: f64,
    all: f64,
    /// The hits of both.
    hits: f64,
}

impl Hypergeometric {
    fn new(side: Ratio, other: Ratio) -> Self {
        Self {
            draws: float(side.of),
            all: float(side.of) + float(other.of),
            hits: float(side.hits) + float(other.hits),
        }
    }

    fn at_least(&self, hits: u64) -> f64 {
        let hits = float(hits);
        // The tail away from the middle: its terms fall, so that few count.
        if hits > self.draws * self.hits / self.all.max(1.0) {
            self.sum(hits, |at| (self.ratio(at), at + 1.0))
        } else {
            1.0 - self.sum(hits - 1.0, |at| (1.0 / self.ratio(at - 1.0), at - 1.0))
        }
    }

    /// The probabilities from here on, as far as they count.
    fn sum(&self, from: f64, step: impl Fn(f64) -> (f64, f64)) -> f64 {
        let lowest = (self.draws + self.hits - self.all).max(0.0);
        let highest = self.draws.min(self.hits);
        let (mut at, mut term, mut sum) = (from, self.ln_probability(from).exp(), 0.0);
        while (lowest..=highest).contains(&at) && term > sum * 1e-16 {
            sum += term;
            let (ratio, next) = step(at);
            term *= ratio;
            at = next;
        }
        sum.min(1.0)
    }

    /// What the probability of one hit more is to that of so many.
    fn ratio(&self, at: f64) -> f64 {
        (self.hits - at) * (self.draws - at) / ((at + 1.0) * (self.all - self.hits - self.draws + at + 1.0))
    }

    fn ln_probability(&self, at: f64) -> f64 {
        ln_choose(self.hits, at) + ln_choose(self.all - self.hits, self.draws - at)
            - ln_choose(self.all, self.draws)
    }
}

fn ln_choose(n: f64, k: f64) -> f64 {
    libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0)
}

/// A count as a number to calculate with; exact up to 2^53.
pub(super) fn float(count: u64) -> f64 {
    let half = |bits: u64| f64::from(u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(u32::MAX));
    half(count >> 32) * 4_294_967_296.0 + half(count)
}

#[cfg(test)]
mod tests;
