//! What a snapshot says of each rollout and side; `verdict` judges it, `text` and `json` show it.

use std::collections::BTreeMap;

use super::guardrail::{self, Guardrail, Knowledge};
use super::histogram::Histogram;
use super::snapshot::{Gauge, Snapshot};
use super::statistics::{Interval, Ratio, expected_interval, float};
use super::verdict::{self, Finding};
use super::words;

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) rollouts: Vec<Rollout>,
    /// What is to be said of the whole, a line each.
    pub(super) notes: Vec<String>,
}

/// A rollout and what is to be said of it.
#[derive(Debug)]
pub(super) struct Rollout {
    pub(super) name: String,
    pub(super) basis: Basis,
    /// The baseline comes first.
    pub(super) sides: Vec<Side>,
    pub(super) findings: Vec<Finding>,
}

/// Of what shares are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Basis {
    /// Split decisions, a user once a day, against the weights that were in force at each.
    Decisions,
    /// Requests, against the weights of now: the filter has counted no decisions.
    Requests,
}

/// A variant, or the baseline.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) name: String,
    pub(super) baseline: bool,
    pub(super) weight: Option<Gauge>,
    pub(super) rolled_back: Option<Gauge>,
    pub(super) requests: u64,
    pub(super) active_streams: u64,
    /// Decisions: so many are this side's, so many were to be expected.
    pub(super) observed: u64,
    pub(super) expected: u64,
    pub(super) share: Option<f64>,
    pub(super) expected_share: Option<Expected>,
    /// Responses of class 5xx among all.
    pub(super) errors: Ratio,
    /// Requests that ended without a response.
    pub(super) unanswered: Ratio,
    pub(super) latency: Histogram,
    /// By name, how many requests were such an event.
    pub(super) events: BTreeMap<String, Ratio>,
    /// Requests that went elsewhere, among those that were looked at.
    pub(super) misrouted: Ratio,
    pub(super) retried: Ratio,
    /// What the proxies' guardrails say, where the rollout has one.
    pub(super) guardrail: Option<Guardrail>,
}

/// A share that is to be expected, and where it falls by chance in 95 of 100 samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Expected {
    pub(super) share: f64,
    pub(super) interval: Interval,
}

impl Report {
    /// Reads all rollouts, or the one with this name, out of a snapshot.
    pub(super) fn of(snapshot: &Snapshot, only: Option<&str>, knowledge: &Knowledge<'_>) -> Self {
        let rollouts = snapshot.rollouts().into_iter();
        let rollouts = rollouts.filter(|(name, _)| only.is_none_or(|only| only == *name));
        let rollouts = rollouts.map(|(name, sides)| Rollout::of(snapshot, name, &sides, knowledge)).collect();
        Self { rollouts, notes: notes(snapshot, knowledge) }
    }
}

fn notes(snapshot: &Snapshot, knowledge: &Knowledge<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let policy = snapshot.gauge("canary_policy_info", &[]);
    if policy.is_some_and(|digest| digest.agreed().is_none()) {
        notes.push("proxies disagree: they do not have the same policy".to_owned());
    }
    let theirs = policy.and_then(Gauge::agreed);
    if theirs.zip(knowledge.policy).is_some_and(|(theirs, policy)| theirs != policy.digest) {
        notes.push(
            "--policy is not the policy that Envoy has: what it says of guardrails may be wrong".to_owned(),
        );
    }
    let failed = snapshot.count("canary_policy_errors_total", &[]);
    if failed > 0 {
        let failed = words::count(failed);
        notes.push(format!("policy: {failed} loads failed (Envoy's log says why); the last good one stayed"));
    }
    notes
}

impl Rollout {
    fn of(snapshot: &Snapshot, name: &str, sides: &[&str], knowledge: &Knowledge<'_>) -> Self {
        let mut sides: Vec<_> = sides.iter().map(|side| Side::of(snapshot, name, side)).collect();
        sides.sort_by(|one, other| other.baseline.cmp(&one.baseline).then(one.name.cmp(&other.name)));
        let basis = share(&mut sides);
        guardrail::look_ahead(name, &mut sides, knowledge);
        let findings = verdict::findings(basis, &sides);
        Self { name: name.to_owned(), basis, sides, findings }
    }

    /// The names of all events that some side has seen.
    pub(super) fn events(&self) -> Vec<&str> {
        let mut names: Vec<_> =
            self.sides.iter().flat_map(|side| side.events.keys().map(String::as_str)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Works out each side's share and what it should be.
fn share(sides: &mut [Side]) -> Basis {
    let observed = sides.iter().map(|side| side.observed).sum();
    let expected = sides.iter().map(|side| side.expected).sum();
    let requests = sides.iter().map(|side| side.requests).sum();
    let basis = if observed > 0 && expected > 0 { Basis::Decisions } else { Basis::Requests };
    for side in sides {
        let (share, sample, wanted) = match basis {
            Basis::Decisions => {
                (Ratio::new(side.observed, observed), observed, Ratio::new(side.expected, expected).value())
            }
            Basis::Requests => (Ratio::new(side.requests, requests), requests, side.weight()),
        };
        side.share = share.value();
        let expected = |share| Expected { share, interval: expected_interval(share, sample) };
        side.expected_share = wanted.filter(|_| sample > 0).map(expected);
    }
    basis
}

impl Side {
    fn of(snapshot: &Snapshot, rollout: &str, side: &str) -> Self {
        let labels = [("rollout", rollout), ("variant", side)];
        let count = |metric| snapshot.count(metric, &labels);
        let gauge = |metric| snapshot.gauge(metric, &labels);
        let requests = count("canary_requests_total");
        let responses = count("canary_responses_total");
        let class = |class| {
            let labels = [labels.as_slice(), &[("code_class", class)]].concat();
            Ratio::new(snapshot.count("canary_responses_total", &labels), responses)
        };
        let events = snapshot.counts("canary_events_total", &labels).filter_map(|(labels, count)| {
            let name = labels.get("event")?;
            Some((name.clone(), Ratio::new(count, requests)))
        });
        Self {
            name: side.to_owned(),
            baseline: gauge("canary_baseline").and_then(Gauge::agreed) == Some(1),
            weight: gauge("canary_weight_ppm"),
            rolled_back: gauge("canary_rolled_back"),
            requests,
            active_streams: gauge("canary_active_streams").map_or(0, |gauge| gauge.sum),
            observed: count("canary_observed_requests_total"),
            expected: count("canary_expected_requests_total"),
            errors: class("5xx"),
            unanswered: class("none"),
            latency: snapshot.histogram("canary_request_duration_ms", &labels).cloned().unwrap_or_default(),
            events: events.collect(),
            misrouted: Ratio::new(count("canary_misrouted_total"), count("canary_route_checks_total")),
            retried: Ratio::new(count("canary_retried_total"), requests),
            guardrail: Guardrail::of(snapshot, &labels),
            ..Self::default()
        }
    }

    /// The weight of now, from 0 to 1, where all proxies have the same.
    pub(super) fn weight(&self) -> Option<f64> {
        self.weight.and_then(Gauge::agreed).map(|ppm| float(ppm) / 1e6)
    }

    /// How many requests were such an event.
    pub(super) fn event(&self, name: &str) -> Ratio {
        self.events.get(name).copied().unwrap_or_else(|| Ratio::new(0, self.requests))
    }
}
