//! Tokens: only those that were minted with the key open a side.

use crate::support::{Request, get, policy, request};
use canary_core::decide::{Ambient, Token, decide};
use canary_core::exchange::{Change, Exchange};
use canary_core::forced::KeyRing;
use canary_core::policy::Policy;
use canary_core::token::{Keys, NoKeys};

const KEY: &[u8] = b"a-key-of-at-least-thirty-two-bytes";
const NOW: i64 = 1_800_000_000;

fn with(fields: &str) -> Policy {
    policy(&format!(
        r#"{{"version": 1, "identity": [{{"header": "x-user-id"}}], "rollouts": [{{"name": "check.out", "baseline": {{"name": "stable"}},
            "variants": [{{"name": "canary", "weight": 0}}, {{"name": "v2.1", "weight": 0}}],
            "override": {{"header": "x-force", "cookie": "force", "query": "__variant", "key_env": "KEY"}}{fields}}}],
            "state": {{"check.out": {{"rolled_back": ["v2.1"]}}}}}}"#
    ))
}

fn keys(policy: &Policy) -> KeyRing {
    KeyRing::new(policy, |name| (name == "KEY").then(|| KEY.to_vec()), |_, _, why| panic!("{why:?}"))
}

fn mint(rollout: &str, variant: &str, expiry: i64) -> String {
    Keys::parse(KEY).unwrap().mint(rollout, variant, expiry.try_into().unwrap()).unwrap()
}

/// The side, the reason, and whether a token was refused.
fn outcome(policy: &Policy, request: &Request) -> (String, &'static str, bool) {
    let keys = keys(policy);
    let decision = decide(policy, request, Ambient { keys: Some(&keys), ..Ambient::at(NOW) });
    (decision.variant.unwrap().name.to_string(), decision.reason.as_str(), decision.token == Token::Rejected)
}

fn header(token: &str) -> Request {
    get(&[("x-user-id", "ann"), ("x-force", token)])
}

#[test]
fn a_good_token_gets_its_side_from_wherever_it_stands() {
    let policy = with("");
    for (variant, places) in [("canary", 3), ("stable", 1), ("v2.1", 1)] {
        let token = mint("check.out", variant, NOW + 1);
        let requests = [
            header(&token),
            get(&[("cookie", &format!("a=b; force={token}"))]),
            request("GET", "h", &format!("/p?a=1&__variant={token}"), &[]),
        ];
        for request in requests.iter().take(places) {
            assert_eq!(outcome(&policy, request), (variant.to_owned(), "OVERRIDE", false), "{request:?}");
        }
    }
}

#[test]
fn the_first_good_token_wins_and_bad_ones_before_it_do_no_harm() {
    let good = mint("check.out", "canary", NOW + 1);
    let both = get(&[("x-force", "nonsense"), ("cookie", &format!("force={good}"))]);
    assert_eq!(outcome(&with(""), &both), ("canary".to_owned(), "OVERRIDE", false));
}

