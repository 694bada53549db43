//! What is counted of an exchange: events, gRPC, retries, routes, geos, time and load.

use crate::support::{Ended, OK, Request, change, get, policy, request, response};
use canary_core::decide::Ambient;
use canary_core::exchange::{Elapsed, End, Exchange, Judged, Moment, Outcome, Went};
use canary_core::load_report::{LoadReport, Malformed};
use canary_core::policy::Policy;
use canary_core::rollback::NOTHING;

/// Everyone is on the canary.
fn with(top: &str, rollout: &str) -> Policy {
    policy(&format!(
        r#"{{"version": 1, "identity": [{{"header": "x-user-id"}}], "geo": [{{"header": "x-geo-country"}}]{top}, "rollouts": [{{"name": "shop",
            "match": {{"path_prefixes": ["/"]}}, "baseline": {{"name": "stable", "cluster": "v1"}}, "variants": [{{"name": "canary", "cluster": "v2", "weight": 100}}]{rollout}}}]}}"#
    ))
}

fn events(events: &str) -> Policy {
    with("", &format!(r#", "events": [{events}]"#))
}

/// A whole exchange: what the response is told beside the stamp, and the outcome.
fn run(
    policy: &Policy,
    request: &Request,
    answer: &[(&str, &str)],
    ended: Ended,
) -> (Vec<String>, Option<Outcome>) {
    let (mut exchange, _) = Exchange::on_request(policy, request, Ambient::at(0));
    let plan = exchange.on_response(policy, || None, response(answer));
    let told = plan.more.iter().filter_map(change).collect();
    (told, exchange.on_end(policy, &ended))
}

fn outcome(policy: &Policy, request: &Request, answer: &[(&str, &str)], ended: Ended) -> Outcome {
    run(policy, request, answer, ended).1.unwrap()
}

/// The names of the events that happened.
fn happened<'p>(policy: &'p Policy, request: &Request, answer: &[(&str, &str)]) -> Vec<&'p str> {
    let outcome = outcome(policy, request, answer, Ended::default());
    let events = &policy.rollouts[0].events;
    outcome.events.iter().map(|place| &*events[place].name).collect()
}

fn post(path: &str) -> Request {
    request("POST", "shop.example.com", path, &[])
}

const PURCHASE: &str = r#"{"name": "purchase", "when": {"methods": ["POST"], "path_prefixes": ["/order"], "status": ["2xx", "302"]}}"#;
const SIGNUP: &str = r#"{"name": "signup", "response_header": "X-Canary-Event"}"#;

#[test]
fn an_event_happens_where_the_request_and_its_outcome_fit() {
    let policy = events(PURCHASE);
    let status = |path: &str, status: &str| happened(&policy, &post(path), &[(":status", status)]);
    assert_eq!(status("/order/7", "201"), ["purchase"]);
    assert_eq!(status("/order", "302"), ["purchase"]);
    assert_eq!(status("/order", "303"), Vec::<&str>::new());
    assert_eq!(status("/order", "503"), Vec::<&str>::new());
    assert_eq!(status("/cart", "200"), Vec::<&str>::new());
    assert_eq!(happened(&policy, &request("GET", "h", "/order", &[]), &OK), Vec::<&str>::new());
}

