use std::collections::BTreeMap;

use super::super::histogram::Histogram;
use super::*;

fn side(name: &str, requests: u64, errors: u64) -> Side {
    Side {
        name: name.to_owned(),
        baseline: name == "stable",
        weight: Some(gauge(if name == "stable" { 950_000 } else { 50_000 })),
        requests,
        errors: Ratio::new(errors, requests),
        unanswered: Ratio::new(0, requests),
        retried: Ratio::new(0, requests),
        ..Side::default()
    }
}

fn gauge(value: u64) -> Gauge {
    Gauge { least: value, most: value, sum: value }
}

/// What is said about this, of the canary.
fn said(about: &str, stable: Side, canary: Side) -> Vec<(Verdict, String)> {
    let findings = findings(Basis::Requests, &[stable, canary]);
    let canary = findings.into_iter().filter(|it| it.about == about && it.side.as_deref() != Some("stable"));
    canary.map(|finding| (finding.verdict, finding.text)).collect()
}

#[test]
fn errors_are_compared_with_the_baseline_s() {
    for (stable, canary, verdict, text) in [
        ((1_000, 9), (1_000, 21), Verdict::Worse, "errors 2.10 % vs 0.90 %: worse, p = 0.021"),
        ((1_000, 21), (1_000, 9), Verdict::Better, "errors 0.90 % vs 2.10 %: better, p = 0.021"),
        ((1_000, 10), (1_000, 11), Verdict::Same, "errors 1.10 % vs 1.00 %: no difference seen, p = 0.50"),
        (
            (1_000, 9),
            (1_000, 15),
            Verdict::Unproven,
            "errors 1.50 % vs 0.90 %: higher, but not proven, p = 0.15",
        ),
        ((1_000, 9), (49, 1), Verdict::TooFew, "errors 2.04 % vs 0.90 %: too few requests to tell"),
        ((1_000, 2), (1_000, 2), Verdict::TooFew, "errors 0.20 % vs 0.20 %: too few errors to tell"),
        // However few: nobody fails ten times of ten by chance.
        ((100, 0), (10, 10), Verdict::Worse, "errors 100 % vs 0 %: worse, p < 0.0001"),
    ] {
        let findings = said("errors", side("stable", stable.0, stable.1), side("canary", canary.0, canary.1));
        assert_eq!(findings, [(verdict, text.to_owned())]);
    }
}

/// With so many at or below 100, 250, 500 and 1,000 ms.
fn slow(mut side: Side, counts: [u64; 4]) -> Side {
    let bounds = [100.0, 250.0, 500.0, 1_000.0];
    side.latency = Histogram::new(bounds.into_iter().zip(counts).collect(), counts[3]);
    side
}

#[test]
fn latencies_are_compared_by_p90_and_proven_at_an_edge() {
    let stable = || slow(side("stable", 1_000, 0), [500, 850, 1_000, 1_000]);
    for (counts, verdict, words) in [
        ([100, 200, 700, 1_000], Verdict::Worse, "p90 833 ms vs 333 ms: slower"),
        ([500, 850, 1_000, 1_000], Verdict::Same, "p90 333 ms vs 333 ms: not much slower"),
        ([50, 100, 150, 199], Verdict::TooFew, "p90 797 ms vs 333 ms: too few requests to tell"),
    ] {
        let findings = said("latency", stable(), slow(side("canary", 1_000, 0), counts));
        assert_eq!(findings, [(verdict, words.to_owned())]);
    }
    // Inside one bucket, and at its edges the difference may be chance.
    let stable = slow(side("stable", 200, 0), [179, 185, 200, 200]);
    let canary = slow(side("canary", 200, 0), [170, 181, 200, 200]);
    let unproven = "p90 236 ms vs 125 ms: higher, but not proven";
    assert_eq!(said("latency", stable, canary), [(Verdict::Unproven, unproven.to_owned())]);
}

#[test]
fn what_is_measured_nowhere_is_not_compared() {
    assert_eq!(said("latency", side("stable", 900, 0), side("canary", 900, 0)), []);
}

#[test]
fn an_event_that_became_rarer_is_told() {
    let with = |mut side: Side, count| {
        side.events = BTreeMap::from([("purchase".to_owned(), Ratio::new(count, side.requests))]);
        side
    };
    let stable = || with(side("stable", 20_000, 0), 520);
    let canary = |count| said("event", stable(), with(side("canary", 5_000, 0), count));
    assert_eq!(canary(125), []);
    assert_eq!(
        canary(100),
        [(Verdict::Worse, "purchase 2.00 % vs 2.60 % of requests: fewer, p = 0.007".to_owned())]
    );
    // One that a side has never seen is no event of that side's, but 0 of its requests.
    let never = said("event", stable(), side("canary", 5_000, 0));
    assert_eq!(never[0].0, Verdict::Worse);
    assert_eq!(said("event", with(side("stable", 0, 0), 0), with(side("canary", 90, 0), 1)), []);
}

#[test]
fn absence_is_told_where_it_is_no_chance() {
    let absent = |stable| said("traffic", side("stable", stable, 0), side("canary", 0, 0));
    assert_eq!(absent(100), []);
    assert_eq!(absent(200), [(Verdict::Off, "no requests, although its weight is 5 %".to_owned())]);
    assert_eq!(absent(0), [(Verdict::Note, "no requests".to_owned())]);
}

#[test]
fn what_is_wrong_by_itself_is_told() {
    let canary = Side {
        rolled_back: Some(Gauge { least: 0, most: 1, sum: 1 }),
        misrouted: Ratio::new(12, 640),
        retried: Ratio::new(40, 1_000),
        unanswered: Ratio::new(60, 1_000),
        weight: Some(Gauge { least: 50_000, most: 100_000, sum: 150_000 }),
        ..side("canary", 1_000, 0)
    };
    let findings = findings(Basis::Decisions, &[side("stable", 1_000, 0), canary]);
    let texts: Vec<_> = findings.iter().map(|finding| finding.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "too few users to judge the split",
            "rolled back on some proxies, not on all",
            "proxies disagree: weight 5 to 10 %",
            "12 of 640 checked requests went elsewhere",
            "errors 0 % vs 0 %: too few errors to tell",
            "ended without a response 6.00 % vs 0 %: more, p < 0.0001",
            "retried 4.00 % vs 0 %: more, p < 0.0001",
        ]
    );
}

#[test]
fn streams_that_outlive_their_weight_are_told() {
    let canary = Side { weight: Some(gauge(0)), active_streams: 3, ..side("canary", 0, 0) };
    let told = said("traffic", side("stable", 1_000, 0), canary);
    assert_eq!(told, [(Verdict::Note, "weight 0 %, and streams that are still open: 3".to_owned())]);
}

#[test]
fn without_a_baseline_nothing_is_compared() {
    let findings = findings(Basis::Requests, &[side("canary", 900, 9)]);
    assert_eq!((findings[0].about, findings[0].side.as_deref()), ("baseline", None));
}
