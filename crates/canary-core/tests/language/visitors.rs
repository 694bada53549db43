//! Anonymous visitors who are known by a cookie.

use crate::support::{OK, Request, change, get, policy, response};
use canary_core::decide::{Ambient, decide};
use canary_core::exchange::{Exchange, RequestPlan};
use canary_core::policy::Policy;

const PAGE: (&str, &str) = ("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");

fn with(cookie: &str, fields: &str) -> Policy {
    policy(&format!(
        r#"{{"version": 1, "identity": [{{"header": "x-user-id"}}], "rollouts": [{{"name": "r", "baseline": {{"name": "stable"}},
            "variants": [{{"name": "canary", "weight": 30}}], "anonymous": {{"cookie": {cookie}}}{fields}}}]}}"#
    ))
}

/// One exchange with these random bits: what was decided, and the cookie and `cache-control` of
/// the response, which had this one.
fn exchange<'p>(
    policy: &'p Policy,
    request: &Request,
    bits: u128,
    cached: Option<&str>,
) -> (RequestPlan<'p>, Told) {
    let random = || Some(bits);
    let (mut exchange, plan) =
        Exchange::on_request(policy, request, Ambient { random: &random, ..Ambient::at(0) });
    let headers: Vec<_> = cached.map(|value| ("cache-control", value)).into_iter().chain(OK).collect();
    let changes = exchange.on_response(policy, || None, response(&headers)).more;
    let told = |prefix: &str| {
        let mut changes = changes.iter().filter_map(change);
        changes.find_map(|change| Some(change.strip_prefix(prefix)?.to_owned()))
    };
    (plan, Told { set_cookie: told("+set-cookie="), cache_control: told("cache-control=") })
}

/// What a response is told beside its stamp.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    set_cookie: Option<String>,
    cache_control: Option<String>,
}

#[test]
fn a_page_brings_an_id_with_safe_attributes_and_no_cache_may_share_it() {
    let policy = with("{}", "");
    let (plan, response) = exchange(&policy, &get(&[PAGE]), 0xabc, Some("public, max-age=60"));
    assert_eq!(
        response.set_cookie.as_deref(),
        Some(
            "canary_id=00000000000000000000000000000abc; Path=/; Max-Age=2592000; Secure; HttpOnly; SameSite=Lax"
        )
    );
    assert_eq!(response.cache_control.as_deref(), Some("private, max-age=60"));
    assert_eq!(plan.decision.reason.as_str(), "SPLIT");
}

#[test]
fn the_attributes_are_the_policys() {
    let policy = with(
        r#"{"name": "visitor", "max_age": "2h", "domain": ".Example.com", "path": "/shop", "same_site": "strict"}"#,
        "",
    );
    let (_, response) = exchange(&policy, &get(&[PAGE]), 1, None);
    assert_eq!(
        response.set_cookie.as_deref(),
        Some(
            "visitor=00000000000000000000000000000001; Path=/shop; Max-Age=7200; Domain=example.com; Secure; HttpOnly; SameSite=Strict"
        )
    );
}

#[test]
fn a_visitor_is_on_one_side_from_the_first_response_on() {
    let policy = with("{}", "");
    let mut canary = 0;
    for visitor in 0..3_000_u128 {
        let (first, response) = exchange(&policy, &get(&[PAGE]), visitor << 64 | 0x5eed, None);
        let cookie = response.set_cookie.unwrap();
        let cookie = cookie.split(';').next().unwrap();
        let (next, response) = exchange(&policy, &get(&[("cookie", &format!("a=b; {cookie}"))]), 99, None);
        assert_eq!(first.decision.point, next.decision.point);
        assert_eq!(first.decision.variant.unwrap().id, next.decision.variant.unwrap().id);
        assert_eq!((response.set_cookie, response.cache_control), (None, None), "it has one");
        canary += u32::from(first.decision.variant.unwrap().name.as_ref() == "canary");
    }
    // 30 % of 3,000, and four standard errors.
    assert!((800..=1_000).contains(&canary), "{canary}");
}

