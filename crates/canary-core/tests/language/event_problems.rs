//! What is wrong with events and the figures of a policy: one row, one rule.

use crate::support::rows;
use crate::support::written::{problems, rollout, top, when};

fn event(fields: &str) -> String {
    rollout(&format!(r#", "events": [{{"name": "e", {fields}}}]"#))
}

rows! {
    an_event_has_one_sign: rollout(r#", "events": [{"name": "a"}, {"name": "b", "when": {}, "response_header": "x"}]"#) => [
        "rollouts[0].events[0]: must have one of when, response_header",
        "rollouts[0].events[1]: must have one of when, response_header",
    ];
    an_events_name_is_checked_and_unique: rollout(r#", "events": [{"name": "a;b", "when": {}}, {"name": "x", "when": {}}, {"name": "x", "when": {}}, {"when": {}}]"#) => [
        r#"rollouts[0].events[2].name: duplicate name "x", also at rollouts[0].events[1]"#,
        r#"rollouts[0].events[0].name: must be 1 to 64 characters of `[A-Za-z0-9._-]`, got "a;b""#,
        "rollouts[0].events[3].name: is required",
    ];
    an_event_is_an_object_of_these_fields: rollout(r#", "events": [7, {"name": "a", "then": {}}]"#) => [
        "rollouts[0].events[0]: must be an object, got 7",
        "rollouts[0].events[1].then: unknown field, must be one of name, when, response_header",
        "rollouts[0].events[1]: must have one of when, response_header",
    ];
    events_are_there_or_left_out: rollout(r#", "events": []"#) =>
        ["rollouts[0].events: must not be empty; leave it out instead"];
    a_status_is_a_class_or_a_code: event(r#""when": {"status": ["2xx", "200", "600", "2XX", "99", "2xx", ""]}"#) => [
        r#"rollouts[0].events[0].when.status[2]: must be a class such as `2xx`, or a code from `100` to `599`, got "600""#,
        r#"rollouts[0].events[0].when.status[3]: must be a class such as `2xx`, or a code from `100` to `599`, got "2XX""#,
        r#"rollouts[0].events[0].when.status[4]: must be a class such as `2xx`, or a code from `100` to `599`, got "99""#,
        r#"rollouts[0].events[0].when.status[5]: duplicate "2xx""#,
        r#"rollouts[0].events[0].when.status[6]: must be a class such as `2xx`, or a code from `100` to `599`, got """#,
    ];
    only_an_event_waits_for_a_status: when(r#""status": ["2xx"]"#) =>
        ["rollouts[0].rules[0].when.status: must stand in the `when` of an event: elsewhere there is no answer yet"];
    only_as_a_whole_does_an_event_wait: event(r#""when": {"not": {"status": ["5xx"]}}"#) =>
        ["rollouts[0].events[0].when.not.status: must stand in the `when` of an event: elsewhere there is no answer yet"];
    an_events_header_has_no_other_use: rollout(
        r#", "events": [{"name": "a", "response_header": "X-Deployment-Variant"}, {"name": "b", "response_header": "set-cookie"},
            {"name": "c", "response_header": "endpoint-load-metrics"}, {"name": "d", "response_header": "x y"}]"#) => [
        r#"rollouts[0].events[0].response_header: must be a header without another use: "x-deployment-variant" is kept from the client"#,
        r#"rollouts[0].events[1].response_header: must be a header without a meaning in HTTP, got "set-cookie""#,
        r#"rollouts[0].events[2].response_header: must be a header without another use: "endpoint-load-metrics" is kept from the client"#,
        r#"rollouts[0].events[3].response_header: must be a header name, got "x y""#,
    ];
    load_reports_are_wanted_or_not: rollout(r#", "load_reports": "yes""#) =>
        [r#"rollouts[0].load_reports: must be true or false, got "yes""#];
    stats_are_switches: top(r#""stats": {"durations": 1, "geo": false}"#) => [
        "stats.durations: must be true or false, got 1",
        "stats.geo: unknown field, must be one of durations, geos, retries, routes, splits, streams",
    ];
}

#[test]
fn a_rollout_has_at_most_32_events() {
    let events = |count: usize| {
        let event = |number| format!(r#"{{"name": "e{number}", "when": {{}}}}"#);
        rollout(&format!(r#", "events": [{}]"#, (0..count).map(event).collect::<Vec<_>>().join(",")))
    };
    assert_eq!(problems(&events(32)), Vec::<String>::new());
    assert_eq!(problems(&events(33)), ["rollouts[0].events: must have at most 32 entries, got 33"]);
}

#[test]
fn series_by_geo_are_bounded_over_all_rollouts() {
    let policy = |rollouts: usize, sources: &str| {
        let geos = (0..250).map(|geo| format!(r#""G{geo}""#)).collect::<Vec<_>>().join(",");
        let rollout = |number| {
            format!(
                r#"{{"name": "r{number}", "match": {{"hosts": ["h{number}"]}}, "baseline": {{"name": "s"}}, "variants": [{{"name": "c", "weight": 1}}]}}"#
            )
        };
        let rollouts = (0..rollouts).map(rollout).collect::<Vec<_>>().join(",");
        format!(
            r#"{{"version": 1{sources}, "segments": {{"watched": {{"geo": [{geos}]}}}}, "rollouts": [{rollouts}]}}"#
        )
    };
    let source = r#", "geo": [{"header": "x-geo"}]"#;
    assert_eq!(problems(&policy(99, source)), Vec::<String>::new());
    assert_eq!(
        problems(&policy(100, source)),
        [
            "rollouts: sides times (2 for each geo that the policy names, 2 for other geos, 1 for each event) must be at \
          most 100000 over all rollouts, got 100400: each is a series in Envoy's stats"
        ]
    );
    assert_eq!(problems(&policy(100, "")), Vec::<String>::new(), "without a source none is counted");
}
