//! Findings in words: a side against the baseline, and what is wrong by itself.
//!
//! What is suspicious but not proven is said to be just that, never healthy.

use super::guardrail;
use super::histogram::Quantile;
use super::report::{Basis, Side};
use super::snapshot::Gauge;
use super::split;
use super::statistics::{Ratio, float};
use super::words::{self, percent, probability};

/// One-sided, for a side against the baseline.
const SIGNIFICANT: f64 = 0.05;

/// Below this a difference is worth a word, though chance may well have made it.
const SUSPICIOUS: f64 = 0.2;

/// With fewer on a side nothing but the plainest difference can show.
const ENOUGH_REQUESTS: u64 = 50;
const ENOUGH_ERRORS: u64 = 5;

/// How many times the baseline's p90 is slow, and how many responses it takes to say so.
const SLOWER: f64 = 1.5;
const ENOUGH_LATENCIES: u64 = 200;

/// Which part of the baseline's rate an event must keep.
const FEWER: f64 = 0.8;

/// So many requests should have come before their absence is no chance: e^-7 is 0.0009.
const ENOUGH_TO_MISS: f64 = 7.0;

/// Something that is to be said.
#[derive(Debug, PartialEq)]
pub(super) struct Finding {
    /// About which side; about the whole rollout otherwise.
    pub(super) side: Option<String>,
    /// What was looked at, as in the JSON.
    pub(super) about: &'static str,
    pub(super) verdict: Verdict,
    pub(super) text: String,
    pub(super) p: Option<f64>,
}

/// What a finding comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Worse than the baseline, and not by chance.
    Worse,
    /// Not as it must be, by itself.
    Off,
    /// Looks worse, and may be chance.
    Unproven,
    /// Too little was counted.
    TooFew,
    /// No difference seen; that proves none.
    Same,
    /// Better than the baseline, and not by chance.
    Better,
    /// Good to know.
    Note,
}

/// All that is to be said of a rollout with these sides.
pub(super) fn findings(basis: Basis, sides: &[Side]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let baseline = sides.iter().find(|side| side.baseline);
    if sides.iter().all(|side| side.requests == 0) {
        findings.push(Finding::new("traffic", Verdict::Note, "no requests".to_owned(), None));
    } else if baseline.is_none() {
        let text = "no side is the baseline on every proxy, so none is compared".to_owned();
        findings.push(Finding::new("baseline", Verdict::Note, text, None));
    }
    findings.extend(split::finding(basis, sides));
    let all: u64 = sides.iter().map(|side| side.requests).sum();
    for side in sides {
        let mut own = alone(side, all);
        if let Some(baseline) = baseline.filter(|baseline| baseline.name != side.name && side.requests > 0) {
            own.extend(compared(side, baseline));
        }
        own.extend(retries(side, baseline.filter(|baseline| baseline.name != side.name)));
        own.extend(guardrail::findings(side, &own));
        findings.extend(own.into_iter().map(|finding| Finding { side: Some(side.name.clone()), ..finding }));
    }
    findings
}

impl Finding {
    pub(super) fn new(about: &'static str, verdict: Verdict, text: String, p: Option<f64>) -> Self {
        Self { side: None, about, verdict, text, p }
    }
}

/// What can be said of a side without another.
fn alone(side: &Side, all: u64) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut say = |about, verdict, text| findings.push(Finding::new(about, verdict, text, None));
    match side.rolled_back.map(|gauge| (gauge.least, gauge.most)) {
        None | Some((_, 0)) => {}
        Some((0, _)) => say("rollback", Verdict::Off, "rolled back on some proxies, not on all".to_owned()),
        Some(_) => say("rollback", Verdict::Off, "rolled back: its users get the baseline".to_owned()),
    }
    if let Some(weight) = side.weight.filter(|gauge| gauge.agreed().is_none()) {
        say("weight", Verdict::Off, format!("proxies disagree: weight {}", words::weight(weight)));
    }
    let weight = side.weight().unwrap_or_default();
    let rolled_back = side.rolled_back.is_some_and(|gauge| gauge.most > 0);
    if side.requests == 0 && !rolled_back && weight * float(all) >= ENOUGH_TO_MISS {
        let weight = side.weight.map(words::weight).unwrap_or_default();
        say("traffic", Verdict::Off, format!("no requests, although its weight is {weight}"));
    }
    if side.active_streams > 0 && side.weight.and_then(Gauge::agreed) == Some(0) {
        let open = words::count(side.active_streams);
        say("traffic", Verdict::Note, format!("weight 0 %, and streams that are still open: {open}"));
    }
    if side.misrouted.hits() > 0 {
        let [some, all] = [side.misrouted.hits(), side.misrouted.of()].map(words::count);
        say("routes", Verdict::Off, format!("{some} of {all} checked requests went elsewhere"));
    }
    findings
}