#[test]
fn what_asks_for_no_page_gets_no_id_and_the_baseline() {
    let policy = with("{}", "");
    for accept in ["*/*", "application/json", "image/avif,image/webp", "text/htmlx", "text/html;q=0", ""] {
        let (plan, response) = exchange(&policy, &get(&[("accept", accept)]), 1, None);
        assert_eq!(
            plan.decision.to_string(),
            "rollout=r variant=stable reason=ANONYMOUS rule=- bucket=-",
            "{accept}"
        );
        assert_eq!(response.set_cookie, None, "{accept}");
    }
}

#[test]
fn a_malformed_id_is_none_and_is_replaced_by_a_page() {
    let policy = with("{}", "");
    for id in ["", "x", "0000000000000000000000000000000G", "000000000000000000000000000000001"] {
        let cookie = format!("canary_id={id}");
        let (_, response) = exchange(&policy, &get(&[PAGE, ("cookie", &cookie)]), 7, None);
        assert!(response.set_cookie.is_some(), "{id}");
        let (plan, response) = exchange(&policy, &get(&[("cookie", &cookie)]), 7, None);
        assert_eq!((plan.decision.reason.as_str(), response.set_cookie), ("ANONYMOUS", None), "{id}");
    }
}

#[test]
fn who_has_an_identity_or_is_pinned_gets_no_id() {
    let pinned = r#", "rules": [{"name": "x", "when": {"header": {"name": "x-pin", "present": true}}, "variant": "canary"}]"#;
    let policy = with("{}", pinned);
    for headers in [[PAGE, ("x-user-id", "ann")], [PAGE, ("x-pin", "1")]] {
        assert_eq!(exchange(&policy, &get(&headers), 1, None).1.set_cookie, None);
    }
}

#[test]
fn where_one_variant_has_everyone_those_without_an_id_follow() {
    let policy = policy(
        r#"{"version": 1, "rollouts": [{"name": "r", "baseline": {"name": "stable"}, "variants": [{"name": "canary", "weight": 100}],
            "anonymous": {"cookie": {}}}]}"#,
    );
    assert_eq!(decide(&policy, &get(&[]), Ambient::at(0)).variant.unwrap().name.as_ref(), "canary");
}

#[test]
fn without_random_bits_there_is_no_id_and_nobody_is_lost() {
    let policy = with("{}", "");
    let decision = decide(&policy, &get(&[PAGE]), Ambient::at(0));
    assert_eq!((decision.reason.as_str(), decision.issued), ("ANONYMOUS", None));
}

#[test]
fn where_a_rollout_is_only_observed_clients_are_given_nothing() {
    let policy = with("{}", r#", "observe": true"#);
    let (plan, response) = exchange(&policy, &get(&[PAGE]), 1, None);
    assert_eq!((plan.decision.reason.as_str(), response.set_cookie), ("ANONYMOUS", None));
}

#[test]
fn a_visitors_features_are_theirs_whatever_chose_the_side() {
    let fields = r#", "flags": [{"name": "f", "variants": ["stable", "canary"], "percent": 50}],
        "rules": [{"name": "x", "when": {"header": {"name": "x-pin", "present": true}}, "variant": "canary"}]"#;
    let policy = with("{}", fields);
    let flags = |headers: &[(&str, &str)]| decide(&policy, &get(headers), Ambient::at(0)).flags;
    for visitor in 0..50_u32 {
        let cookie = format!("canary_id={visitor:032x}");
        let drawn = flags(&[("cookie", &cookie)]);
        assert_eq!(
            drawn.iter().next().map(|(_, on)| on),
            flags(&[("cookie", &cookie), ("x-pin", "1")]).iter().next().map(|(_, on)| on)
        );
    }
}

#[test]
fn a_good_id_behind_a_malformed_one_is_found() {
    let policy = with("{}", "");
    let good = format!("canary_id={:032x}", 7);
    for cookies in [format!("canary_id=x; {good}"), format!("canary_id=; a=b; {good}")] {
        let (plan, response) = exchange(&policy, &get(&[PAGE, ("cookie", &cookies)]), 1, None);
        assert_eq!((plan.decision.reason.as_str(), response.set_cookie), ("SPLIT", None), "{cookies}");
    }
    let lines = get(&[PAGE, ("cookie", "a=b"), ("cookie", &good)]);
    assert_eq!(exchange(&policy, &lines, 1, None).1.set_cookie, None, "on a second line");
}
