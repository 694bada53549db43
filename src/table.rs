//! What is counted of requests under one policy, and under which names.

use std::cell::Cell;

use canary_core::code_class::CodeClass;
use canary_core::decide::{Reason, Token};
use canary_core::exchange::{Outcome, RequestPlan, ResponsePlan, Went};
use canary_core::geo::GeoId;
use canary_core::policy::Policy;
use canary_core::rollout::{Rollout, Variant};

use crate::stats::{Kind, Name, SlotId, Stats};

/// Where the metrics of one policy are in [`Stats`], worked out when each is first used.
///
/// For each rollout: one place for each reason, one for refused tokens, those of its first side,
/// of its second, and so on, then two for each flag.
pub(crate) struct Table {
    /// Where the places of each rollout begin; the place behind the last one is for requests
    /// that no rollout matched.
    begins: Box<[usize]>,
    slots: Box<[Cell<Option<SlotId>>]>,
    geos: usize,
    /// Whether open streams are counted.
    streams: bool,
}

/// What is measured of each side of a rollout.
#[derive(Clone, Copy, Debug)]
enum OfSide {
    /// Decided for it.
    Requests,
    /// Open now.
    Streams,
    /// From request to response headers.
    Duration,
    /// Users and requests that a split drew for it.
    Observed,
    /// Those that its weight lets expect.
    Expected,
    /// Sent to the upstream more than once.
    Retried,
    /// Looked after where they went.
    Checked,
    /// Went elsewhere.
    Misrouted,
    /// Load of the upstream's CPU.
    Cpu,
    /// Load of its memory.
    Memory,
    /// Load reports that could not be read.
    Unreadable,
    /// Outcomes.
    Class(CodeClass),
    /// Requests from a place.
    Geo(GeoId),
    /// Of which the server failed.
    GeoErrors(GeoId),
    /// A business event, by its place.
    Event(usize),
}

/// The label of requests that no rollout matched.
const NO_ROLLOUT: &str = "none";

/// The label of geos that the policy does not name.
const OTHER: &str = "other";

const REASONS: usize = Reason::ALL.len();
/// Where a rollout's sides begin: behind its reasons and its refused tokens.
const SIDES: usize = REASONS + 1;
/// Where the outcomes of a side begin.
const CLASSES: usize = 11;
/// Where its geos begin.
const GEOS: usize = CLASSES + CodeClass::ALL.len();
/// What a flag can be.
const VALUES: [&str; 2] = ["off", "on"];

// impl Table

impl Table {
    /// Room for every metric of a policy.
    pub(crate) fn new(policy: &Policy) -> Self {
        let geos = if policy.geos.is_empty() { 0 } else { policy.geos.len() + 1 };
        let mut end = 0;
        let begins = policy.rollouts.iter().map(|rollout| {
            let begin = end;
            end +=
                SIDES + rollout.variants.len() * places(rollout, geos) + rollout.flags.len() * VALUES.len();
            begin
        });
        let begins = begins.collect();
        Self {
            begins,
            slots: (0..=end).map(|_| Cell::new(None)).collect(),
            geos,
            streams: policy.figures.streams,
        }
    }

    /// Counts a request with its decision.
    pub(crate) fn request(&self, plan: &RequestPlan<'_>, policy: &Policy, stats: &Stats) {
        let decision = &plan.decision;
        let reason = decision.reason;
        let Some(rollout) = decision.rollout else {
            return self.add(self.slots.len() - 1, stats, || decisions(NO_ROLLOUT, reason));
        };
        let begin = self.begin(rollout);
        self.add(begin + reason.index(), stats, || decisions(&rollout.name, reason));
        if decision.token == Token::Rejected {
            self.add(begin + REASONS, stats, || {
                Name { labels: &[("rollout", &rollout.name)], metric: "canary_override_rejected_total" }
                    .to_string()
            });
        }
        if let Some(variant) = decision.variant.filter(|_| plan.counted) {
            let side = self.side(policy, rollout, variant, stats);
            side.add(OfSide::Requests, 1);
            if self.streams {
                side.add(OfSide::Streams, 1);
            }
            if let Some(geo) = decision.geo {
                side.add(OfSide::Geo(geo), 1);
            }
        }
        let flags_begin = begin + SIDES + rollout.variants.len() * places(rollout, self.geos);
        for (flag, on) in decision.flags.iter() {
            let value = usize::from(on);
            self.add(flags_begin + flag * VALUES.len() + value, stats, || {
                let name = rollout.flags.get(flag).map_or("-", |flag| &flag.name);
                let value = VALUES.get(value).copied().unwrap_or_default();
                let labels = [("rollout", &*rollout.name), ("flag", name), ("value", value)];
                Name { labels: &labels, metric: "canary_flag_evaluations_total" }.to_string()
            });
        }
    }

