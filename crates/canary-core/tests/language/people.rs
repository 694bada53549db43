//! Who is meant: segments, networks, claims, identities that are none, and who is left out.

use crate::support::{Ended, OK, Request, decided, get, policy, request, response};
use canary_core::bucket::Salt;
use canary_core::decide::{Ambient, decide};
use canary_core::exchange::Exchange;
use canary_core::policy::Policy;

/// A policy with these fields at its top, and these rules; everyone else is on stable.
fn with(top: &str, rules: &str) -> Policy {
    policy(&format!(
        r#"{{"version": 1, "identity": [{{"header": "x-user-id"}}, {{"cookie": "uid"}}]{top}, "rollouts": [{{"name": "r",
            "baseline": {{"name": "stable"}}, "variants": [{{"name": "canary", "weight": 0}}], "rules": [{rules}]}}]}}"#
    ))
}

/// A rule that pins to the canary when this holds.
fn pin(when: &str) -> String {
    format!(r#"{{"name": "pin", "when": {{{when}}}, "variant": "canary"}}"#)
}

fn is_pinned(policy: &Policy, request: &Request) -> bool {
    decided(policy, request) == "r canary TARGETING_MATCH pin -"
}

fn user(id: &str) -> Request {
    get(&[("x-user-id", id)])
}

#[test]
fn a_segment_stands_for_its_condition_wherever_it_is_used() {
    let segments = r#", "segments": {"beta": {"identity": ["ann", "bob"]}, "staff": {"header": {"name": "x-staff", "present": true}},
        "insiders": {"any": [{"segment": "beta"}, {"segment": "staff"}]}}"#;
    let beta = with(segments, &pin(r#""segment": "beta""#));
    assert!(is_pinned(&beta, &user("ann")) && !is_pinned(&beta, &user("eve")));
    let insiders = with(segments, &pin(r#""segment": "insiders", "methods": ["GET"]"#));
    assert!(is_pinned(&insiders, &user("bob")));
    assert!(is_pinned(&insiders, &get(&[("x-staff", "1")])));
    assert!(!is_pinned(&insiders, &request("POST", "h", "/", &[("x-user-id", "bob")])));
    let others = with(segments, &pin(r#""not": {"segment": "insiders"}"#));
    assert!(is_pinned(&others, &user("eve")) && !is_pinned(&others, &user("ann")));
}

#[test]
fn segments_made_of_segments_cost_no_more_than_there_are() {
    // Without memory this would be 2^15 evaluations of the first one.
    let segment = |i: usize| {
        format!(
            r#""s{i:02}": {{"any": [{{"not": {{"segment": "s{0:02}"}}}}, {{"segment": "s{0:02}"}}]}}"#,
            i - 1
        )
    };
    let segments: Vec<String> = (1..16).map(segment).collect();
    let top = format!(r#", "segments": {{"s00": {{"identity": ["x"]}}, {}}}"#, segments.join(","));
    let policy = with(&top, &pin(r#""segment": "s15""#));
    for _ in 0..10_000 {
        assert!(is_pinned(&policy, &user("ann")));
    }
}

#[test]
fn a_list_of_hashes_knows_its_users_and_names_none() {
    let hash =
        |segment: &str, id: &str| format!("{:016x}", Salt::new(segment).key().last(id.as_bytes()).get());
    let segments = format!(
        r#", "segments": {{"beta": {{"identity_hashes": ["{}", "{}"]}}}}"#,
        hash("beta", "ann"),
        hash("beta", "bob").to_uppercase()
    );
    let policy = with(&segments, &pin(r#""segment": "beta""#));
    assert!(is_pinned(&policy, &user("ann")) && is_pinned(&policy, &user("bob")));
    assert!(!is_pinned(&policy, &user("eve")) && !is_pinned(&policy, &get(&[])));
    let other = with(&segments.replace("\"beta\"", "\"gamma\""), &pin(r#""segment": "gamma""#));
    assert!(!is_pinned(&other, &user("ann")), "the segment's name is the salt");
}

#[test]
fn a_network_holds_by_the_source_address() {
    let policy = with("", &pin(r#""source": ["10.0.0.0/8", "2001:db8::/32"]"#));
    let from = |source: &str| Request { source: Some(source.to_owned()), ..get(&[]) };
    for inside in ["10.1.2.3:4711", "10.255.0.1", "[2001:db8::1]:443", "2001:db8:1::2"] {
        assert!(is_pinned(&policy, &from(inside)), "{inside}");
    }
    for outside in ["11.0.0.1:80", "[2001:db9::1]:443", "", "/var/run/socket", "10.0.0"] {
        assert!(!is_pinned(&policy, &from(outside)), "{outside}");
    }
    assert!(!is_pinned(&policy, &get(&[])));
}

#[test]
fn a_claim_is_a_text_or_a_list_of_them() {
    // {"groups":["beta","qa"],"tier":"gold","n":7,"admin":true}
    let token = "Bearer e30.eyJncm91cHMiOlsiYmV0YSIsInFhIl0sInRpZXIiOiJnb2xkIiwibiI6NywiYWRtaW4iOnRydWV9.s";
    let holds = |claim: &str| {
        is_pinned(&with("", &pin(&format!(r#""jwt": {claim}"#))), &get(&[("authorization", token)]))
    };
    assert!(holds(r#"{"claim": "groups", "one_of": ["ops", "qa"]}"#));
    assert!(holds(r#"{"claim": "groups", "equals": "beta"}"#));
    assert!(holds(r#"{"claim": "tier", "prefix": "go"}"#));
    assert!(holds(r#"{"claim": "n", "equals": "7"}"#));
    assert!(holds(r#"{"claim": "admin", "equals": "true"}"#));
    assert!(holds(r#"{"claim": "groups", "present": true}"#));
    assert!(holds(r#"{"claim": "none", "present": false}"#));
    assert!(!holds(r#"{"claim": "groups", "equals": "beta,qa"}"#));
    assert!(!holds(r#"{"claim": "none", "equals": ""}"#));
    let absent = with("", &pin(r#""jwt": {"claim": "groups", "present": false}"#));
    assert!(is_pinned(&absent, &get(&[])) && is_pinned(&absent, &get(&[("authorization", "Basic x")])));
}

#[test]
fn a_value_that_stands_for_no_identity_is_none_and_the_next_source_is_asked() {
    let policy = with(r#", "ignore_identities": ["null", "-"]"#, &pin(r#""identity": ["ann"]"#));
    assert!(is_pinned(&policy, &get(&[("x-user-id", "null"), ("cookie", "uid=ann")])));
    assert_eq!(decided(&policy, &user("-")), "r stable ANONYMOUS - -");
    assert!(decided(&policy, &user("Null")).starts_with("r stable SPLIT"), "bytes are compared as they are");
}

#[test]
fn who_is_excluded_gets_the_baseline_and_is_in_no_figure() {
    let exclude = r#", "exclude": {"path_prefixes": ["/healthz"]}"#;
    let everyone = with(exclude, &pin(""));
    let health = request("GET", "h", "/healthz", &[("x-user-id", "ann")]);
    assert_eq!(decided(&everyone, &health), "r stable EXCLUDED - -");
    let (mut exchange, plan) = Exchange::on_request(&everyone, &health, Ambient::at(0));
    assert!(!plan.counted);
    exchange.on_response(&everyone, || None, response(&OK));
    assert_eq!(exchange.on_end(&everyone, &Ended::default()), None);
    let (mut exchange, plan) = Exchange::on_request(&everyone, &user("ann"), Ambient::at(0));
    assert!(plan.counted && exchange.on_end(&everyone, &Ended::default()).is_some());
}

#[test]
fn a_rollout_has_exclusions_of_its_own_and_a_disabled_one_stays_disabled() {
    let rollout = |fields: &str| {
        policy(&format!(
            r#"{{"version": 1, "rollouts": [{{"name": "r", "baseline": {{"name": "stable"}}, "variants": [{{"name": "canary", "weight": 100}}],
                "exclude": {{"header": {{"name": ":authority", "suffix": "-shadow"}}}}{fields}}}]}}"#
        ))
    };
    let reason = |policy: &Policy, host: &str| {
        decide(policy, &request("GET", host, "/", &[]), Ambient::at(0)).reason.as_str()
    };
    assert_eq!(reason(&rollout(""), "shop-shadow"), "EXCLUDED");
    assert_eq!(reason(&rollout(""), "shop"), "ANONYMOUS");
    assert_eq!(reason(&rollout(r#", "enabled": false"#), "shop-shadow"), "DISABLED");
}
