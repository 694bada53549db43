//! How long it takes to find what is to be found: what a canary's size is good for.

use super::e_process::RATIOS;
use super::settings::{Metric, Settings};

/// A canary that takes longer than a week is too small to be judged.
pub const LONGEST: f64 = 7.0 * 86_400.0;

/// What is to be found, and by how much traffic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Case {
    /// The share of users who fail with the baseline, 0 to 1.
    pub baseline_rate: f64,
    /// The share of users who fail with the variant.
    pub variant_rate: f64,
    /// The variant's share of it and the baseline, 0 to 1.
    pub share: f64,
    /// Requests of both, per second.
    pub rate: f64,
}

/// When a breach by failures is to be expected; an overestimate by a tenth to a quarter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Plan {
    /// After so many requests to the variant and so many seconds.
    Found {
        /// Requests to the variant.
        requests: f64,
        /// Seconds.
        seconds: f64,
    },
    /// In more than a week: the canary is too small to judge this.
    TooSmall {
        /// Seconds.
        seconds: f64,
    },
    /// It is borne, or there is nobody to compare.
    Never,
}

/// When the evidence is expected to suffice: `(ln(1/α) + ln(2 × ratios)) / (what a request to the
/// variant adds)`, which for small shares is `p_s (r ln(r/r₀) - r + r₀)`.
pub fn expected(settings: &Settings, case: Case) -> Plan {
    let Case { baseline_rate, variant_rate, share, rate } = case;
    let is_possible = baseline_rate > 0.0 && variant_rate <= 1.0 && share > 0.0 && share < 1.0 && rate > 0.0;
    let ratio = variant_rate / baseline_rate;
    let tolerated = settings.tolerated(Metric::Errors);
    let shows = (variant_rate - baseline_rate) * 100.0 >= settings.min_difference;
    if settings.errors.is_none() || !is_possible || ratio <= tolerated || !shows {
        return Plan::Never;
    }
    let part = settings.part(Metric::Errors);
    let grid = 2.0 * f64::from(u8::try_from(RATIOS.len()).unwrap_or(u8::MAX));
    let needed = settings.threshold() + grid.ln() - part.ln();
    let scale = |ratio: f64| 1.0 + share * (ratio - 1.0);
    let less = (scale(tolerated) / scale(ratio)).ln();
    let per_request =
        variant_rate * ((ratio / tolerated).ln() + less) + baseline_rate * (1.0 - share) / share * less;
    let guards = f64::from(settings.min_requests).max(f64::from(settings.min_failures) / variant_rate);
    let requests = (needed / per_request).max(guards);
    let seconds = requests / (share * rate);
    if !(per_request > 0.0 && seconds.is_finite()) {
        Plan::Never
    } else if seconds > LONGEST {
        Plan::TooSmall { seconds }
    } else {
        Plan::Found { requests, seconds }
    }
}