#[test]
fn an_event_without_a_status_happens_whatever_comes_of_the_request() {
    let policy = events(r#"{"name": "seen", "when": {}}, {"name": "dach", "when": {"geo": ["DE"]}}"#);
    assert_eq!(happened(&policy, &post("/"), &[(":status", "500")]), ["seen"]);
    assert_eq!(happened(&policy, &get(&[("x-geo-country", "de")]), &[]), ["seen", "dach"]);
}

#[test]
fn a_failed_call_of_grpc_is_no_success_for_an_event() {
    let policy = events(PURCHASE);
    let call = request("POST", "h", "/order", &[("content-type", "application/grpc")]);
    let with = |status| {
        let ended = Ended { grpc_status: Some(status), ..Ended::default() };
        outcome(&policy, &call, &OK, ended).events.iter().count()
    };
    assert_eq!((with("0"), with("13")), (1, 0));
}

#[test]
fn the_upstream_names_events_and_the_client_does_not_see_it() {
    let policy = events(&format!("{PURCHASE}, {SIGNUP}"));
    let answer = [OK[0], ("x-canary-event", "signup, purchase,unheard-of")];
    assert_eq!(happened(&policy, &get(&[]), &answer), ["signup"], "purchase is noticed otherwise");
    let (told, _) = run(&policy, &get(&[]), &answer, Ended::default());
    assert_eq!(told, ["-x-canary-event"]);
    assert_eq!(run(&policy, &get(&[]), &OK, Ended::default()).0, Vec::<String>::new());
    let sent = get(&[("x-canary-event", "signup")]);
    assert_eq!(happened(&policy, &sent, &OK), Vec::<&str>::new(), "a client names nothing");
}

#[test]
fn who_is_in_no_figure_has_no_events_and_the_header_is_kept_from_them_too() {
    let policy = with("", &format!(r#", "exclude": {{}}, "load_reports": true, "events": [{SIGNUP}]"#));
    let answer = [OK[0], ("x-canary-event", "signup"), ("endpoint-load-metrics", "TEXT cpu_utilization=1")];
    let (told, outcome) = run(&policy, &get(&[]), &answer, Ended::default());
    assert_eq!(told, ["-x-canary-event", "-endpoint-load-metrics"]);
    assert_eq!(outcome, None);
}

#[test]
fn the_outcome_of_a_grpc_call_is_its_grpc_status() {
    let policy = with("", "");
    let class = |format: &str, status: &str, grpc_status| {
        let ended = Ended { grpc_status, ..Ended::default() };
        let call = request("POST", "h", "/", &[("content-type", format)]);
        outcome(&policy, &call, &[(":status", status)], ended).class.as_str()
    };
    let grpc = |status| class("application/grpc", "200", Some(status));
    assert_eq!(grpc("0"), "2xx");
    assert_eq!(["2", "4", "13", "14", "15"].map(grpc), ["5xx"; 5], "the server's fault");
    assert_eq!(["1", "3", "5", "6", "7", "8", "9", "10", "11", "12", "16"].map(grpc), ["4xx"; 11]);
    assert_eq!(["17", "x", "00"].map(grpc), ["5xx"; 3], "as UNKNOWN");
    assert_eq!(class("application/grpc+proto", "200", Some("14")), "5xx");
    assert_eq!(class("application/grpc;charset=x", "200", Some("14")), "5xx");
    assert_eq!(class("application/grpc", "200", None), "none", "it broke off");
    assert_eq!(class("application/grpc", "503", Some("0")), "5xx", "no answer of gRPC at all");
    assert_eq!(class("application/grpc-web", "200", Some("14")), "2xx", "its trailers are in the body");
    assert_eq!(class("application/json", "200", Some("14")), "2xx");
}

#[test]
fn a_request_is_retried_from_the_second_attempt_on() {
    let policy = with("", "");
    let retried = |attempts| outcome(&policy, &get(&[]), &OK, Ended { attempts, ..Ended::default() }).retried;
    assert_eq!([None, Some(0), Some(1), Some(2), Some(9)].map(retried), [false, false, false, true, true]);
}

#[test]
fn a_request_goes_to_the_cluster_that_its_variant_names_or_elsewhere() {
    let went = |cluster, details| {
        let ended = Ended { is_sampled: true, cluster, details, ..Ended::default() };
        outcome(&with("", ""), &get(&[]), &OK, ended).went
    };
    assert_eq!(went(Some("v2"), None), Some(Went::AsNamed));
    assert_eq!(went(Some("v1"), None), Some(Went::Elsewhere));
    assert_eq!(went(Some(""), None), Some(Went::Elsewhere));
    assert_eq!(went(None, Some("route_not_found")), Some(Went::Elsewhere));
    assert_eq!(went(None, Some("cluster_not_found")), Some(Went::Elsewhere));
    assert_eq!(went(None, Some("direct_response")), None, "a redirect, say");
    assert_eq!(went(None, None), None);
}

#[test]
fn where_a_request_went_is_asked_only_where_it_can_be_told() {
    let ended = Ended { is_sampled: true, cluster: Some("v9"), ..Ended::default() };
    let went =
        |policy: &Policy, is_sampled| outcome(policy, &get(&[]), &OK, Ended { is_sampled, ..ended }).went;
    assert_eq!(went(&with("", ""), false), None);
    assert_eq!(went(&with("", r#", "observe": true"#), true), None, "nothing was routed");
    let nameless = r#"{"version": 1, "rollouts": [{"name": "r", "baseline": {"name": "stable"}, "variants": [{"name": "canary", "weight": 0}]}]}"#;
    assert_eq!(went(&policy(nameless), true), None, "no cluster is named");
}

#[test]
fn stats_tell_the_geos_that_a_policy_names_and_all_others_are_one() {
    let segments = r#", "segments": {"watched": {"geo": ["US", "de"]}, "not": {"not": {"any": [{"geo": ["FR", "*"]}]}}}"#;
    let policy =
        with(segments, r#", "rules": [{"name": "r", "when": {"geo": ["DE", "AT"]}, "variant": "canary"}]"#);
    let names: Vec<_> = policy.geos.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["AT", "DE", "FR", "US"]);
    let place = |headers: &[(&str, &str)]| {
        outcome(&policy, &get(headers), &OK, Ended::default()).geo.unwrap().place()
    };
    assert_eq!(place(&[("x-geo-country", "de")]), 1);
    assert_eq!(place(&[("x-geo-country", "US")]), 3);
    assert_eq!(
        [place(&[("x-geo-country", "GB")]), place(&[("x-geo-country", "\u{e9}")]), place(&[])],
        [4; 3]
    );
}

#[test]
fn where_a_policy_names_no_geo_or_reads_none_stats_tell_none() {
    let geo = |policy: &Policy| outcome(policy, &get(&[("x-geo-country", "DE")]), &OK, Ended::default()).geo;
    assert_eq!(geo(&with("", "")), None);
    let no_source = r#"{"version": 1, "segments": {"dach": {"geo": ["DE"]}}, "rollouts": [{"name": "r",
        "baseline": {"name": "stable"}, "variants": [{"name": "canary", "weight": 0}]}]}"#;
    assert_eq!(geo(&policy(no_source)), None);
}

#[test]
fn the_duration_is_from_request_to_response_in_whole_milliseconds() {
    let policy = with("", "");
    let duration = |began: Option<u64>, now: Option<u64>| {
        let (mut exchange, _) = Exchange::on_request(&policy, &get(&[]), Ambient::at(0));
        exchange.begin(&policy, || began.map(Moment));
        exchange.on_response(&policy, || now.map(Moment), response(&OK)).duration_ms
    };
    assert_eq!(duration(Some(1_000_000), Some(43_400_000)), Some(42));
    assert_eq!(duration(Some(0), Some(500_000)), Some(1));
    assert_eq!(duration(Some(0), Some(499_999)), Some(0));
    assert_eq!(duration(Some(9_000_000), Some(1)), Some(0), "no clock goes back; this one did");
    assert_eq!([duration(None, Some(5)), duration(Some(5), None)], [None; 2]);
}

#[test]
fn load_reports_are_read_and_kept_from_the_client_where_that_is_asked_for() {
    let answer = |report| [OK[0], ("endpoint-load-metrics", report)];
    let load = |policy: &Policy, report| {
        let (mut exchange, _) = Exchange::on_request(policy, &get(&[]), Ambient::at(0));
        let plan = exchange.on_response(policy, || None, response(&answer(report)));
        (plan.load, plan.more.iter().filter_map(change).collect::<Vec<_>>())
    };
    let asked = with("", r#", "load_reports": true"#);
    let removed = vec!["-endpoint-load-metrics".to_owned()];
    let half = LoadReport { cpu: Some(500), memory: None };
    assert_eq!(load(&asked, "TEXT cpu_utilization=0.5"), (Some(Ok(half)), removed.clone()));
    assert_eq!(load(&asked, "high"), (Some(Err(Malformed)), removed));
    assert_eq!(load(&with("", ""), "TEXT cpu_utilization=0.5"), (None, vec![]));
}

#[test]
fn a_draw_tells_its_weights_and_a_pin_has_none() {
    let rules = r#", "rules": [{"name": "qa", "when": {"header": {"name": "x-qa", "present": true}}, "variant": "canary"},
        {"name": "dach", "when": {"geo": ["DE"]}, "weights": {"canary": 40}}]"#;
    let policy = with("", rules).rollouts[0].clone();
    let whole = with("", rules);
    let shares = |headers: &[(&str, &str)]| {
        let (_, plan) = Exchange::on_request(&whole, &get(headers), Ambient::at(0));
        plan.decision
            .split
            .map(|split| policy.shares(split, &NOTHING).map(|(_, ppm)| ppm).collect::<Vec<_>>())
    };
    assert_eq!(shares(&[("x-user-id", "a")]), Some(vec![0, 1_000_000]));
    assert_eq!(shares(&[("x-user-id", "a"), ("x-geo-country", "DE")]), Some(vec![600_000, 400_000]));
    assert_eq!(shares(&[("x-user-id", "a"), ("x-qa", "1")]), None);
    assert_eq!(shares(&[]), None, "everyone follows: nothing is drawn");
}

#[test]
fn what_is_rolled_back_is_expected_of_the_baseline() {
    let policy = policy(
        r#"{"version": 1, "identity": [{"header": "x-user-id"}], "rollouts": [{"name": "r", "baseline": {"name": "stable"},
            "variants": [{"name": "a", "weight": 10}, {"name": "b", "weight": 30}]}], "state": {"r": {"rolled_back": ["b"]}}}"#,
    );
    let (_, plan) = Exchange::on_request(&policy, &get(&[("x-user-id", "x")]), Ambient::at(0));
    let shares = policy.rollouts[0].shares(plan.decision.split.unwrap(), &NOTHING).map(|(_, ppm)| ppm);
    assert_eq!(shares.collect::<Vec<_>>(), [900_000, 100_000, 0]);
}

