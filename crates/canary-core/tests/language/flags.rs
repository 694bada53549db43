//! Features inside a rollout.

use crate::support::{Request, get, policy, request};
use canary_core::decide::{Ambient, decide};
use canary_core::exchange::{Change, Exchange};
use canary_core::policy::Policy;

fn with(flags: &str, fields: &str) -> Policy {
    policy(&format!(
        r#"{{"version": 1, "identity": [{{"header": "x-user-id"}}], "rollouts": [{{"name": "shop", "release": "v2", "match": {{"path_prefixes": ["/"]}},
            "baseline": {{"name": "stable"}}, "variants": [{{"name": "canary", "weight": 10}}, {{"name": "beta", "weight": 10}}],
            "flags": [{flags}]{fields}}}]}}"#
    ))
}

fn user(number: u32) -> Request {
    get(&[("x-user-id", &format!("user-{number}"))])
}

/// The side of a user, and the features.
fn features<'p>(policy: &'p Policy, request: &Request) -> (&'p str, Vec<&'p str>) {
    let decision = decide(policy, request, Ambient::at(0));
    let flags = &decision.rollout.unwrap().flags;
    let on = decision.flags.iter().filter(|(_, on)| *on).map(|(place, _)| &*flags[place].name);
    (&decision.variant.unwrap().name, on.collect())
}

fn header(policy: &Policy, request: &Request) -> Option<String> {
    let (_, plan) = Exchange::on_request(policy, request, Ambient::at(0));
    plan.more.iter().find_map(|change| match change {
        Change::Set("x-feature-flags", value) => Some(String::from_utf8(value.to_vec()).unwrap()),
        Change::Remove("x-feature-flags") => Some("-".to_owned()),
        _ => None,
    })
}

