//! What the policy language means: one test, one rule.

use crate::support::{Request, decided, drawn, get, policy, request, variant, with_rollouts};
use canary_core::decide::{Ambient, decide};
use canary_core::rollback::NOTHING;

const CHECKOUT: &str = r#"{
    "name": "checkout",
    "baseline": {"name": "stable", "cluster": "checkout-v1"},
    "variants": [{"name": "canary", "cluster": "checkout-v2", "weight": 5}],
    "rules": [
        {"name": "employees", "when": {"header": {"name": "x-employee", "equals": "true"}}, "variant": "canary"},
        {"name": "dach", "when": {"geo": ["DE", "AT", "CH"]}, "weights": {"canary": 20}},
        {"name": "france-off", "when": {"geo": ["FR"]}, "variant": "stable"}
    ]
}"#;

fn user(id: &str, geo: &str) -> Request {
    get(&[("x-user-id", id), ("x-geo-country", geo)])
}

/// One rollout with these fields, at these weights of `canary` and `beta`.
fn rollout(name: &str, canary: &str, beta: &str, fields: &str) -> String {
    format!(
        r#"{{"name": "{name}", "baseline": {{"name": "stable"}}, "variants":
            [{{"name": "canary", "weight": {canary}}}, {{"name": "beta", "weight": {beta}}}]{fields}}}"#
    )
}

// The split

#[test]
fn the_bucket_of_identity_and_geo_decides() {
    // The golden vector: salt checkout, alice in DE, bucket 29377.
    let policy = with_rollouts(CHECKOUT);
    assert_eq!(decided(&policy, &user("alice", "DE")), "checkout canary SPLIT dach 29377");
    assert_eq!(decided(&policy, &user("alice", "de")), "checkout canary SPLIT dach 29377");
    assert_eq!(decided(&policy, &user("alice", "")), "checkout stable SPLIT - 471720");
}