/// An exchange that is asked for nothing.
struct Silent;
impl End for Silent {
    fn is_sampled(&self) -> bool {
        panic!("asked")
    }
    fn grpc_status(&self) -> Option<Vec<u8>> {
        panic!("asked")
    }
    fn attempts(&self) -> Option<u64> {
        panic!("asked")
    }
    fn cluster(&self) -> Option<Vec<u8>> {
        panic!("asked")
    }
    fn details(&self) -> Option<Vec<u8>> {
        panic!("asked")
    }

    fn moment(&self) -> Option<Moment> {
        panic!("asked")
    }
}

#[test]
fn what_is_switched_off_is_not_asked_for() {
    let off = with(
        r#", "stats": {"durations": false, "geos": false, "retries": false, "routes": false, "splits": false},
            "segments": {"watched": {"geo": ["DE"]}}"#,
        "",
    );
    let (mut exchange, plan) = Exchange::on_request(&off, &get(&[("x-user-id", "a")]), Ambient::at(0));
    assert!(plan.draw.is_none() && plan.decision.geo.is_none() && plan.counted);
    exchange.begin(&off, || panic!("asked"));
    assert_eq!(exchange.on_response(&off, || panic!("asked"), response(&OK)).duration_ms, None);
    let outcome = exchange.on_end(&off, &Silent).unwrap();
    assert_eq!((outcome.class.as_str(), outcome.retried, outcome.went), ("2xx", false, None));
}

