//! One look at a rollout: what is new goes into what is remembered, and every variant is judged.

use std::f64::consts::LN_10;

use crate::split::VariantId;

use super::e_process::log_add;
use super::pool::Totals;
use super::report::{Breach, Cause, Judgement, Report, Said, Verdict};
use super::settings::{Metric, Settings};
use super::state::{BREAKER_SLOTS, Judged, SLOTS, State, Watched};
use super::users::Lane;
use super::window::Counts;

/// A percentile that is higher by less than this is no reason to refuse a variant.
pub const MIN_SLOWDOWN: f64 = 1.2;

/// Thresholds hold for so long.
const MINUTE: u32 = 60;

/// The breaker's window, and what it takes for it.
const BREAKER_WINDOW: u32 = 60;
const BREAKER_REQUESTS: u32 = 20;
const BREAKER_RATE: f64 = 0.5;
const BREAKER_RATIO: f64 = 5.0;

/// Who is judged, and by what.
struct Case<'a> {
    settings: &'a Settings,
    judged: &'a Judged,
    mine: &'a Watched,
    baseline: &'a Watched,
    /// How long a slot of the window is.
    slot: u32,
    /// Whether the window has been watched as a whole.
    is_full: bool,
}

// impl State

impl State {
    /// One look, so many seconds after the last one; of a pause windows learn its length, and the
    /// evidence that it is one look. `weights` are the shares of the sides in parts per million.
    pub fn tick(&mut self, settings: &Settings, totals: &Totals, weights: &[u32], ticks: u32) -> Report {
        self.remember(settings, totals, ticks);
        let slot = slot(settings);
        let mut report = Report { variants: Vec::with_capacity(self.variants.len()) };
        let Some((baseline, sides)) = self.sides.split_first() else { return report };
        for (place, (judged, mine)) in self.variants.iter_mut().zip(sides).enumerate() {
            let variant = VariantId::variant(place);
            let new = judged.learn(settings, totals, variant);
            let is_full = self.clock.is_full(settings.window());
            let case = Case { settings, judged, mine, baseline, slot, is_full };
            let is_slow = case.is_too_slow();
            let slow_for = if is_slow { judged.slow_for.saturating_add(1) } else { 0 };
            let breach = if judged.breach.is_none() { case.breach(new, slow_for) } else { None };
            let (served, others) = (mine.window.sum(), baseline.window.sum());
            let share = |slot: usize| weights.get(slot).copied().unwrap_or(0);
            let is_off = |counts: Counts, slot| counts.requests == 0 && share(slot) == 0;
            let verdict = if judged.breach.is_some() || breach.is_some() {
                Verdict::Breached
            } else if is_off(served, variant.slot()) || is_off(others, VariantId::BASELINE.slot()) {
                Verdict::Off
            } else if served.requests.min(others.requests) < settings.min_requests {
                Verdict::TooLittleData
            } else if new >= settings.threshold() / 2.0 {
                Verdict::Suspicious
            } else {
                Verdict::Healthy
            };
            let metrics = settings.metrics().map(|metric| {
                let evidence = judged.evidence(metric);
                Said { metric, log10_e: evidence.log_e() / LN_10, users: evidence.users }
            });
            report.variants.push(Judgement {
                variant,
                verdict,
                log10_e: new / LN_10,
                metrics: metrics.collect(),
                served,
                baseline: others,
                breach,
            });
            judged.slow_for = slow_for;
            judged.breach = judged.breach.or(breach);
        }
        report
    }

