//! What a judgement says.

use std::fmt;

use crate::decimal::rounded;
use crate::split::VariantId;

use super::codec::{Reader, Writer};
use super::settings::{Metric, Settings};
use super::window::Counts;

/// What one look says of every variant.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// In the order of the policy.
    pub variants: Vec<Judgement>,
}

/// What one look says of one variant.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// Which.
    pub variant: VariantId,
    /// How it stands.
    pub verdict: Verdict,
    /// The decimal logarithm of the evidence of everything that is watched.
    pub log10_e: f64,
    /// What each metric says.
    pub metrics: Vec<Said>,
    /// What the variant did in the window.
    pub served: Counts,
    /// What the baseline did in the window.
    pub baseline: Counts,
    /// Set at the one look that finds it: to be acted upon and logged once.
    pub breach: Option<Breach>,
}

/// What one metric says of one variant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Said {
    /// Which.
    pub metric: Metric,
    /// The decimal logarithm of its evidence.
    pub log10_e: f64,
    /// Distinct users in it: the variant's and the baseline's.
    pub users: [u32; 2],
}

/// How a variant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is nobody to compare: the variant or the baseline has no share and no requests.
    Off,
    /// Fewer requests than are judged, of the variant or the baseline.
    TooLittleData,
    /// Nothing speaks against it.
    Healthy,
    /// Half of the way to a breach, on a logarithmic scale.
    Suspicious,
    /// A breach was found, and nobody has resumed since.
    Breached,
}

/// Why a variant is refused, in figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Breach {
    /// What has found it.
    pub cause: Cause,
    /// The decimal logarithm of the evidence at that time.
    pub log10_e: f64,
    /// What it has to reach.
    pub log10_needed: f64,
    /// The variant in the window.
    pub variant: Counts,
    /// The baseline in the window.
    pub baseline: Counts,
    /// How long the window is, in seconds.
    pub window: u32,
    /// Distinct users in the evidence: the variant's and the baseline's.
    pub users: [u32; 2],
    /// The percentile that is too high, in microseconds: the variant's and the baseline's; zeros
    /// where it is about something else.
    pub micros: [f64; 2],
}

/// What finds a breach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Evidence, most of it from this metric.
    Evidence(Metric),
    /// A rate above [`super::settings::Errors::max_rate`].
    Rate,
    /// Slower for long than [`super::settings::Latency::max_increase`].
    Slowdown,
    /// More than half fail.
    Breaker,
}

// impl Verdict

impl Verdict {
    /// As `status` and stats name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::TooLittleData => "too little data",
            Self::Healthy => "healthy",
            Self::Suspicious => "suspicious",
            Self::Breached => "breached",
        }
    }
}

// impl Breach

impl Breach {
    /// One line for a log: what, how much, and how sure.
    pub fn line(&self, settings: &Settings) -> String {
        let [users, of_baseline] = self.users;
        let [mine, other] = self.micros.map(|micros| rounded(micros / 1e3, 0));
        let (evidence, needed) = (rounded(self.log10_e, 1), rounded(self.log10_needed, 1));
        let evidence = format!("E = 10^{evidence}, 10^{needed} needed");
        let rates =
            format!("{}, baseline {}, in {} s", Failed(self.variant), Failed(self.baseline), self.window);
        let slow = |percentile| {
            format!("{percentile} {mine} ms, baseline {other} ms; {users} slow users, baseline {of_baseline}")
        };
        match self.cause {
            Cause::Evidence(Metric::Errors) => format!("fails more often: {rates}; {evidence}"),
            Cause::Evidence(Metric::P90) => format!("is slower: {}; {evidence}", slow("p90")),
            Cause::Evidence(Metric::P99) => format!("is slower: {}; {evidence}", slow("p99")),
            Cause::Evidence(Metric::Event(event)) => {
                let event = settings.events.get(usize::from(event));
                let name = event.map_or("an event", |event| &event.name);
                format!("has less of {name}: {users} users, baseline {of_baseline}; {evidence}")
            }
            Cause::Rate => format!("is above the error rate: {rates}"),
            Cause::Slowdown => format!("is too slow for {} s: {}", self.window, slow("p90")),
            Cause::Breaker => format!("is broken: {rates}"),
        }
    }

    pub(super) fn write(&self, to: &mut Writer) {
        let (cause, event) = match self.cause {
            Cause::Evidence(Metric::Errors) => (0, 0),
            Cause::Evidence(Metric::P90) => (1, 0),
            Cause::Evidence(Metric::P99) => (2, 0),
            Cause::Evidence(Metric::Event(event)) => (3, event),
            Cause::Rate => (4, 0),
            Cause::Slowdown => (5, 0),
            Cause::Breaker => (6, 0),
        };
        to.u8(cause);
        to.u16(event);
        self.variant.write(to);
        self.baseline.write(to);
        to.u32(self.window);
        self.users.into_iter().for_each(|users| to.u32(users));
        let figures = [self.log10_e, self.log10_needed].into_iter().chain(self.micros);
        figures.for_each(|figure| to.f64(figure));
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let cause = match (from.u8()?, from.u16()?) {
            (0, _) => Cause::Evidence(Metric::Errors),
            (1, _) => Cause::Evidence(Metric::P90),
            (2, _) => Cause::Evidence(Metric::P99),
            (3, event) => Cause::Evidence(Metric::Event(event)),
            (4, _) => Cause::Rate,
            (5, _) => Cause::Slowdown,
            (6, _) => Cause::Breaker,
            _ => return None,
        };
        Some(Self {
            cause,
            variant: Counts::read(from)?,
            baseline: Counts::read(from)?,
            window: from.u32()?,
            users: [from.u32()?, from.u32()?],
            log10_e: from.f64()?,
            log10_needed: from.f64()?,
            micros: [from.f64()?, from.f64()?],
        })
    }
}

/// Counts in words.
struct Failed(Counts);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.0;
        let percent = rounded(counts.rate() * 100.0, 2);
        write!(f, "{percent} % ({} users, {} requests)", counts.failed_users, counts.requests)
    }
}
