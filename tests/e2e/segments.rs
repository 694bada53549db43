//! Rules for people: segments, and the identities that are none.

use canary_core::bucket::Salt;
use canary_lab::Request;
use serde_json::{Value, json};

use crate::scene::{Core, Scene, rollout, user};

/// `{"alg":"none"}.{"sub":"zoe","groups":["shop","staff"]}.` and the same with `["shop"]`.
const STAFF: &str = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ6b2UiLCJncm91cHMiOlsic2hvcCIsInN0YWZmIl19.";
const NO_STAFF: &str = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ6b2UiLCJncm91cHMiOlsic2hvcCJdfQ.";

/// An identity as `identity_hashes` of a segment has it.
fn hashed(segment: &str, identity: &str) -> String {
    format!("{:016x}", Salt::new(segment).key().last(identity.as_bytes()).get())
}

/// A policy whose rules, named as the segments, pin to a canary that nobody else gets.
fn policy() -> Value {
    let pin = |segment: &str, when: Value| {
        let mut rule = json!({"name": segment, "when": when, "variant": "canary"});
        rule["when"]["segment"] = segment.into();
        rule
    };
    // Everyone is here, so those rules ask for something else too.
    let asked = |what: &str| json!({"query": {"name": what, "present": true}});
    let rules = json!([
        pin("abroad", json!({})),
        pin("nested", asked("nested")),
        pin("here", asked("here")),
        pin("listed", json!({})),
        pin("hashed", json!({})),
        pin("staff", json!({})),
    ]);
    let mut policy = rollout(0.0, &json!({"rules": rules}));
    policy["segments"] = json!({
        "listed": {"identity": ["user-1", "user-2"]},
        // The second is hashed under another segment's name.
        "hashed": {"identity_hashes": [hashed("hashed", "user-3"), hashed("listed", "user-4")]},
        "staff": {"jwt": {"claim": "groups", "equals": "staff"}},
        "here": {"source": ["127.0.0.0/8"]},
        "abroad": {"source": ["10.0.0.0/8", "2001:db8::/32"]},
        "nested": {"segment": "here", "any": [{"segment": "listed"}, {"segment": "hashed"}]},
    });
    policy
}

pub(crate) fn a_segment_in_a_rule_pins_those_who_are_in_it() {
    let scene = Scene::serving(&policy().to_string());
    let by = |path: &str, user: &str| Request::get(path).header("x-user-id", user);
    let cases = [
        ("listed", by("/0", "user-1")),
        ("listed", by("/1", "user-2")),
        ("hashed", by("/2", "user-3")),
        ("-", by("/3", "user-4")),
        ("-", by("/4", "user-10")),
        ("-", by("/5", &hashed("hashed", "user-3"))),
        ("staff", Request::get("/6").header("authorization", STAFF)),
        ("-", Request::get("/7").header("authorization", NO_STAFF)),
        ("here", by("/8?here", "user-9")),
        // What a client says of its address is not its address.
        ("-", by("/9", "user-9").header("x-forwarded-for", "10.1.2.3")),
        ("nested", by("/10?nested", "user-2")),
        ("nested", by("/11?nested", "user-3")),
        ("-", by("/12?nested", "user-9")),
    ];
    for (number, (rule, request)) in cases.iter().enumerate() {
        let side = if *rule == "-" { "stable" } else { "canary" };
        assert_eq!(scene.ask(request).side().as_deref(), Ok(side), "{number}: {rule}");
        let path = format!("/{number}");
        let line = scene.access_log(1, "path", |logged| logged == path).remove(0);
        let decision = line.get("decision").unwrap();
        let reason = if *rule == "-" { "" } else { " reason=TARGETING_MATCH" };
        assert!(decision.contains(&format!("variant={side}{reason}")), "{number}: {decision}");
        assert!(decision.contains(&format!(" rule={rule} ")), "{number}: {decision}");
    }
}

pub(crate) fn an_ignored_identity_is_none_and_the_next_source_is_asked() {
    let mut policy = rollout(50.0, &json!({}));
    policy["identity"] = json!([{"header": "x-user-id"}, {"cookie": "uid"}]);
    policy["ignore_identities"] = json!(["null", "anonymous"]);
    let policy = policy.to_string();
    let core = Core::new(&policy);
    let scene = Scene::serving(&policy);
    for ignored in ["null", "anonymous"] {
        let get = Request::get("/").header("x-user-id", ignored);
        assert_eq!(scene.ask(&get).side().as_deref(), Ok("stable"));
        let canary = format!("uid={}", user(core.user_on("canary")));
        assert_eq!(scene.ask(&get.clone().header("cookie", canary)).side().as_deref(), Ok("canary"));
        let ignored_too = get.header("cookie", "uid=null");
        assert_eq!(scene.ask(&ignored_too).side().as_deref(), Ok("stable"));
    }
    scene.wait_for_exactly("canary_decisions_total", &[("reason", "ANONYMOUS")], 4);
    scene.wait_for_exactly("canary_decisions_total", &[("reason", "SPLIT")], 2);
}