    /// What every variant's judgement is made of.
    fn remember(&mut self, settings: &Settings, totals: &Totals, ticks: u32) {
        let window = settings.window();
        let slots = self.clock.advance(ticks, slot(settings), window);
        let breaker = BREAKER_WINDOW / u32::try_from(BREAKER_SLOTS).unwrap_or(1);
        let breaker_slots = self.breaker_clock.advance(ticks, breaker, BREAKER_WINDOW);
        let minutes = self.minute.saturating_add(ticks) / MINUTE;
        self.minute = self.minute.saturating_add(ticks) % MINUTE;
        let lately = totals.lanes.get(Lane::Lately.slot());
        for (place, side) in self.sides.iter_mut().enumerate() {
            let seen = totals.sides.get(place);
            let failed_users = lately.map(|(_, splits)| {
                let users = splits.iter().filter_map(|split| split.users.get(place));
                users.fold(0_u32, |sum, users| sum.saturating_add(*users))
            });
            let counts = Counts {
                requests: seen.map_or(0, |seen| seen.requests),
                failures: seen.map_or(0, |seen| seen.failures),
                failed_users: failed_users.unwrap_or(0),
            };
            side.window.advance(slots);
            side.window.add(counts);
            side.breaker.advance(breaker_slots);
            side.breaker.add(counts);
            if settings.latency.is_some() {
                side.durations.decay(minutes);
                side.durations.add(seen.map_or(&[], |seen| &seen.durations));
            }
        }
        let unknown = self.thresholds.p90.is_none() || self.thresholds.p99.is_none();
        if let (Some(baseline), Some(_), true) =
            (self.sides.first(), settings.latency, minutes > 0 || unknown)
        {
            self.thresholds = baseline.durations.thresholds();
        }
        for metric in settings.metrics() {
            let lane = Lane::Evidence(metric).slot();
            if let (Some(last), Some((now, _))) = (self.fills.get_mut(lane), totals.lanes.get(lane)) {
                if now.is_after(*last) {
                    let evidence = self.variants.iter_mut().filter_map(|judged| judged.evidence_mut(metric));
                    evidence.for_each(super::state::Evidence::refill);
                }
                *last = *now;
            }
        }
    }
}

// impl Judged

impl Judged {
    /// Adds what is new to the evidence; the logarithm of all evidence together.
    fn learn(&mut self, settings: &Settings, totals: &Totals, variant: VariantId) -> f64 {
        let mut sum = f64::NEG_INFINITY;
        for metric in settings.metrics() {
            let lane = totals.lanes.get(Lane::Evidence(metric).slot());
            let new = lane.map_or(&[][..], |(_, new)| new);
            if let Some(evidence) = self.evidence_mut(metric) {
                evidence.look(metric, settings.tolerated(metric), variant, new);
                sum = log_add(sum, evidence.log_e() + settings.part(metric).ln());
            }
        }
        if sum.is_finite() { sum } else { 0.0 }
    }
}

// impl Case