    /// Counts what a response tells.
    pub(crate) fn response(&self, plan: &ResponsePlan<'_>, policy: &Policy, stats: &Stats) {
        let Some((rollout, variant)) = plan.counted else { return };
        let side = self.side(policy, rollout, variant, stats);
        if let Some(duration) = plan.duration_ms {
            side.record(OfSide::Duration, duration);
        }
        match plan.load {
            Some(Ok(load)) => {
                for (metric, permille) in [(OfSide::Cpu, load.cpu), (OfSide::Memory, load.memory)] {
                    if let Some(permille) = permille {
                        side.record(metric, permille.into());
                    }
                }
            }
            Some(Err(_)) => side.add(OfSide::Unreadable, 1),
            None => {}
        }
    }

    /// Counts how an exchange ended.
    pub(crate) fn end(&self, outcome: Outcome, policy: &Policy, stats: &Stats) {
        let Some(rollout) = policy.rollout(outcome.rollout) else { return };
        let Some(variant) = rollout.variant(outcome.variant) else { return };
        let side = self.side(policy, rollout, variant, stats);
        side.add(OfSide::Class(outcome.class), 1);
        if self.streams {
            side.add(OfSide::Streams, -1);
        }
        if let Some(geo) = outcome.geo.filter(|_| outcome.class == CodeClass::ServerError) {
            side.add(OfSide::GeoErrors(geo), 1);
        }
        for event in outcome.events.iter() {
            let event = OfSide::Event(event);
            if !side.has(event) {
                // A side that never has one shows it: what compares sides finds a zero.
                let sides = rollout.variants.iter().map(|variant| self.side(policy, rollout, variant, stats));
                sides.for_each(|side| side.show(event));
            }
            side.add(event, 1);
        }
        if outcome.retried {
            side.add(OfSide::Retried, 1);
        }
        if let Some(went) = outcome.went {
            side.add(OfSide::Checked, 1);
            if went == Went::Elsewhere {
                side.add(OfSide::Misrouted, 1);
            }
        }
    }

    /// Counts what a split has drawn: each side's share, in parts per million, and how many it
    /// got.
    pub(crate) fn drawn(
        &self,
        rollout: &Rollout,
        sides: impl Iterator<Item = (u32, u32)> + Clone,
        policy: &Policy,
        stats: &Stats,
    ) {
        let all: i64 = sides.clone().map(|(_, got)| i64::from(got)).sum();
        for (variant, (share, got)) in rollout.variants.iter().zip(sides) {
            let side = self.side(policy, rollout, variant, stats);
            side.add(OfSide::Observed, got.into());
            side.add(OfSide::Expected, i64::from(share) * all);
        }
    }

    fn begin(&self, rollout: &Rollout) -> usize {
        let begin = usize::try_from(rollout.id.0).ok().and_then(|id| self.begins.get(id));
        begin.copied().unwrap_or_default()
    }

    fn side<'a>(
        &'a self,
        policy: &'a Policy,
        rollout: &'a Rollout,
        variant: &'a Variant,
        stats: &'a Stats,
    ) -> Side<'a> {
        let begin = self.begin(rollout) + SIDES + variant.id.slot() * places(rollout, self.geos);
        Side { table: self, begin, policy, rollout, variant, stats }
    }

    fn add(&self, place: usize, stats: &Stats, name: impl FnOnce() -> String) {
        if let Some(slot) = self.slot(place, || stats.slot(Kind::Count, name())) {
            stats.add(slot, 1);
        }
    }

    fn slot(&self, place: usize, new: impl FnOnce() -> SlotId) -> Option<SlotId> {
        let place = self.slots.get(place)?;
        let slot = place.get().unwrap_or_else(new);
        place.set(Some(slot));
        Some(slot)
    }
}