/// Everyone is drawn: half of them are on the canary, which is watched.
fn watched(count: &str) -> Policy {
    let text = r#"{"version": 1, "identity": [{"header": "x-user-id"}], "rollouts": [{"name": "r", "match": {"path_prefixes": ["/"]}, "baseline": {"name": "stable"},
        "variants": [{"name": "canary", "weight": 50}], "rules": [{"name": "qa", "when": {"header": {"name": "x-qa", "present": true}}, "variant": "canary"}],
        "guardrail": {"errors": {}COUNT}}]}"#;
    policy(&text.replace("COUNT", count))
}

fn judged(policy: &Policy, request: &Request, status: &str, ended: Ended) -> Option<Judged> {
    outcome(policy, request, &[(":status", status)], ended).judged
}

#[test]
fn what_the_upstream_did_wrong_is_a_failure_and_nothing_else() {
    let policy = watched("");
    let failed = |status: &str, details| {
        let ended = Ended { details: Some(details), ..Ended::default() };
        judged(&policy, &get(&[("x-user-id", "a")]), status, ended).unwrap().failed
    };
    for details in [
        "via_upstream",
        "upstream_reset_before_response_started{connection_termination}",
        "upstream_response_timeout",
        "no_healthy_upstream",
        "cluster_not_found",
    ] {
        assert!(failed("503", details), "{details}");
    }
    for details in ["ext_authz_error", "direct_response", "rate_limited", "overload"] {
        assert!(!failed("503", details), "{details}");
    }
    assert!(
        !failed("404", "via_upstream") && !failed("429", "via_upstream") && !failed("200", "via_upstream")
    );
    let silent = judged(&policy, &get(&[("x-user-id", "a")]), "503", Ended::default());
    assert!(silent.unwrap().failed, "who does not say is believed to be the upstream");
    let retried = Ended { attempts: Some(2), ..Ended::default() };
    assert!(
        judged(&policy, &get(&[("x-user-id", "a")]), "200", retried).unwrap().failed,
        "hidden by a retry"
    );
}

