//! Signed tokens by which a tester asks for a side.

use canary_core::token::Keys;
use canary_lab::Request;
use canaryctl::clock;
use serde_json::json;

use crate::scene::{
    Answer, Scene, Upstream, bootstrap, envoy, envoy_with, rendered, rollout, routed_to, user,
};

/// Not the one in the bootstrap: a rendered policy asks for its own.
const KEY_ENV: &str = "SHOP_TOKENS";
const KEY: &str = "0123456789abcdef0123456789abcdef";
const OTHER_KEY: &str = "fedcba9876543210fedcba9876543210";

/// Where tokens stand.
const PLACES: [&str; 3] = ["header", "cookie", "query"];

/// A canary that nobody gets without a token, with a variant that is rolled back.
fn policy() -> String {
    let mut policy = rollout(
        0.0,
        &json!({"override": {
            "header": "x-override", "cookie": "override", "query": "override", "key_env": KEY_ENV,
        }}),
    );
    let broken = json!({"name": "broken", "cluster": "checkout-v1", "weight": 50});
    policy["rollouts"][0]["variants"].as_array_mut().unwrap().push(broken);
    policy["state"] = json!({"checkout": {"rolled_back": ["broken"]}});
    policy.to_string()
}

fn token(key: &str, rollout: &str, variant: &str, expires_in: i64) -> String {
    let expiry = u64::try_from(clock::now() + expires_in).unwrap();
    Keys::parse(key.as_bytes()).unwrap().mint(rollout, variant, expiry).unwrap()
}

fn mac(token: &str) -> &str {
    token.rsplit_once('.').unwrap().1
}

/// A request with a token in one place, and other things around it.
fn with_token(place: &str, token: &str) -> Request {
    let get = |path: &str| Request::get(path).header("x-user-id", user(0));
    match place {
        "header" => get("/?a=1").header("x-override", token),
        "cookie" => get("/?a=1").header("cookie", format!("a=1; override={token}; b=2")),
        _ => get(&format!("/?a=1&override={token}&b=2")),
    }
}

fn serving(key: &str) -> Scene {
    Scene::boot(envoy().env(KEY_ENV, key).ecds(rendered(&policy()).to_string()))
}

/// Nothing of a token stands in any log, once it has the lines of so many requests; nor of the key.
fn unlogged(scene: &Scene, requests: usize, tokens: &[String]) {
    scene.access_log(requests, "path", |_| true);
    let dump = scene.admin().config_dump().unwrap().to_string();
    let log = scene.lab.envoy_log().unwrap() + &scene.lab.access_log().unwrap() + &dump;
    for token in tokens {
        assert!(!log.contains(mac(token)), "{token}");
    }
    assert!(!log.contains(KEY));
}

pub(crate) fn a_token_in_the_header_the_cookie_or_the_query_forces_its_side() {
    // As while a key is being changed.
    let scene = serving(&format!("{OTHER_KEY},{KEY}"));
    let mut tokens = Vec::new();
    for side in ["canary", "stable", "broken"] {
        let token = token(KEY, "checkout", side, 600);
        for place in PLACES {
            let answer = scene.ask(&with_token(place, &token));
            assert_eq!(answer.side().as_deref(), Ok(side), "{place}");
        }
        tokens.push(token);
    }
    // Everyone else: the half of `broken` gets the baseline.
    assert!(scene.sides(100).iter().all(|side| side == "stable"));

    let forced = [("rollout", "checkout"), ("reason", "OVERRIDE")];
    scene.wait_for_exactly("canary_decisions_total", &forced, 9);
    assert_eq!(scene.stats().canary("canary_override_rejected_total", &[]), 0);
    let lines = scene.access_log(9, "decision", |decision| decision.contains("reason=OVERRIDE"));
    assert!(lines.iter().all(|line| line.get("path") == Some("/")));
    unlogged(&scene, 109, &tokens);
}

