//! Stamps and baggage along a call graph, and rollouts that only observe.

use crate::support::{Ended, OK, Request, change, get, policy, response};
use canary_core::decide::{Ambient, decide};
use canary_core::exchange::{Change, Exchange};
use canary_core::policy::Policy;

fn with(top: &str, rollout: &str) -> Policy {
    policy(&format!(
        r#"{{"version": 1, "identity": [{{"header": "x-user-id"}}]{top}, "rollouts": [{{"name": "r", "match": {{"hosts": ["shop.example.com"]}},
            "baseline": {{"name": "stable"}}, "variants": [{{"name": "canary", "weight": 0}}, {{"name": "beta", "weight": 0}}]{rollout}}}]}}"#
    ))
}

fn decided(policy: &Policy, headers: &[(&str, &str)]) -> String {
    let decision = decide(policy, &get(headers), Ambient::at(0));
    format!("{} {}", decision.variant.unwrap().name, decision.reason.as_str())
}

/// Every change to a request's headers.
fn changes(policy: &Policy, request: &Request) -> Vec<String> {
    let (_, plan) = Exchange::on_request(policy, request, Ambient::at(0));
    plan.stamps.iter().chain(&plan.more).filter_map(change).collect()
}

const INNER: &str = r#", "role": "inner", "stamp": {"baggage": true}"#;
const STAMPED: [(&str, &str); 3] =
    [("x-user-id", "ann"), ("x-deployment-rollout", "r"), ("x-deployment-variant", "canary")];

#[test]
fn an_inner_proxy_follows_the_stamp_where_the_policy_says_when() {
    let trusting = with(INNER, r#", "trust_inbound": {"header": {"name": "x-from", "equals": "gateway"}}"#);
    let from_gateway = [&STAMPED[..], &[("x-from", "gateway")]].concat();
    assert_eq!(decided(&trusting, &from_gateway), "canary INBOUND");
    assert_eq!(decided(&trusting, &STAMPED), "stable SPLIT", "from someone else");
    assert_eq!(decided(&with(INNER, ""), &from_gateway), "stable SPLIT", "nobody is trusted");
}

#[test]
fn only_a_stamp_of_this_rollout_and_of_a_known_variant_is_followed() {
    let trusting = with(INNER, r#", "trust_inbound": {}"#);
    for (rollout, variant, decision) in [
        ("r", "beta", "beta INBOUND"),
        ("r", "stable", "stable INBOUND"),
        ("r", "gamma", "stable SPLIT"),
        ("r", "", "stable SPLIT"),
        ("s", "canary", "stable SPLIT"),
        ("", "canary", "stable SPLIT"),
    ] {
        let headers =
            [("x-user-id", "ann"), ("x-deployment-rollout", rollout), ("x-deployment-variant", variant)];
        assert_eq!(decided(&trusting, &headers), decision, "{rollout} {variant}");
    }
}

#[test]
fn without_a_stamp_the_baggage_is_followed() {
    let trusting = with(INNER, r#", "trust_inbound": {}"#);
    let baggage = |value: &str| decided(&trusting, &[("x-user-id", "ann"), ("baggage", value)]);
    assert_eq!(baggage("user=1,deployment-variant=r:beta;p=1"), "beta INBOUND");
    assert_eq!(baggage("deployment-variant=s:canary"), "stable SPLIT");
    let without = with(r#", "role": "inner""#, r#", "trust_inbound": {}"#);
    assert_eq!(
        decided(&without, &[("x-user-id", "ann"), ("baggage", "deployment-variant=r:beta")]),
        "stable SPLIT"
    );
}

#[test]
fn what_was_rolled_back_stays_so_whatever_an_outer_proxy_says() {
    let text = r#"{"version": 1, "role": "inner", "rollouts": [{"name": "r", "baseline": {"name": "stable"}, "trust_inbound": {},
        "variants": [{"name": "canary", "weight": 0}]}], "state": {"r": {"rolled_back": ["canary"]}}}"#;
    assert_eq!(decided(&policy(text), &STAMPED), "stable ROLLED_BACK");
}

#[test]
fn baggage_carries_the_decision_and_other_members_stay() {
    let edge = with(r#", "stamp": {"baggage": true, "rollout_header": null, "cluster_header": null}"#, "");
    assert_eq!(
        changes(&edge, &get(&[])),
        ["x-deployment-variant=stable", "baggage=deployment-variant=r:stable"]
    );
    let sent = get(&[("baggage", "user=1, deployment-variant=r:canary, deployment-variant=s:x")]);
    assert_eq!(
        changes(&edge, &sent)[1],
        "baggage=user=1,deployment-variant=r:stable",
        "an edge believes no member of ours"
    );
    let inner = with(r#", "role": "inner", "stamp": {"baggage": true}"#, "");
    assert_eq!(
        changes(&inner, &sent).last().unwrap(),
        "baggage=user=1,deployment-variant=s:x,deployment-variant=r:stable"
    );
}

#[test]
fn baggage_on_several_lines_is_one_list() {
    let edge = with(r#", "stamp": {"baggage": true}"#, "");
    let lines = [("baggage", "a=1"), ("baggage", "deployment-variant=r:canary,b=2")];
    assert_eq!(changes(&edge, &get(&lines)).last().unwrap(), "baggage=a=1,b=2,deployment-variant=r:stable");
    assert_eq!(changes(&edge, &crate::support::request("GET", "other", "/", &lines)), ["baggage=a=1,b=2"]);
}

#[test]
fn where_no_rollout_matches_an_edge_takes_our_members_out_and_an_inner_proxy_leaves_them() {
    let elsewhere = |baggage: &str| crate::support::request("GET", "other", "/", &[("baggage", baggage)]);
    let edge = with(r#", "stamp": {"baggage": true}"#, "");
    assert_eq!(changes(&edge, &elsewhere("a=1,deployment-variant=r:canary")), ["baggage=a=1"]);
    assert_eq!(changes(&edge, &elsewhere("deployment-variant=r:canary")), ["-baggage"]);
    assert_eq!(
        changes(&edge, &elsewhere("a=1, b=2")),
        Vec::<String>::new(),
        "nothing to take out, no host call"
    );
    assert_eq!(changes(&with(INNER, ""), &elsewhere("deployment-variant=r:canary")), Vec::<String>::new());
}

#[test]
fn where_a_rollout_only_observes_nothing_is_stamped_and_all_is_counted() {
    let policy = policy(
        r#"{"version": 1, "stamp": {"baggage": true}, "rollouts": [{"name": "r", "observe": true, "baseline": {"name": "stable"},
            "variants": [{"name": "canary", "weight": 100}], "flags": [{"name": "f", "percent": 100}]}]}"#,
    );
    let (mut exchange, plan) = Exchange::on_request(&policy, &get(&[]), Ambient::at(0));
    assert_eq!(
        (plan.decision.variant.unwrap().name.as_ref(), plan.counted, plan.log),
        ("canary", true, true)
    );
    assert_eq!(changes(&policy, &get(&[])), Vec::<String>::new());
    assert_eq!(exchange.on_response(&policy, || None, response(&OK)).stamp, Change::Leave);
    assert_eq!(
        exchange.on_end(&policy, &Ended::default()).map(|outcome| outcome.class.as_str()),
        Some("2xx")
    );
    let pretender = get(&[
        ("x-deployment-variant", "canary"),
        ("x-feature-flags", "f"),
        ("baggage", "deployment-variant=r:canary"),
    ]);
    assert_eq!(
        changes(&policy, &pretender),
        ["-x-deployment-variant", "-x-feature-flags", "-baggage"],
        "an edge is one all the same"
    );
}
