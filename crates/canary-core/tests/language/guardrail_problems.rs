//! What is wrong with a guardrail: one row, one rule.

use crate::support::rows;
use crate::support::written::rollout;

const PURCHASE: &str = r#", "events": [{"name": "purchase", "when": {}}]"#;

fn guardrail(fields: &str) -> String {
    rollout(&format!(r#"{PURCHASE}, "guardrail": {{{fields}}}"#))
}

rows! {
    the_defaults_are_enough: guardrail(r#""errors": {}"#) => [];
    everything_at_once: guardrail(r#""errors": {"max_rate": 1.0, "window": "5m", "tolerated_ratio": 1.25}, "latency": {"max_increase": 50, "tolerated_ratio": 1.25, "window": "90s"},
        "events": [{"name": "purchase", "max_drop": 20}], "min_requests": 50, "min_failures": 5, "min_difference": 0.2, "alpha": 0.01,
        "fleet_size": 300, "count": {"not": {"header": {"name": "x-test", "present": true}}}, "on_breach": "alert", "rollback_over": "10m""#) => [];
    it_watches_something: guardrail(r#""alpha": 0.01"#) =>
        ["rollouts[0].guardrail: must have errors, latency or events: else it watches nothing"];
    numbers_have_their_ranges: guardrail(r#""errors": {"max_rate": 0, "tolerated_ratio": 0.9}, "latency": {"max_increase": -5}, "min_requests": 0, "min_failures": 2.5,
        "min_difference": 101, "alpha": 0.6, "fleet_size": 1e6"#) => [
        "rollouts[0].guardrail.errors.max_rate: must be between 0.0001 and 100 %, got 0",
        "rollouts[0].guardrail.errors.tolerated_ratio: must be between 1 and 100, got 0.9",
        "rollouts[0].guardrail.latency.max_increase: must be between 1 and 10000 %, got -5",
        "rollouts[0].guardrail.min_requests: must be between 1 and 1000000, got 0",
        "rollouts[0].guardrail.min_failures: must be a whole number, got 2.5",
        "rollouts[0].guardrail.min_difference: must be between 0 and 100 percentage points, got 101",
        "rollouts[0].guardrail.alpha: must be between 1e-9 and 0.5, got 0.6",
        "rollouts[0].guardrail.fleet_size: must be between 1 and 100000, got 1000000",
    ];
    lengths_of_time_are_written_as_elsewhere: guardrail(r#""errors": {"window": "5 minutes"}, "latency": {"window": "1s"}, "rollback_over": "2h""#) => [
        r#"rollouts[0].guardrail.errors.window: must be 10s to 1h, as a number and one of s, m, h, got "5 minutes""#,
        r#"rollouts[0].guardrail.latency.window: must be 10s to 1h, as a number and one of s, m, h, got "1s""#,
        r#"rollouts[0].guardrail.rollback_over: must be 0s to 1h, as a number and one of s, m, h, got "2h""#,
    ];
    events_are_those_of_the_rollout: guardrail(r#""events": [{"name": "signup"}, {"name": "purchase"}, {"name": "purchase"}, {"max_drop": 100}]"#) => [
        r#"rollouts[0].guardrail.events[0].name: must be the name of an event of this rollout, got "signup""#,
        r#"rollouts[0].guardrail.events[2].name: duplicate name "purchase""#,
        "rollouts[0].guardrail.events[3].max_drop: must be between 0 and 99 %, got 100",
        "rollouts[0].guardrail.events[3].name: is required",
    ];
    events_are_there_or_left_out: guardrail(r#""events": []"#) =>
        ["rollouts[0].guardrail.events: must not be empty; leave it out instead"];
    a_breach_does_one_of_two_things: guardrail(r#""errors": {}, "on_breach": "page""#) =>
        [r#"rollouts[0].guardrail.on_breach: must be "rollback" or "alert", got "page""#];
    unknown_fields_are_told: guardrail(r#""errors": {"max": 1}, "warn": true"#) => [
        "rollouts[0].guardrail.errors.max: unknown field, must be one of max_rate, window, tolerated_ratio",
        "rollouts[0].guardrail.warn: unknown field, must be one of errors, latency, events, min_requests, min_failures, min_difference, alpha, fleet_size, count, on_breach, rollback_over",
    ];
    what_may_count_is_a_condition: guardrail(r#""errors": {}, "count": {"geo": []}"#) =>
        ["rollouts[0].guardrail.count.geo: must not be empty; leave it out instead"];
    a_resume_is_a_text_for_log_lines: rollout("").replacen(r#""rollouts""#, r#""state": {"r": {"resume": "a\nb"}}, "rollouts""#, 1) =>
        [r#"state.r.resume: must be 1 to 256 bytes without control characters, got "a\nb""#];
}
