//! What is done to requests and responses.

use crate::support::{Ended, Request, change, get, policy};
use canary_core::code_class::CodeClass;
use canary_core::decide::Ambient;
use canary_core::exchange::{Exchange, RequestPlan};
use canary_core::policy::Policy;

fn with(fields: &str, rollout: &str) -> Policy {
    policy(&format!(
        r#"{{"version": 1, "identity": [{{"header": "x-user-id"}}]{fields}, "rollouts": [{{"name": "r",
            "match": {{"hosts": ["shop.example.com"]}}, "baseline": {{"name": "stable"}},
            "variants": [{{"name": "canary", "cluster": "v2", "weight": 100}}]{rollout}}}]}}"#
    ))
}

fn stamps(policy: &Policy, request: &Request) -> Vec<String> {
    let (_, plan) = begin(policy, request);
    plan.stamps.iter().chain(&plan.more).filter_map(change).collect()
}

fn begin<'p>(policy: &'p Policy, request: &Request) -> (Exchange, RequestPlan<'p>) {
    Exchange::on_request(policy, request, Ambient::at(0))
}

/// What a response with this status is told; it is read for nothing else.
fn stamp(exchange: &mut Exchange, policy: &Policy, status: &str) -> Option<String> {
    let plan = exchange.on_response(
        policy,
        || None,
        |name| {
            assert_eq!(name, ":status");
            Some(status.as_bytes().to_vec())
        },
    );
    assert!(plan.more.is_empty() && plan.load.is_none() && plan.duration_ms.is_none());
    change(&plan.stamp)
}

const SPOOFED: [(&str, &str); 4] = [
    ("x-deployment-variant", "canary"),
    ("x-deployment-rollout", "r"),
    ("x-deployment-cluster", "v9"),
    ("x-user-id", "alice"),
];

fn elsewhere(headers: &[(&str, &str)]) -> Request {
    crate::support::request("GET", "other", "/", headers)
}

#[test]
fn a_decision_is_stamped_over_whatever_came() {
    let stamped = ["x-deployment-variant=canary", "x-deployment-rollout=r", "x-deployment-cluster=v2"];
    assert_eq!(stamps(&with("", ""), &get(&[])), stamped);
    assert_eq!(stamps(&with("", ""), &get(&SPOOFED)), stamped);
}

#[test]
fn a_cluster_that_the_variant_does_not_name_is_removed() {
    let policy = with("", r#", "enabled": false"#);
    let stamped = ["x-deployment-variant=stable", "x-deployment-rollout=r"];
    assert_eq!(stamps(&policy, &get(&[])), stamped);
    assert_eq!(stamps(&policy, &get(&SPOOFED))[..2], stamped);
    assert_eq!(stamps(&policy, &get(&SPOOFED))[2], "-x-deployment-cluster");
}

#[test]
fn an_edge_removes_what_a_client_sent_where_no_rollout_matches() {
    let removed = ["-x-deployment-variant", "-x-deployment-rollout", "-x-deployment-cluster"];
    assert_eq!(stamps(&with("", ""), &elsewhere(&SPOOFED)), removed);
    assert_eq!(stamps(&policy(""), &elsewhere(&SPOOFED)), removed);
    assert_eq!(
        stamps(&with("", ""), &elsewhere(&[])),
        Vec::<String>::new(),
        "nothing to remove, no host call"
    );
}

#[test]
fn an_inner_proxy_leaves_stamps_alone_unless_a_rollout_decides() {
    let policy = with(r#", "role": "inner""#, r#", "enabled": false"#);
    assert_eq!(stamps(&policy, &elsewhere(&SPOOFED)), Vec::<String>::new());
    assert_eq!(stamps(&policy, &get(&SPOOFED)).len(), 3);
}

#[test]
fn stamps_have_the_names_that_the_policy_gives_or_are_off() {
    let policy = with(
        r#", "stamp": {"request_header": "X-Side", "rollout_header": null, "cluster_header": null,
            "response_header": null, "filter_state": false}"#,
        "",
    );
    assert_eq!(stamps(&policy, &get(&SPOOFED)), ["x-side=canary"]);
    let (mut exchange, plan) = begin(&policy, &get(&[]));
    assert!(!plan.log);
    assert_eq!(stamp(&mut exchange, &policy, "200"), None);
}

#[test]
fn the_parts_of_a_decision_are_logged_one_by_one_where_that_is_asked_for() {
    let asked = with(r#", "stamp": {"filter_state": false, "filter_state_fields": true}"#, "");
    let (_, plan) = begin(&asked, &get(&[("x-user-id", "alice")]));
    assert!(plan.log_fields && !plan.log);
    let fields = plan.decision.fields().map(|(name, value)| format!("{name}={value}"));
    let whole = fields.map(|field| field.replacen("canary.", "", 1)).join(" ");
    assert_eq!(whole, plan.decision.to_string());
    assert!(!begin(&with("", ""), &get(&[])).1.log_fields);
    assert!(!begin(&asked, &elsewhere(&[])).1.log_fields, "nothing was decided");
}

#[test]
fn the_response_says_which_variant_served_and_is_counted_once() {
    let policy = with("", "");
    let (mut exchange, plan) = begin(&policy, &get(&[]));
    assert!(plan.log && exchange.is_served());
    assert_eq!(stamp(&mut exchange, &policy, "503").as_deref(), Some("x-deployment-variant=canary"));
    let rollout = &policy.rollouts[0];
    let outcome = exchange.on_end(&policy, &Ended::default()).unwrap();
    assert_eq!((outcome.rollout, outcome.variant), (rollout.id, rollout.variants[1].id));
    assert_eq!(outcome.class, CodeClass::ServerError);
    assert_eq!(exchange.on_end(&policy, &Ended::default()), None);
}

#[test]
fn an_exchange_without_a_response_has_no_class() {
    let policy = with("", "");
    let (mut exchange, _) = begin(&policy, &get(&[]));
    assert_eq!(
        exchange.on_end(&policy, &Ended::default()).map(|outcome| outcome.class),
        Some(CodeClass::None)
    );
}

#[test]
fn an_exchange_that_no_rollout_decided_is_left_alone() {
    let policy = with("", "");
    let (mut exchange, plan) = begin(&policy, &elsewhere(&[]));
    assert!(!plan.log && !exchange.is_served());
    assert_eq!(stamp(&mut exchange, &policy, "200"), None);
    assert_eq!(exchange.on_end(&policy, &Ended::default()), None);
    let unbegun = Exchange::default().on_end(&policy, &Ended::default());
    assert_eq!(unbegun, None, "a filter ahead replied: there was no request");
}

#[test]
fn classes_come_from_three_digits() {
    let class = |status: &str| CodeClass::of(CodeClass::code(status.as_bytes())).as_str();
    assert_eq!(["101", "200", "304", "499", "503"].map(class), ["1xx", "2xx", "3xx", "4xx", "5xx"]);
    assert_eq!(["", "20", "2000", "099", "600", "2x0", "abc"].map(class), ["none"; 7]);
}