/// A side against the baseline.
fn compared(side: &Side, baseline: &Side) -> Vec<Finding> {
    let mut findings = vec![errors(side.errors, baseline.errors)];
    findings.extend(latency(side, baseline));
    findings.extend(more("unanswered", "ended without a response", side.unanswered, baseline.unanswered));
    let events =
        side.events.keys().chain(baseline.events.keys().filter(|name| !side.events.contains_key(*name)));
    findings.extend(events.filter_map(|name| fewer(name, side.event(name), baseline.event(name))));
    findings
}

fn errors(side: Ratio, baseline: Ratio) -> Finding {
    let (worse, better) = (side.above(baseline), side.below(baseline));
    let few_requests = side.of() < ENOUGH_REQUESTS || baseline.of() < ENOUGH_REQUESTS;
    let errors = side.hits() + baseline.hits();
    let (verdict, words, p) = match () {
        () if worse < SIGNIFICANT => (Verdict::Worse, "worse", Some(worse)),
        () if better < SIGNIFICANT => (Verdict::Better, "better", Some(better)),
        () if few_requests => (Verdict::TooFew, "too few requests to tell", None),
        () if errors < ENOUGH_ERRORS => (Verdict::TooFew, "too few errors to tell", None),
        () if worse < SUSPICIOUS => (Verdict::Unproven, "higher, but not proven", Some(worse)),
        () => (Verdict::Same, "no difference seen", Some(worse)),
    };
    Finding::new("errors", verdict, sentence("errors", side, baseline, words, p), p)
}

/// Speaks where a share is above the baseline's.
fn more(about: &'static str, what: &str, side: Ratio, baseline: Ratio) -> Option<Finding> {
    let p = side.above(baseline);
    let text = sentence(what, side, baseline, "more", Some(p));
    (p < SIGNIFICANT).then(|| Finding::new(about, Verdict::Worse, text, Some(p)))
}

/// Retries cost the upstream; more of them than on the baseline are a bad sign.
fn retries(side: &Side, baseline: Option<&Side>) -> Option<Finding> {
    let worse = baseline.and_then(|baseline| more("retries", "retried", side.retried, baseline.retried));
    worse.or_else(|| {
        let text = format!("retried {} of requests", share(side.retried));
        (side.retried.hits() > 0).then(|| Finding::new("retries", Verdict::Note, text, None))
    })
}

/// Speaks where an event has become rarer.
fn fewer(name: &str, side: Ratio, baseline: Ratio) -> Option<Finding> {
    if side.value()? >= baseline.value()? * FEWER {
        return None;
    }
    let p = side.below(baseline);
    let (verdict, words) = match p {
        p if p < SIGNIFICANT => (Verdict::Worse, "of requests: fewer"),
        p if p < SUSPICIOUS => (Verdict::Unproven, "of requests: fewer, but not proven"),
        _ => return None,
    };
    let [own, other] = [side, baseline].map(share);
    let text = format!("{name} {own} vs {other} {words}, {}", probability(p));
    Some(Finding::new("event", verdict, text, Some(p)))
}

/// A bucket's inside is guessed, so the verdict needs a bucket's edge that more requests pass.
fn latency(side: &Side, baseline: &Side) -> Option<Finding> {
    let (own, other) = (side.latency.quantile(0.9)?, baseline.latency.quantile(0.9)?);
    let text = |words| format!("p90 {} vs {}: {words}", words::quantile(own), words::quantile(other));
    if side.latency.count().min(baseline.latency.count()) < ENOUGH_LATENCIES {
        return Some(Finding::new("latency", Verdict::TooFew, text("too few requests to tell"), None));
    }
    let (Quantile::At(slow) | Quantile::Above(slow)) = own;
    let Quantile::At(usual) = other else {
        return Some(Finding::new("latency", Verdict::Unproven, text("beyond what is measured"), None));
    };
    if slow < 1.0 || slow <= usual * SLOWER {
        return Some(Finding::new("latency", Verdict::Same, text("not much slower"), None));
    }
    let edges = side.latency.edges(own);
    let above = |side: &Side, edge| {
        let all = side.latency.count();
        Some(Ratio::new(all - side.latency.at_most(edge)?, all))
    };
    let tests = edges.iter().filter_map(|edge| Some(above(side, *edge)?.above(above(baseline, *edge)?)));
    // The better of two tests is good by chance twice as often.
    let p = tests.fold(1.0, f64::min) * if edges.len() > 1 { 2.0 } else { 1.0 };
    let proven = p < SIGNIFICANT;
    let (verdict, words) =
        if proven { (Verdict::Worse, "slower") } else { (Verdict::Unproven, "higher, but not proven") };
    Some(Finding::new("latency", verdict, text(words), Some(p.min(1.0))))
}

/// `errors 2.10 % vs 0.90 %: worse, p = 0.003`.
fn sentence(what: &str, side: Ratio, baseline: Ratio, words: &str, p: Option<f64>) -> String {
    let p = p.map(|p| format!(", {}", probability(p))).unwrap_or_default();
    format!("{what} {} vs {}: {words}{p}", share(side), share(baseline))
}

fn share(ratio: Ratio) -> String {
    ratio.value().map_or_else(|| "(none)".to_owned(), percent)
}

#[cfg(test)]
mod tests;
