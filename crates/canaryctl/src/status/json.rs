//! A picture as one JSON object for programs; its keys are in the documents.

use canary_core::guardrail::plan::Plan;
use serde_json::{Map, Value, json};

use super::frame::{Frame, Span};
use super::guardrail::Guardrail;
use super::histogram::Quantile;
use super::report::{Basis, Rollout, Side};
use super::snapshot::Gauge;
use super::statistics::Ratio;
use super::verdict::{Finding, Verdict};

/// The object; shares and probabilities are numbers from 0 to 1, times are milliseconds.
pub(super) fn object(frame: &Frame<'_>, time: &str) -> Value {
    let (of, seconds) = match frame.span {
        Span::Totals => ("totals", None),
        Span::Young { seconds, .. } | Span::Window { seconds } => ("window", Some(seconds)),
    };
    let endpoints = frame.endpoints.iter().zip(frame.readings).map(|(endpoint, reading)| {
        let error = reading.as_ref().err().map(|error| format!("{error:#}"));
        json!({"url": endpoint.to_string(), "error": error})
    });
    json!({
        "time": time,
        "figures_of": of,
        "seconds": seconds,
        "endpoints": endpoints.collect::<Vec<_>>(),
        "notes": frame.notes().collect::<Vec<_>>(),
        "rollouts": frame.report.rollouts.iter().map(rollout).collect::<Vec<_>>(),
    })
}

fn rollout(rollout: &Rollout) -> Value {
    json!({
        "rollout": rollout.name,
        "share_of": match rollout.basis {
            Basis::Decisions => "decisions",
            Basis::Requests => "requests",
        },
        "sides": rollout.sides.iter().map(side).collect::<Vec<_>>(),
        "findings": rollout.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn side(side: &Side) -> Value {
    let expected = side.expected_share.map(|expected| {
        let interval = expected.interval;
        json!({"share": expected.share, "low": interval.low, "high": interval.high})
    });
    let events = side.events.iter().map(|(name, count)| (name.clone(), ratio(*count)));
    json!({
        "variant": side.name,
        "baseline": side.baseline,
        "weight": side.weight(),
        "rolled_back": side.rolled_back.and_then(Gauge::agreed).map(|value| value > 0),
        "requests": side.requests,
        "active_streams": side.active_streams,
        "share": side.share,
        "expected": expected,
        "decisions": {"observed": side.observed, "expected": side.expected},
        "errors": ratio(side.errors),
        "unanswered": ratio(side.unanswered),
        "retried": ratio(side.retried),
        "misrouted": ratio(side.misrouted),
        "events": events.collect::<Map<_, _>>(),
        "latency_ms": latency(side),
        "guardrail": side.guardrail.as_ref().map(guardrail),
    })
}

fn guardrail(guardrail: &Guardrail) -> Value {
    let found = guardrail.outlook.map(|outlook| match outlook.plan {
        Plan::Found { seconds, .. } => (outlook.rate, Some(seconds), true),
        Plan::TooSmall { seconds } => (outlook.rate, Some(seconds), false),
        Plan::Never => (outlook.rate, None, false),
    });
    json!({
        "state": guardrail.word(),
        "log10_evidence": guardrail.evidence,
        "log10_needed": guardrail.needed,
        "breaches": guardrail.breaches,
        "from_1_to_2_percent": found.map(|(rate, seconds, enough)| {
            json!({"requests_per_second": rate, "seconds": seconds, "enough_traffic": enough})
        }),
    })
}

fn ratio(ratio: Ratio) -> Value {
    let interval = ratio.interval();
    json!({
        "count": ratio.hits(),
        "of": ratio.of(),
        "ratio": ratio.value(),
        "low": interval.map(|interval| interval.low),
        "high": interval.map(|interval| interval.high),
    })
}

/// A quantile above the last bound is null, and that bound is told.
fn latency(side: &Side) -> Value {
    let mut latency = Map::from_iter([("count".to_owned(), json!(side.latency.count()))]);
    for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
        let (at, above) = match side.latency.quantile(share) {
            Some(Quantile::At(value)) => (Some(value), None),
            Some(Quantile::Above(bound)) => (None, Some(bound)),
            None => (None, None),
        };
        latency.insert(name.to_owned(), json!(at));
        latency.extend(above.map(|bound| (format!("{name}_above"), json!(bound))));
    }
    Value::Object(latency)
}

fn finding(finding: &Finding) -> Value {
    json!({
        "variant": finding.side,
        "about": finding.about,
        "verdict": match finding.verdict {
            Verdict::Worse => "worse",
            Verdict::Off => "off",
            Verdict::Unproven => "unproven",
            Verdict::TooFew => "too_few",
            Verdict::Same => "same",
            Verdict::Better => "better",
            Verdict::Note => "note",
        },
        "p": finding.p,
        "text": finding.text,
    })
}