#[test]
fn a_features_share_is_a_share_of_its_variants_users_independent_of_the_split() {
    let policy = with(r#"{"name": "new_dashboard", "variants": ["canary"], "percent": 20}"#, "");
    let (mut canary, mut on) = (0_u32, 0_u32);
    for number in 0..40_000 {
        match features(&policy, &user(number)) {
            ("canary", features) => {
                canary += 1;
                on += u32::from(features == ["new_dashboard"]);
            }
            (_, features) => assert_eq!(features, Vec::<&str>::new()),
        }
    }
    // 10 % of 40,000, and 20 % of those; four standard errors. A shared salt would give all of them.
    assert!((3_760..=4_240).contains(&canary), "{canary}");
    assert!((690..=910).contains(&on), "{on} of {canary}");
}

#[test]
fn two_flags_of_one_share_have_other_users_and_one_salt_makes_them_the_same() {
    let both = |fields: &str| {
        let flag = |name: &str| format!(r#"{{"name": "{name}", "percent": 50{fields}}}"#);
        let policy = with(&[flag("a"), flag("b")].join(","), "");
        let counts = (0..20_000).map(|number| features(&policy, &user(number)).1.len());
        counts.fold([0, 0, 0], |mut by, count| {
            by[count] += 1;
            by
        })
    };
    let independent = both("");
    assert!(independent[1] > 1_500, "{independent:?}");
    assert_eq!(both(r#", "salt": "s""#)[1], 0);
}

#[test]
fn raising_a_features_share_takes_it_from_nobody() {
    let users = |percent: u32| {
        let policy =
            with(&format!(r#"{{"name": "f", "variants": ["stable", "canary"], "percent": {percent}}}"#), "");
        (0..5_000).filter(|number| !features(&policy, &user(*number)).1.is_empty()).collect::<Vec<_>>()
    };
    let (few, many) = (users(10), users(40));
    assert!(few.len() > 300 && many.len() > few.len() && few.iter().all(|number| many.contains(number)));
}

#[test]
fn by_default_all_variants_have_it_and_the_baseline_only_when_named() {
    let policy =
        with(r#"{"name": "f", "percent": 100}, {"name": "g", "percent": 100, "variants": ["stable"]}"#, "");
    for number in 0..200 {
        let (side, features) = features(&policy, &user(number));
        assert_eq!(features, if side == "stable" { ["g"] } else { ["f"] }, "{side}");
    }
}

#[test]
fn the_first_rule_that_holds_gives_the_share_and_all_of_it_needs_no_identity() {
    let rules = r#"[{"name": "qa", "when": {"header": {"name": "x-qa", "present": true}}, "percent": 100},
        {"name": "off", "when": {"path_prefixes": ["/old"]}, "percent": 0}]"#;
    let policy =
        with(&format!(r#"{{"name": "f", "variants": ["stable"], "percent": 100, "rules": {rules}}}"#), "");
    assert_eq!(features(&policy, &get(&[])), ("stable", vec!["f"]));
    assert_eq!(features(&policy, &request("GET", "h", "/old", &[])), ("stable", vec![]));
    assert_eq!(features(&policy, &request("GET", "h", "/old", &[("x-qa", "1")])), ("stable", vec!["f"]));
    let half = with(r#"{"name": "f", "variants": ["stable"], "percent": 50}"#, "");
    assert_eq!(features(&half, &get(&[])), ("stable", vec![]), "a share needs an identity");
}

#[test]
fn services_see_the_names_sorted_and_a_client_cannot_send_them() {
    let policy = with(
        r#"{"name": "zeta", "variants": ["stable"], "percent": 100}, {"name": "alpha", "variants": ["stable"], "percent": 100}"#,
        "",
    );
    let pretender = |id: &str| get(&[("x-user-id", id), ("x-feature-flags", "admin")]);
    let on = |side: &str| {
        (0..1_000)
            .map(|number| format!("user-{number}"))
            .find(|id| features(&policy, &pretender(id)).0 == side)
            .unwrap()
    };
    assert_eq!(header(&policy, &pretender(&on("stable"))).as_deref(), Some("alpha,zeta"));
    assert_eq!(header(&policy, &pretender(&on("canary"))).as_deref(), Some("-"));
    assert_eq!(
        header(&policy, &get(&[("x-user-id", &on("canary"))])),
        None,
        "nothing to remove, no host call"
    );
}

/// A policy with these fields and one rollout for the host x.
fn elsewhere(fields: &str, flags: &str) -> Policy {
    policy(&format!(
        r#"{{"version": 1{fields}, "rollouts": [{{"name": "r", "match": {{"hosts": ["x"]}}, "trust_inbound": {{}}, "baseline": {{"name": "s"}},
            "variants": [{{"name": "c", "weight": 1}}]{flags}}}]}}"#
    ))
}

#[test]
fn an_edge_lets_no_clients_features_through_whatever_the_policy_says() {
    let sent = get(&[("x-feature-flags", "admin")]);
    for policy in [policy(""), policy(r#"{"version": 1}"#), with(r#"{"name": "f", "percent": 1}"#, "")] {
        assert_eq!(header(&policy, &sent).as_deref(), Some("-"));
    }
    assert_eq!(header(&policy(r#"{"version": 1, "stamp": {"flags_header": null}}"#), &sent), None);
}

#[test]
fn an_inner_proxy_leaves_the_features_of_an_outer_one_unless_its_rollout_has_some() {
    let inner = r#", "role": "inner""#;
    let flag = r#", "flags": [{"name": "f", "variants": ["s"], "percent": 100}]"#;
    let ask = |host: &str, stamps: &[(&str, &str)]| {
        request("GET", host, "/", &[&[("x-feature-flags", "g")], stamps].concat())
    };
    let stamped = [("x-deployment-rollout", "r"), ("x-deployment-variant", "c")];
    assert_eq!(header(&elsewhere(inner, flag), &ask("y", &[])), None, "another rollout");
    assert_eq!(header(&elsewhere(inner, ""), &ask("x", &[])), None, "no flags of its own");
    assert_eq!(header(&elsewhere(inner, flag), &ask("x", &[])).as_deref(), Some("f"));
    let policy = elsewhere(inner, flag);
    assert_eq!(header(&policy, &ask("x", &stamped)), None, "it follows");
    assert_eq!(features(&policy, &ask("x", &stamped)), ("c", vec![]), "and counts none");
    let rolled_back = elsewhere(&format!(r#"{inner}, "state": {{"r": {{"rolled_back": ["c"]}}}}"#), flag);
    assert_eq!(
        features(&rolled_back, &ask("x", &stamped)),
        ("s", vec!["f"]),
        "the side that serves has its own"
    );
}

#[test]
fn the_header_has_another_name_or_is_off() {
    let flags = r#"{"name": "f", "variants": ["stable"], "percent": 100}"#;
    let text = |stamp: &str| {
        format!(
            r#"{{"version": 1, "stamp": {{"flags_header": {stamp}}}, "rollouts": [{{"name": "r", "baseline": {{"name": "stable"}},
                "variants": [{{"name": "canary", "weight": 1}}], "flags": [{flags}]}}]}}"#
        )
    };
    let more = |text: &str| {
        let policy = policy(text);
        let (_, plan) = Exchange::on_request(&policy, &get(&[]), Ambient::at(0));
        plan.more.iter().map(|change| format!("{change:?}")).collect::<Vec<_>>()
    };
    assert!(more(&text(r#""X-Features""#))[0].contains("x-features"));
    assert_eq!(more(&text("null")), Vec::<String>::new());
}