#[test]
fn a_token_opens_nothing_where_the_rollout_is_off_or_the_request_excluded() {
    let token = header(&mint("check.out", "canary", NOW + 1));
    assert_eq!(outcome(&with(r#", "enabled": false"#), &token).1, "DISABLED");
    assert_eq!(outcome(&with(r#", "exclude": {}"#), &token).1, "EXCLUDED");
}

#[test]
fn a_refused_token_changes_nothing_and_is_told() {
    let policy = with("");
    let good = mint("check.out", "canary", NOW + 1);
    for bad in [
        mint("check.out", "canary", NOW),
        mint("check.out", "v3", NOW + 1),
        mint("check", "out.canary", NOW + 1),
        mint("search", "canary", NOW + 1),
        Keys::parse(&[b'x'; 32]).unwrap().mint("check.out", "canary", 2_000_000_000).unwrap(),
        good.get(..good.len() - 1).unwrap().to_owned(),
        format!("{good}x"),
        format!("{good}\u{fc}"),
        good.replace("canary", "v2.1"),
        "v1....".to_owned(),
        String::new(),
    ] {
        assert_eq!(outcome(&policy, &header(&bad)), ("stable".to_owned(), "SPLIT", true), "{bad}");
    }
    assert_eq!(
        outcome(&policy, &get(&[])),
        ("stable".to_owned(), "ANONYMOUS", false),
        "no token, none refused"
    );
}

#[test]
fn of_a_hundred_thousand_mutated_tokens_none_is_accepted() {
    let policy = with("");
    let keys = keys(&policy);
    let good = mint("check.out", "canary", NOW + 3_600).into_bytes();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut tried = 0;
    while tried < 100_000 {
        let mut token = good.clone();
        for _ in 0..=random(3) {
            let at = random(token.len());
            match random(5) {
                0 => token[at] = random(256) as u8,
                1 => token[at] ^= 1 << random(8),
                2 => drop(token.remove(at)),
                3 => token.insert(at, b"ABCabc019-_.=+/"[random(15)]),
                _ => {
                    let other = random(token.len());
                    token.swap(at, other);
                }
            }
        }
        if token == good {
            continue;
        }
        tried += 1;
        let request = Request { headers: vec![("x-force".to_owned(), token.clone())], source: None };
        let decision = decide(&policy, &request, Ambient { keys: Some(&keys), ..Ambient::at(NOW) });
        assert!(decision.token == Token::Rejected, "{}", String::from_utf8_lossy(&token));
        assert_eq!(decision.variant.unwrap().name.as_ref(), "stable");
    }
}

#[test]
fn no_token_reaches_the_upstream_good_or_bad() {
    let policy = with("");
    let token = mint("check.out", "canary", NOW + 1);
    for token in [token.as_str(), "bad"] {
        let path = format!("/p?a=1&__variant={token}");
        let cookie = format!("a=b; force={token}; c=d");
        let request = request("GET", "h", &path, &[("x-force", token), ("cookie", &cookie)]);
        let (_, plan) = Exchange::on_request(&policy, &request, Ambient::at(NOW));
        assert_eq!(
            plan.more,
            [
                Change::Remove("x-force"),
                Change::Set("cookie", b"a=b; c=d"[..].into()),
                Change::Set(":path", b"/p?a=1"[..].into()),
            ]
        );
    }
    let (_, plan) = Exchange::on_request(&policy, &get(&[("cookie", "force=x")]), Ambient::at(NOW));
    assert_eq!(plan.more, [Change::Remove("cookie")]);
    let (_, plan) = Exchange::on_request(&policy, &get(&[("cookie", "a=b")]), Ambient::at(NOW));
    assert_eq!(plan.more, []);
    // Where nobody looks at them, tokens are taken out all the same.
    let off = with(r#", "enabled": false"#);
    let (_, plan) = Exchange::on_request(&off, &header("x"), Ambient::at(NOW));
    assert_eq!(plan.more.len(), 1);
}

#[test]
fn no_token_reaches_the_upstream_of_another_rollout_or_of_none() {
    let rollout = |name: &str, more: &str| {
        format!(
            r#"{{"name": "{name}", "match": {{"path_prefixes": ["/{name}"]}}, "baseline": {{"name": "stable"}},
                "variants": [{{"name": "canary", "weight": 0}}]{more}}}"#
        )
    };
    let text = format!(
        r#"{{"version": 1, "rollouts": [{}, {}, {}]}}"#,
        rollout("a", r#", "override": {"header": "x-a", "cookie": "t", "query": "a", "key_env": "KEY"}"#),
        rollout("b", r#", "override": {"cookie": "u", "query": "b", "key_env": "KEY"}"#),
        rollout("c", ""),
    );
    let policy = policy(&text);
    for path in ["/a", "/b", "/c", "/none"] {
        let request = request(
            "GET",
            "h",
            &format!("{path}?a=1&x=2&b=3"),
            &[("x-a", "1"), ("cookie", "t=1; u=2"), ("cookie", "v=3; t=4")],
        );
        let (_, plan) = Exchange::on_request(&policy, &request, Ambient::at(NOW));
        let left = [
            Change::Remove("x-a"),
            Change::Set("cookie", b"v=3"[..].into()),
            Change::Set(":path", format!("{path}?x=2").into_bytes().into()),
        ];
        assert_eq!(plan.more, left, "{path}");
    }
}

#[test]
fn a_token_on_a_second_cookie_line_is_read_and_removed() {
    let policy = with("");
    let token = mint("check.out", "canary", NOW + 1);
    let lines = get(&[("cookie", "a=b"), ("cookie", &format!("force={token}"))]);
    assert_eq!(outcome(&policy, &lines), ("canary".to_owned(), "OVERRIDE", false));
    let (_, plan) = Exchange::on_request(&policy, &lines, Ambient::at(NOW));
    assert_eq!(plan.more, [Change::Set("cookie", b"a=b"[..].into())]);
}

#[test]
fn a_target_that_is_nothing_but_a_token_stays_a_target() {
    let policy = with("");
    let request = request("GET", "h", "?__variant=x", &[]);
    let (_, plan) = Exchange::on_request(&policy, &request, Ambient::at(NOW));
    assert_eq!(plan.more, [Change::Set(":path", b"/"[..].into())]);
}

#[test]
fn without_a_key_every_token_is_refused_and_the_reason_is_told() {
    let policy = with("");
    let mut told = Vec::new();
    let keys = KeyRing::new(
        &policy,
        |_| None,
        |rollout, overrides, why| {
            told.push((rollout.name.to_string(), overrides.key_env.to_string(), why));
        },
    );
    assert_eq!(told, [("check.out".to_owned(), "KEY".to_owned(), NoKeys::Missing)]);
    let token = header(&mint("check.out", "canary", NOW + 1));
    let decision = decide(&policy, &token, Ambient { keys: Some(&keys), ..Ambient::at(NOW) });
    assert!(decision.token == Token::Rejected);
}