#[test]
fn a_grpc_call_fails_by_its_status_and_one_that_breaks_off_by_whose_fault_it_was() {
    let policy = watched("");
    let call = request("POST", "h", "/", &[("content-type", "application/grpc"), ("x-user-id", "a")]);
    let failed = |grpc_status, details| {
        judged(&policy, &call, "200", Ended { grpc_status, details: Some(details), ..Ended::default() })
            .unwrap()
            .failed
    };
    assert!(
        failed(Some("13"), "via_upstream")
            && !failed(Some("5"), "via_upstream")
            && !failed(Some("0"), "via_upstream")
    );
    assert!(failed(None, "upstream_reset_after_response_started{remote_reset}"));
    assert!(!failed(None, "downstream_remote_disconnect"), "the client went away");
}

#[test]
fn only_who_was_drawn_and_may_count_is_judged() {
    let counts = |count: &str, headers: &[(&str, &str)]| {
        judged(&watched(count), &get(headers), "200", Ended::default()).is_some()
    };
    assert!(counts("", &[("x-user-id", "a")]));
    assert!(!counts("", &[("x-qa", "1"), ("x-user-id", "a")]), "pinned");
    assert!(!counts("", &[]), "no identity: the baseline's, undrawn");
    let count = r#", "count": {"header": {"name": "x-verified", "present": true}}"#;
    assert!(
        counts(count, &[("x-user-id", "a"), ("x-verified", "1")]) && !counts(count, &[("x-user-id", "a")])
    );
    let unwatched = outcome(&with("", ""), &get(&[("x-user-id", "a")]), &OK, Ended::default());
    assert_eq!(unwatched.judged, None);
}

#[test]
fn who_goes_away_without_an_answer_has_waited_until_then() {
    let policy = watched("");
    let (mut exchange, _) = Exchange::on_request(&policy, &get(&[("x-user-id", "a")]), Ambient::at(0));
    exchange.begin(&policy, || Some(Moment(1_000_000)));
    let ended = Ended { moment: Some(31_000_000), ..Ended::default() };
    let judged = exchange.on_end(&policy, &ended).unwrap().judged.unwrap();
    assert!(!judged.answered && !judged.failed);
    assert_eq!(judged.took.map(Elapsed::micros), Some(30_000));
}

#[test]
fn the_guardrail_measures_though_the_figure_is_switched_off() {
    let text = r#"{"version": 1, "stats": {"durations": false, "retries": false}, "identity": [{"header": "x-user-id"}], "rollouts": [{"name": "r",
        "baseline": {"name": "stable"}, "variants": [{"name": "canary", "weight": 50}], "guardrail": {"latency": {}}}]}"#;
    let policy = policy(text);
    let (mut exchange, _) = Exchange::on_request(&policy, &get(&[("x-user-id", "a")]), Ambient::at(0));
    exchange.begin(&policy, || Some(Moment(0)));
    let plan = exchange.on_response(&policy, || Some(Moment(7_000_000)), response(&OK));
    assert_eq!(plan.duration_ms, None);
    let outcome = exchange.on_end(&policy, &Ended { attempts: Some(3), ..Ended::default() }).unwrap();
    assert!(!outcome.retried && outcome.judged.unwrap().failed);
    assert_eq!(outcome.judged.unwrap().took.map(Elapsed::micros), Some(7_000));
}