#[test]
fn the_bucket_of_the_identity_alone_ignores_the_geo() {
    let checkout = CHECKOUT.replacen("\"baseline\"", r#""bucket_by": ["identity"], "baseline""#, 1);
    let policy = with_rollouts(&checkout);
    assert_eq!(decided(&policy, &user("alice", "US")), "checkout stable SPLIT - 960645");
    assert_eq!(decided(&policy, &user("alice", "JP")), "checkout stable SPLIT - 960645");
}

#[test]
fn a_policy_without_geo_sources_buckets_by_identity() {
    let text =
        format!(r#"{{"version": 1, "identity": [{{"header": "x-user-id"}}], "rollouts": [{CHECKOUT}]}}"#);
    assert_eq!(decided(&policy(&text), &user("alice", "DE")), "checkout stable SPLIT - 960645");
}

#[test]
fn a_release_draws_new_users_and_a_salt_keeps_them() {
    let bucket =
        |fields: &str| decided(&with_rollouts(&rollout("checkout", "5", "5", fields)), &user("alice", "DE"));
    let v1 = bucket(r#", "release": "v1""#);
    assert_ne!(v1, bucket(r#", "release": "v2""#));
    assert_ne!(v1, bucket(""));
    assert_eq!(v1, bucket(r#", "salt": "checkout/v1""#));
    assert_eq!(bucket(r#", "salt": "s", "release": "v1""#), bucket(r#", "salt": "s", "release": "v2""#));
}

// Rules

#[test]
fn a_pin_needs_no_identity_and_draws_no_bucket() {
    let policy = with_rollouts(CHECKOUT);
    assert_eq!(
        decided(&policy, &get(&[("x-employee", "true")])),
        "checkout canary TARGETING_MATCH employees -"
    );
    assert_eq!(decided(&policy, &user("alice", "FR")), "checkout stable TARGETING_MATCH france-off -");
}

#[test]
fn the_first_rule_that_holds_decides() {
    let policy = with_rollouts(CHECKOUT);
    let request = get(&[("x-user-id", "alice"), ("x-geo-country", "FR"), ("x-employee", "true")]);
    assert_eq!(decided(&policy, &request), "checkout canary TARGETING_MATCH employees -");
}

#[test]
fn a_rule_with_weights_leaves_the_other_variants_theirs() {
    let rules = r#", "rules": [{"name": "de", "when": {"geo": ["DE"]}, "weights": {"canary": 40}}]"#;
    let policy = with_rollouts(&rollout("r", "0", "50", rules));
    let sides =
        |geo| (0..500).map(|i| variant(&policy, &user(&format!("u{i}"), geo)).to_owned()).collect::<Vec<_>>();
    let count = |sides: &[String], name: &str| sides.iter().filter(|side| *side == name).count();
    let (de, us) = (sides("DE"), sides("US"));
    assert!(count(&us, "canary") == 0 && (200..300).contains(&count(&us, "beta")));
    assert!((150..250).contains(&count(&de, "canary")) && (200..300).contains(&count(&de, "beta")));
}

macro_rules! conditions {
    ($($name:ident: $when:literal, $holds:expr, $fails:expr;)*) => {$(
        #[test]
        fn $name() {
            let rules = format!(r#", "rules": [{{"name": "x", "when": {{{}}}, "variant": "beta"}}]"#, $when);
            let policy = with_rollouts(&rollout("r", "0", "0", &rules));
            for request in $holds {
                assert_eq!(variant(&policy, &request), "beta", "{request:?}");
            }
            for request in $fails {
                assert_eq!(variant(&policy, &request), "stable", "{request:?}");
            }
        }
    )*};
}

fn header(value: &str) -> Request {
    get(&[("x-a", value)])
}

conditions! {
    an_empty_condition_holds: "", [get(&[])], [] as [Request; 0];
    geo_is_any_of_a_list: r#""geo": ["DE", "us-ca"]"#, [user("u", "de"), user("u", "US-CA")], [user("u", "US"), get(&[])];
    geo_star_is_any_known_one: r#""geo": ["*"]"#, [user("u", "DE")], [user("u", "XX"), user("u", "D E"), get(&[])];
    not_geo_holds_for_an_unknown_one: r#""not": {"geo": ["DE"]}"#, [user("u", "FR"), get(&[])], [user("u", "DE")];
    methods_are_compared_with_case: r#""methods": ["POST"]"#, [request("POST", "h", "/", &[])],
        [request("post", "h", "/", &[]), request("GET", "h", "/", &[])];
    hosts_are_compared_without_case_and_port: r#""hosts": ["A.com", "*.b.com"]"#,
        [request("GET", "a.COM:80", "/", &[]), request("GET", "x.y.b.com", "/", &[])],
        [request("GET", "b.com", "/", &[]), request("GET", "x.a.com", "/", &[])];
    prefixes_cover_whole_segments: r#""path_prefixes": ["/a", "/b/"]"#,
        [request("GET", "h", "/a?x", &[]), request("GET", "h", "/a/c", &[]), request("GET", "h", "/b/", &[])],
        [request("GET", "h", "/ab", &[]), request("GET", "h", "/b?/", &[]), request("GET", "h", "/", &[])];
    identity_is_any_of_a_list: r#""identity": ["u1", "u2"]"#, [user("u1", "DE"), user("u2", "")], [user("u3", "DE"), get(&[])];
    equals_compares_everything: r#""header": {"name": "X-A", "equals": "one"}"#, [header("one")], [header("One"), header("one "), get(&[])];
    one_of_is_any_of_a_list: r#""header": {"name": "x-a", "one_of": ["one", "two"]}"#, [header("one"), header("two")], [header("three"), get(&[])];
    prefix_is_how_it_begins: r#""header": {"name": "x-a", "prefix": "on"}"#, [header("one"), header("on")], [header("o"), get(&[])];
    suffix_is_how_it_ends: r#""header": {"name": "x-a", "suffix": "ne"}"#, [header("one"), header("ne")], [header("net"), get(&[])];
    contains_is_anywhere: r#""header": {"name": "x-a", "contains": "b"}"#, [header("abc"), header("b")], [header("ac"), header(""), get(&[])];
    present_is_there_though_empty: r#""header": {"name": "x-a", "present": true}"#, [header(""), header("x")], [get(&[])];
    absent_is_not_there: r#""header": {"name": "x-a", "present": false}"#, [get(&[])], [header(""), header("x")];
    a_repeated_header_is_its_first: r#""header": {"name": "x-a", "equals": "1"}"#,
        [get(&[("x-a", "1"), ("x-a", "2")])], [get(&[("x-a", "2"), ("x-a", "1")])];
    a_pseudo_header_is_a_header: r#""header": {"name": ":path", "suffix": ".html"}"#,
        [request("GET", "h", "/a.html", &[])], [request("GET", "h", "/a.html?x", &[])];
    cookies_are_named: r#""cookie": {"name": "beta", "equals": "1"}"#,
        [get(&[("cookie", "a=2; beta=1")])], [get(&[("cookie", "beta=2; beta=1")]), get(&[("cookie", "xbeta=1")]), get(&[])];
    queries_are_raw: r#""query": {"name": "q", "equals": "%41"}"#,
        [request("GET", "h", "/?q=%41", &[])], [request("GET", "h", "/?q=A", &[]), request("GET", "h", "/", &[])];
    keys_are_anded: r#""geo": ["DE"], "identity": ["u1"]"#, [user("u1", "DE")], [user("u1", "FR"), user("u2", "DE")];
    any_is_ored: r#""any": [{"geo": ["DE"]}, {"identity": ["u1"]}]"#, [user("u2", "DE"), user("u1", "FR")], [user("u2", "FR")];
    not_nests: r#""not": {"any": [{"not": {"geo": ["DE"]}}, {"identity": ["u1"]}]}"#, [user("u2", "DE")], [user("u1", "DE"), user("u2", "FR")];
}

// Which rollout

#[test]
fn the_most_specific_match_wins() {
    let named =
        |name: &str, matching: &str| rollout(name, "0", "0", &format!(r#", "match": {{{matching}}}"#));
    let rollouts = [
        rollout("all", "0", "0", ""),
        named("path", r#""path_prefixes": ["/p/q"]"#),
        named("suffix", r#""hosts": ["*.com"]"#),
        named("longer-suffix", r#""hosts": ["*.x.com"]"#),
        named("host", r#""hosts": ["a.x.com"], "path_prefixes": ["/p"]"#),
        named("host-post", r#""hosts": ["a.x.com"], "path_prefixes": ["/p"], "methods": ["POST"]"#),
        named("host-deep", r#""hosts": ["a.x.com"], "path_prefixes": ["/p/q/"]"#),
    ];
    let policy = with_rollouts(&rollouts.join(","));
    for (method, host, path, expected) in [
        ("GET", "other", "/", "all"),
        ("GET", "other", "/p/q/r", "path"),
        ("GET", "b.com", "/p/q", "suffix"),
        ("GET", "b.x.com", "/p/q", "longer-suffix"),
        ("GET", "A.X.com:8080", "/p/r", "host"),
        ("POST", "a.x.com", "/p", "host-post"),
        ("POST", "a.x.com", "/p/q", "host-post"),
        ("POST", "a.x.com", "/p/q/", "host-deep"),
        ("GET", "a.x.com", "/px", "longer-suffix"),
        ("OPTIONS", "a.x.com", "*", "longer-suffix"),
    ] {
        let decision = decide(&policy, &request(method, host, path, &[]), Ambient::at(0))
            .rollout
            .unwrap()
            .name
            .to_string();
        assert_eq!(decision, expected, "{method} {host} {path}");
    }
}

#[test]
fn what_no_rollout_matches_is_left_to_the_default() {
    let policy = with_rollouts(&rollout("r", "0", "0", r#", "match": {"hosts": ["x"]}"#));
    assert_eq!(decided(&policy, &user("alice", "DE")), "none - DEFAULT - -");
    assert_eq!(decided(&crate::support::policy(""), &user("alice", "DE")), "none - DEFAULT - -");
}

// Sources

#[test]
fn the_first_source_with_a_value_wins() {
    let policy = policy(&format!(
        r#"{{"version": 1, "identity": [{{"header": "X-User-Id"}}, {{"cookie": "uid"}}, {{"jwt_claim": "sub"}}, {{"query": "uid"}},
            {{"source_address": true}}], "geo": [{{"header": "x-geo"}}, {{"query": "geo"}}], "rollouts": [{}]}}"#,
        rollout(
            "r",
            "0",
            "0",
            r#", "rules": [{"name": "x", "when": {"identity": ["alice"], "geo": ["DE"]}, "variant": "beta"}]"#
        )
    ));
    // {"sub":"alice"}
    let token = "Bearer e30.eyJzdWIiOiJhbGljZSJ9.x";
    for (headers, expected) in [
        (vec![("x-user-id", "alice"), ("cookie", "uid=bob")], "beta"),
        (vec![("x-user-id", ""), ("cookie", "uid=alice")], "beta"),
        (vec![("cookie", "uid="), ("authorization", token)], "beta"),
        (vec![("cookie", "uid=bob"), ("authorization", token)], "stable"),
        (vec![], "stable"),
    ] {
        assert_eq!(variant(&policy, &request("GET", "h", "/?geo=de", &headers)), expected, "{headers:?}");
    }
    assert_eq!(variant(&policy, &request("GET", "h", "/?uid=alice&geo=de", &[("x-geo", "XX")])), "beta");
    let from_address =
        Request { source: Some("alice:80".to_owned()), ..request("GET", "h", "/?geo=de", &[]) };
    assert_eq!(variant(&policy, &from_address), "beta");
}

// No identity

#[test]
fn without_identity_there_is_the_baseline_until_one_variant_holds_everyone() {
    let at = |canary, beta| decided(&with_rollouts(&rollout("r", canary, beta, "")), &get(&[]));
    assert_eq!(at("50", "50"), "r stable ANONYMOUS - -");
    assert_eq!(at("99.9999", "0"), "r stable ANONYMOUS - -");
    assert_eq!(at("100", "0"), "r canary ANONYMOUS - -");
    assert_eq!(at("0", "100"), "r beta ANONYMOUS - -");
}

#[test]
fn anonymous_users_are_drawn_by_weight_where_the_policy_says_so() {
    let policy = with_rollouts(&rollout("r", "20", "30", r#", "anonymous": "random""#));
    let share = |name: &str| {
        let draws = (0..10_000_u64).map(|i| i * (u64::MAX / 10_000));
        draws
            .filter(|draw| {
                decide(&policy, &get(&[]), drawn(&|| Some(u128::from(*draw) << 64)))
                    .variant
                    .unwrap()
                    .name
                    .as_ref()
                    == name
            })
            .count()
    };
    assert!((1_990..2_010).contains(&share("canary")), "{}", share("canary"));
    assert!((2_990..3_010).contains(&share("beta")), "{}", share("beta"));
    assert!(
        decide(&policy, &get(&[]), Ambient::at(0)).variant.is_none(),
        "a draw that is not made stays open"
    );
}

// Off and back

#[test]
fn a_rollout_that_is_not_enabled_gives_the_baseline_before_any_rule() {
    let policy = with_rollouts(&CHECKOUT.replacen("\"baseline\"", r#""enabled": false, "baseline""#, 1));
    assert_eq!(decided(&policy, &get(&[("x-employee", "true")])), "checkout stable DISABLED - -");
}

fn with_state(state: &str, fields: &str) -> canary_core::policy::Policy {
    policy(&format!(
        r#"{{"version": 1, "identity": [{{"header": "x-user-id"}}], "geo": [{{"header": "x-geo-country"}}],
            "state": {{"r": {{{state}}}}}, "rollouts": [{}]}}"#,
        rollout("r", "30", "40", fields)
    ))
}

#[test]
fn a_rollback_moves_the_users_of_that_variant_and_nobody_else() {
    let (before, after) = (with_state("", ""), with_state(r#""rolled_back": ["canary"]"#, ""));
    let mut moved = 0;
    for i in 0..2_000 {
        let request = user(&format!("u{i}"), "US");
        match variant(&before, &request) {
            "canary" => {
                assert!(decided(&after, &request).starts_with("r stable ROLLED_BACK - "), "{i}");
                moved += 1;
            }
            other => assert_eq!(variant(&after, &request), other, "{i}"),
        }
    }
    assert!(moved > 500, "{moved}");
}

#[test]
fn a_rollback_reaches_a_pin_and_those_without_identity() {
    let rules = r#", "rules": [{"name": "x", "when": {"geo": ["DE"]}, "variant": "canary"},
        {"name": "y", "when": {"geo": ["FR"]}, "weights": {"canary": 100, "beta": 0}}]"#;
    let policy = with_state(r#""rolled_back": ["canary"]"#, rules);
    assert_eq!(decided(&policy, &user("alice", "DE")), "r stable ROLLED_BACK x -");
    assert_eq!(decided(&policy, &get(&[("x-geo-country", "FR")])), "r stable ROLLED_BACK y -");
}

#[test]
fn a_state_of_another_release_is_not_in_force() {
    let back = |state: &str| {
        let policy = with_state(&format!(r#"{state} "rolled_back": ["canary"]"#), r#", "release": "v2""#);
        policy.rollouts[0].variants[1].rolled_back
    };
    assert!(back("") && back(r#""release": "v2","#) && !back(r#""release": "v1","#));
}

#[test]
fn weights_of_the_state_stand_in_for_the_variants_and_rules_for_those() {
    let rules = r#", "rules": [{"name": "x", "when": {"geo": ["DE"]}, "weights": {"canary": 10}}]"#;
    let policy = with_state(r#""weights": {"canary": 100, "beta": 0}"#, rules);
    assert_eq!(variant(&policy, &user("alice", "US")), "canary");
    let de = (0..500).filter(|i| variant(&policy, &user(&format!("u{i}"), "DE")) == "canary").count();
    assert!((20..90).contains(&de), "{de}");
}

#[test]
fn the_effective_weights_are_what_is_served_now() {
    let weights = |policy: canary_core::policy::Policy| -> Vec<u32> {
        policy.rollouts[0].effective_weights(0, &NOTHING).map(|(_, ppm)| ppm).collect()
    };
    assert_eq!(weights(with_state("", "")), [300_000, 300_000, 400_000]);
    assert_eq!(weights(with_state(r#""rolled_back": ["beta"]"#, "")), [700_000, 300_000, 0]);
    assert_eq!(weights(with_state(r#""weights": {"canary": 1.5}"#, "")), [585_000, 15_000, 400_000]);
    assert_eq!(weights(with_state("", r#", "enabled": false"#)), [1_000_000, 0, 0]);
}

#[test]
fn any_bytes_of_a_request_are_decided() {
    let policy = with_rollouts(CHECKOUT);
    let mut request = user("alice", "DE");
    for value in [&b"\xff\xfe"[..], b"", b"a\0b", &vec![b'x'; 60_000]] {
        for header in 0..request.headers.len() {
            let mut request = request.clone();
            request.headers[header].1 = value.to_vec();
            let _ = decided(&policy, &request);
        }
    }
    request.headers.clear();
    assert_eq!(decided(&policy, &request), "checkout stable ANONYMOUS - -");
}