impl Case<'_> {
    /// Why the variant is to be refused, if it is.
    fn breach(&self, evidence: f64, slow_for: u32) -> Option<Breach> {
        self.by_breaker(evidence)
            .or_else(|| self.by_evidence(evidence))
            .or_else(|| self.by_rate(evidence))
            .or_else(|| self.by_slowdown(evidence, slow_for))
    }

    /// Evidence counts for those metrics that show in plain figures, too.
    fn by_evidence(&self, evidence: f64) -> Option<Breach> {
        let threshold = self.settings.threshold();
        if evidence < threshold {
            return None;
        }
        let mut sum = f64::NEG_INFINITY;
        let mut most: Option<(f64, Breach)> = None;
        for metric in self.settings.metrics() {
            let Some(mut breach) = self.shows(metric) else { continue };
            let part = self.judged.evidence(metric).log_e() + self.settings.part(metric).ln();
            sum = log_add(sum, part);
            if most.is_none_or(|(other, _)| part > other) {
                breach.log10_e = evidence / LN_10;
                most = Some((part, breach));
            }
        }
        most.filter(|_| sum >= threshold).map(|(_, breach)| breach)
    }

    /// Whether a metric is worse by enough, for enough users; the figures if so.
    fn shows(&self, metric: Metric) -> Option<Breach> {
        let settings = self.settings;
        let evidence = self.judged.evidence(metric);
        let [users, _] = evidence.users;
        let (mine, baseline) = (self.mine.window.sum(), self.baseline.window.sum());
        let mut breach = self.figures(Cause::Evidence(metric), mine, baseline, settings.window());
        breach.users = evidence.users;
        match metric {
            Metric::Errors => {
                // Any part of the window that ends now: what is new is not diluted by what was.
                let sums = self.mine.window.sums().zip(self.baseline.window.sums()).zip(1..);
                let is_worse = |(mine, baseline): (Counts, Counts)| {
                    self.is_enough(mine)
                        && baseline.requests >= settings.min_requests
                        && (mine.rate() - baseline.rate()) * 100.0 >= settings.min_difference
                };
                let ((mine, baseline), slots) = sums.filter(|(sums, _)| is_worse(*sums)).last()?;
                breach = Breach { variant: mine, baseline, window: self.slot * slots, ..breach };
                Some(breach)
            }
            Metric::P90 | Metric::P99 => {
                breach.micros = self.percentiles(if metric == Metric::P90 { 0.9 } else { 0.99 })?;
                let [slow, normal] = breach.micros;
                let is_worse = mine.requests >= settings.min_requests && users >= settings.min_failures;
                (is_worse && slow >= MIN_SLOWDOWN * normal).then_some(breach)
            }
            Metric::Event(_) => {
                let is_enough = mine.requests >= settings.min_requests
                    && baseline.requests >= settings.min_requests
                    && evidence.expected >= f64::from(settings.min_failures);
                let borne = evidence.expected / settings.tolerated(metric);
                (is_enough && f64::from(users) < borne).then_some(breach)
            }
        }
    }

    /// More than half fail, and it is not everybody's trouble.
    fn by_breaker(&self, evidence: f64) -> Option<Breach> {
        self.settings.errors?;
        let (mine, baseline) = (self.mine.breaker.sum(), self.baseline.breaker.sum());
        let is_broken = mine.failed_users >= self.settings.min_failures.max(1)
            && mine.requests >= BREAKER_REQUESTS
            && baseline.requests >= BREAKER_REQUESTS
            && mine.rate() > BREAKER_RATE
            && mine.rate() > BREAKER_RATIO * baseline.rate();
        let breach = || self.figures(Cause::Breaker, mine, baseline, BREAKER_WINDOW);
        is_broken.then(|| Breach { log10_e: evidence / LN_10, ..breach() })
    }

    /// The article's rule: above a rate for the whole window, while the baseline is not.
    fn by_rate(&self, evidence: f64) -> Option<Breach> {
        let errors = self.settings.errors?;
        let max_rate = errors.max_rate?;
        let (mine, baseline) = (self.mine.window.sum(), self.baseline.window.sum());
        let is_above = self.is_full
            && self.is_enough(mine)
            && baseline.requests >= self.settings.min_requests
            && mine.rate() * 100.0 > max_rate
            && mine.rate() > self.settings.tolerated(Metric::Errors) * baseline.rate();
        let breach = || self.figures(Cause::Rate, mine, baseline, self.settings.window());
        is_above.then(|| Breach { log10_e: evidence / LN_10, ..breach() })
    }

    /// The other rule: slower by so much, for so long.
    fn by_slowdown(&self, evidence: f64, slow_for: u32) -> Option<Breach> {
        let latency = self.settings.latency.filter(|latency| slow_for >= latency.window.max(1))?;
        let (mine, baseline) = (self.mine.window.sum(), self.baseline.window.sum());
        let figures = self.figures(Cause::Slowdown, mine, baseline, latency.window);
        let users = self.judged.evidence(Metric::P90).users;
        let micros = self.percentiles(0.9)?;
        Some(Breach { log10_e: evidence / LN_10, users, micros, ..figures })
    }

    /// Whether the variant is slower now than is refused on its own. Percentiles are of requests,
    /// so that one client could make them: distinct users must say the same.
    fn is_too_slow(&self) -> bool {
        let Some(max_increase) = self.settings.latency.and_then(|latency| latency.max_increase) else {
            return false;
        };
        let evidence = self.judged.evidence(Metric::P90);
        let [users, _] = evidence.users;
        let slow = self.percentiles(0.9);
        self.mine.window.sum().requests >= self.settings.min_requests
            && users >= self.settings.min_failures
            && f64::from(users) > evidence.expected
            && slow.is_some_and(|[slow, normal]| slow > normal * (1.0 + max_increase / 100.0))
    }

    /// A percentile of the variant and of the baseline.
    fn percentiles(&self, quantile: f64) -> Option<[f64; 2]> {
        let enough = self.settings.min_requests;
        let of = |side: &Watched| side.durations.quantile(quantile, enough);
        Some([of(self.mine)?, of(self.baseline)?])
    }

    fn is_enough(&self, mine: Counts) -> bool {
        mine.requests >= self.settings.min_requests && mine.failed_users >= self.settings.min_failures
    }

    fn figures(&self, cause: Cause, variant: Counts, baseline: Counts, window: u32) -> Breach {
        Breach {
            cause,
            log10_e: 0.0,
            log10_needed: self.settings.threshold() / LN_10,
            variant,
            baseline,
            window,
            users: self.judged.evidence(Metric::Errors).users,
            micros: [0.0; 2],
        }
    }
}

/// How long a slot of the window is.
fn slot(settings: &Settings) -> u32 {
    settings.window().div_ceil(u32::try_from(SLOTS).unwrap_or(u32::MAX))
}