pub(crate) fn no_token_reaches_the_upstream_whatever_it_is_worth() {
    let upstream = Upstream::start(&[]);
    let bootstrap = routed_to(&bootstrap(), upstream.port());
    let builder = envoy_with(bootstrap).env(KEY_ENV, KEY).ecds(rendered(&policy()).to_string());
    let scene = Scene::boot(builder);
    for key in [KEY, OTHER_KEY] {
        let token = token(key, "checkout", "canary", 600);
        for place in PLACES {
            scene.ask(&with_token(place, &token));
            let head = upstream.take_one();
            assert!(!head.contains(mac(&token)), "{head:?}");
            let variant = if key == KEY { "canary" } else { "stable" };
            assert_eq!(head.all("x-deployment-variant"), [variant]);
            // What stood around it is still there.
            assert_eq!(head.path(), if place == "query" { "/?a=1&b=2" } else { "/?a=1" });
            let cookies: &[&str] = if place == "cookie" { &["a=1; b=2"] } else { &[] };
            assert_eq!(head.all("cookie"), cookies);
        }
        // Twice, and alone in their places.
        let twice = Request::get(&format!("/?override={token}&override={token}"))
            .header("cookie", format!("override={token}"))
            .header("cookie", format!("override={token}; override={token}"))
            .header("x-override", &token)
            .header("x-override", &token);
        scene.ask(&twice);
        let head = upstream.take_one();
        assert!(!head.contains(mac(&token)), "{head:?}");
        assert!(head.path() == "/" && head.all("cookie").is_empty(), "{head:?}");
    }
}

pub(crate) fn a_token_that_is_worth_nothing_changes_nothing_and_is_counted() {
    let scene = serving(KEY);
    let good = token(KEY, "checkout", "canary", 600);
    let head = good.strip_suffix(mac(&good)).unwrap();
    let bad = [
        token(KEY, "checkout", "canary", -1),
        good.replace(".canary.", ".broken."),
        format!("{head}{}", mac(&token(KEY, "checkout", "stable", 600))),
        token(KEY, "search", "canary", 600),
        token(KEY, "checkout", "nobody", 600),
        token(OTHER_KEY, "checkout", "canary", 600),
        good.chars().take(good.len() - 1).collect(),
        good.chars().skip(1).collect(),
        head.to_owned(),
        format!("{good}="),
        "v1".to_owned(),
    ];
    let mut rejected = 0;
    for token in &bad {
        for place in PLACES {
            assert_eq!(scene.ask(&with_token(place, token)).side().as_deref(), Ok("stable"), "{token}");
            rejected += 1;
        }
    }
    scene.wait_for_exactly("canary_override_rejected_total", &[("rollout", "checkout")], rejected);
    // A good one beside it is as good as ever, and a request counts once.
    let both = with_token("header", &bad[0]).header("cookie", format!("override={good}"));
    assert_eq!(scene.ask(&both).side().as_deref(), Ok("canary"));
    let two = with_token("header", &bad[0]).header("cookie", format!("override={}", bad[1]));
    assert_eq!(scene.ask(&two).side().as_deref(), Ok("stable"));
    scene.wait_for_exactly("canary_override_rejected_total", &[], rejected + 1);
    scene.wait_for_exactly("canary_decisions_total", &[("reason", "OVERRIDE")], 1);
    unlogged(&scene, PLACES.len() * bad.len() + 2, &[good]);
}

pub(crate) fn without_a_key_every_token_is_refused_and_that_is_logged_once() {
    let scene = Scene::serving(&policy());
    let token = token(KEY, "checkout", "canary", 600);
    let mut clients = scene.lab.clients(4).unwrap();
    for client in &mut clients {
        let answer = Answer::of(&client.send(&with_token("header", &token)).unwrap());
        assert_eq!(answer.side().as_deref(), Ok("stable"));
    }
    let sent = clients.len().try_into().unwrap();
    scene.wait_for_exactly("canary_override_rejected_total", &[("rollout", "checkout")], sent);
    let logged = scene.logged(KEY_ENV);
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert!(logged[0].contains("override off") && logged[0].contains("why=Missing"), "{logged:?}");
    unlogged(&scene, clients.len(), &[token]);
}
