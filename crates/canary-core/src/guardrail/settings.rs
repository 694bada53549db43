//! What a rollout's guardrail is told: the checked form of the policy's `guardrail`.

/// How much of the evidence of all metrics each one holds, before those that are off are left out.
const ERRORS: f64 = 2.0;
const OTHER: f64 = 1.0;

/// Beyond this nothing is found any more.
const MOST_TOLERATED: f64 = 100.0;

/// What is watched, and how sure the guardrail must be. A metric that is absent is not watched.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Upstream failures.
    pub errors: Option<Errors>,
    /// The time to the response's headers.
    pub latency: Option<Latency>,
    /// Business events, in the order in which [`super::observations::Observations::event`] names them.
    pub events: Box<[EventDrop]>,
    /// A variant that served fewer requests in the window is not judged.
    pub min_requests: u32,
    /// So many distinct users must be hurt, in every lane.
    pub min_failures: u32,
    /// A rate that is worse by less than so many percentage points is no reason.
    pub min_difference: f64,
    /// The chance that a variant as good as the baseline is ever rolled back, over the whole fleet.
    pub alpha: f64,
    /// How many proxies judge for themselves.
    pub fleet_size: u32,
    /// What a breach does.
    pub on_breach: OnBreach,
    /// Over how many seconds a rollback is spread.
    pub rollback_over: u32,
}

/// How failures are judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Errors {
    /// A rate that is refused on its own over the window, in percent, where the baseline's is lower.
    pub max_rate: Option<f64>,
    /// Over how many seconds rates are taken.
    pub window: u32,
    /// A variant may fail so many times as often as the baseline; at least 1.
    pub tolerated_ratio: f64,
}

/// How slowness is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// An increase of the 90th percentile that is refused on its own when it lasts, in percent.
    pub max_increase: Option<f64>,
    /// For how many seconds such an increase must last.
    pub window: u32,
    /// A variant's requests may exceed the baseline's percentiles so many times as often; at least 1.
    pub tolerated_ratio: f64,
}

/// A business event of which variants must not have fewer.
#[derive(Clone, Debug, PartialEq)]
pub struct EventDrop {
    /// Its name, for logs.
    pub name: Box<str>,
    /// A drop that is borne, in percent, below 100.
    pub max_drop: f64,
}

/// What a breach does; the judgement is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBreach {
    /// The variant's users get the baseline.
    #[default]
    Rollback,
    /// It is told, and nothing else.
    Alert,
}

/// What is judged by an e-process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Distinct users to whom the upstream failed.
    Errors,
    /// Distinct users who waited longer than the baseline's 90th percentile.
    P90,
    /// Distinct users who waited longer than the baseline's 99th percentile.
    P99,
    /// Distinct users with the business event at this place in the settings.
    Event(u16),
}

// impl Settings

impl Settings {
    /// [`Settings::min_requests`] unless told.
    pub const MIN_REQUESTS: u32 = 50;
    /// [`Settings::min_failures`] unless told.
    pub const MIN_FAILURES: u32 = 5;
    /// [`Settings::min_difference`] unless told.
    pub const MIN_DIFFERENCE: f64 = 0.2;
    /// [`Settings::alpha`] unless told.
    pub const ALPHA: f64 = 0.01;
    /// Five minutes: the windows unless told.
    pub const WINDOW: u32 = 300;
    /// The tolerated ratios unless told.
    pub const TOLERATED_RATIO: f64 = 1.25;
    /// A drop that is borne unless told.
    pub const MAX_DROP: f64 = 20.0;

    /// Only failures are watched: what `{"errors": {}}` means.
    pub fn errors_only() -> Self {
        Self { latency: None, ..Self::default() }
    }

    /// What the logarithm of the evidence must reach.
    pub fn threshold(&self) -> f64 {
        let alpha = if self.alpha > 0.0 && self.alpha < 1.0 { self.alpha } else { Self::ALPHA };
        f64::from(self.fleet_size.max(1)).ln() - alpha.ln()
    }

    /// Over how many seconds rates are taken.
    pub fn window(&self) -> u32 {
        self.errors.map_or(Self::WINDOW, |errors| errors.window).max(1)
    }

    /// What is watched.
    pub fn metrics(&self) -> impl Iterator<Item = Metric> {
        let errors = self.errors.map(|_| Metric::Errors);
        let slow = self.latency.map(|_| [Metric::P90, Metric::P99]);
        let events = (0..self.events.len()).filter_map(|event| u16::try_from(event).ok().map(Metric::Event));
        errors.into_iter().chain(slow.into_iter().flatten()).chain(events)
    }

    /// The part of a metric in the evidence of all that are watched: they sum to 1, so that one
    /// threshold does for the mean, whatever they have to do with each other.
    pub fn part(&self, metric: Metric) -> f64 {
        let weight = |metric| if metric == Metric::Errors { ERRORS } else { OTHER };
        let sum: f64 = self.metrics().map(weight).sum();
        if sum > 0.0 { weight(metric) / sum } else { 0.0 }
    }

    /// The risk ratio of a metric that is still borne. Of a business event it is how many times as
    /// often as the variant's the baseline's users may have it.
    pub fn tolerated(&self, metric: Metric) -> f64 {
        let ratio = match metric {
            Metric::Errors => self.errors.map(|errors| errors.tolerated_ratio),
            Metric::P90 | Metric::P99 => self.latency.map(|latency| latency.tolerated_ratio),
            Metric::Event(event) => {
                let event = self.events.get(usize::from(event));
                event.map(|event| 100.0 / (100.0 - event.max_drop.clamp(0.0, 99.0)))
            }
        };
        ratio.filter(|ratio| ratio.is_finite()).unwrap_or(Self::TOLERATED_RATIO).clamp(1.0, MOST_TOLERATED)
    }
}

/// Failures and slowness are watched, by the evidence alone.
impl Default for Settings {
    fn default() -> Self {
        Self {
            errors: Some(Errors::default()),
            latency: Some(Latency::default()),
            events: Box::default(),
            min_requests: Self::MIN_REQUESTS,
            min_failures: Self::MIN_FAILURES,
            min_difference: Self::MIN_DIFFERENCE,
            alpha: Self::ALPHA,
            fleet_size: 1,
            on_breach: OnBreach::default(),
            rollback_over: 0,
        }
    }
}

impl Default for Errors {
    fn default() -> Self {
        Self { max_rate: None, window: Settings::WINDOW, tolerated_ratio: Settings::TOLERATED_RATIO }
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self { max_increase: None, window: Settings::WINDOW, tolerated_ratio: Settings::TOLERATED_RATIO }
    }
}