/// The metrics of one side.
struct Side<'a> {
    table: &'a Table,
    begin: usize,
    policy: &'a Policy,
    rollout: &'a Rollout,
    variant: &'a Variant,
    stats: &'a Stats,
}

impl Side<'_> {
    /// Whether it was used before.
    fn has(&self, metric: OfSide) -> bool {
        let place = self.table.slots.get(self.begin + metric.place(self.table.geos));
        place.is_some_and(|place| place.get().is_some())
    }

    /// Makes it appear in Envoy's stats.
    fn show(&self, metric: OfSide) {
        if let Some(slot) = self.slot(metric) {
            self.stats.show(slot);
        }
    }

    fn add(&self, metric: OfSide, by: i64) {
        if let Some(slot) = self.slot(metric) {
            self.stats.add(slot, by);
        }
    }

    fn record(&self, metric: OfSide, value: u64) {
        if let Some(slot) = self.slot(metric) {
            self.stats.record(slot, value);
        }
    }

    fn slot(&self, metric: OfSide) -> Option<SlotId> {
        let place = self.begin + metric.place(self.table.geos);
        self.table.slot(place, || self.stats.slot(metric.kind(), self.name(metric)))
    }

    fn name(&self, metric: OfSide) -> String {
        let geo;
        let more = match metric {
            OfSide::Class(class) => Some(("code_class", class.as_str())),
            OfSide::Geo(id) | OfSide::GeoErrors(id) => {
                geo = self.policy.geos.get(id.place()).map(ToString::to_string);
                Some(("geo", geo.as_deref().unwrap_or(OTHER)))
            }
            OfSide::Event(place) => {
                Some(("event", self.rollout.events.get(place).map_or("-", |event| &event.name)))
            }
            _ => None,
        };
        let labels = [("rollout", &*self.rollout.name), ("variant", &*self.variant.name)];
        let labels: Vec<_> = labels.into_iter().chain(more).collect();
        Name { labels: &labels, metric: metric.as_str() }.to_string()
    }
}

impl OfSide {
    /// Its place among those of a side.
    fn place(self, geos: usize) -> usize {
        match self {
            Self::Requests => 0,
            Self::Streams => 1,
            Self::Duration => 2,
            Self::Observed => 3,
            Self::Expected => 4,
            Self::Retried => 5,
            Self::Checked => 6,
            Self::Misrouted => 7,
            Self::Cpu => 8,
            Self::Memory => 9,
            Self::Unreadable => 10,
            Self::Class(class) => CLASSES + class.index(),
            Self::Geo(geo) => GEOS + geo.place(),
            Self::GeoErrors(geo) => GEOS + geos + geo.place(),
            Self::Event(event) => GEOS + 2 * geos + event,
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Streams => Kind::Level,
            Self::Duration | Self::Cpu | Self::Memory => Kind::Histogram,
            Self::Expected => Kind::Millionths,
            _ => Kind::Count,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "canary_requests_total",
            Self::Streams => "canary_active_streams",
            Self::Duration => "canary_request_duration_ms",
            Self::Observed => "canary_observed_requests_total",
            Self::Expected => "canary_expected_requests_total",
            Self::Retried => "canary_retried_total",
            Self::Checked => "canary_route_checks_total",
            Self::Misrouted => "canary_misrouted_total",
            Self::Cpu => "canary_cpu_utilization_permille",
            Self::Memory => "canary_mem_utilization_permille",
            Self::Unreadable => "canary_load_report_errors_total",
            Self::Class(_) => "canary_responses_total",
            Self::Geo(_) => "canary_geo_requests_total",
            Self::GeoErrors(_) => "canary_geo_errors_total",
            Self::Event(_) => "canary_events_total",
        }
    }
}

/// How many places each side of a rollout has.
fn places(rollout: &Rollout, geos: usize) -> usize {
    GEOS + 2 * geos + rollout.events.len()
}

fn decisions(rollout: &str, reason: Reason) -> String {
    let labels = [("rollout", rollout), ("reason", reason.as_str())];
    Name { labels: &labels, metric: "canary_decisions_total" }.to_string()
}
