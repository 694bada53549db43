//! `canaryctl explain`.

use canary_core::decide::{Ambient, decide};
use canary_core::policy::Policy;
use canaryctl::explain::{Header, Request};
use serde_json::{Value, json};

use crate::{FULL, canaryctl};

fn explain(policy: &str, options: &[&str]) -> Value {
    let arguments: Vec<&str> = ["explain", "-", "--format", "json"].iter().chain(options).copied().collect();
    let run = canaryctl(&arguments, policy);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{options:?}");
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn the_json_has_exactly_the_agreed_keys() {
    let alice = ["--header", "x-user-id: alice", "--header", "x-geo-country: DE", "--path", "/checkout"];
    let value = explain(FULL, &alice);
    let keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["bucket", "cluster", "hash", "reason", "rollout", "rule", "variant"]);
    assert_eq!((&value["reason"], &value["rule"]), (&json!("SPLIT"), &json!("dach")));
    let hash = value["hash"].as_str().unwrap();
    assert!(hash.len() == 16 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{hash}");
    let bucket = (u128::from(u64::from_str_radix(hash, 16).unwrap()) * 1_000_000) >> 64;
    assert_eq!(value["bucket"].as_u64().map(u128::from), Some(bucket));
}

#[test]
fn it_says_what_the_core_decides() {
    let policy = Policy::parse(FULL.as_bytes()).unwrap();
    for user in ["alice", "bob", "Zoë", "a b", "x:y"] {
        let request =
            Request::new("POST", "", "/checkout/pay?uid=1").with_header(Header::new("x-user-id", user));
        let header = format!("X-User-Id: {user}");
        let said = explain(FULL, &["--header", &header, "--method", "POST", "--path", "/checkout/pay?uid=1"]);
        assert_eq!(said, canaryctl::explain::json(&decide(&policy, &request, Ambient::at(0))), "{user}");
    }
}

#[test]
fn what_a_decision_does_not_have_is_null() {
    let nowhere = explain(FULL, &["--header", "x-user-id: alice"]);
    assert_eq!(
        nowhere,
        json!({"rollout": null, "variant": null, "cluster": null, "reason": "DEFAULT", "rule": null,
               "bucket": null, "hash": null})
    );
    let pinned = explain(FULL, &["--path", "/checkout", "--header", "x-employee: true"]);
    assert_eq!((&pinned["variant"], &pinned["reason"]), (&json!("canary"), &json!("TARGETING_MATCH")));
    assert_eq!((&pinned["bucket"], &pinned["hash"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_variant_that_is_drawn_for_each_request_is_null() {
    let random = FULL.replace("\"release\"", "\"anonymous\": \"random\", \"release\"");
    let value = explain(&random, &["--path", "/checkout"]);
    assert_eq!((&value["variant"], &value["reason"]), (&Value::Null, &json!("ANONYMOUS")));
}

#[test]
fn every_source_of_an_identity_can_be_said() {
    let same = |options: &[&str]| {
        let path = if options.contains(&"--path") { &[][..] } else { &["--path", "/checkout"] };
        explain(FULL, &[path, options].concat())["hash"].clone()
    };
    let alice = same(&["--header", "x-user-id: alice"]);
    assert!(alice.is_string());
    assert_eq!(same(&["--header", "cookie: a=b; uid=alice"]), alice);
    assert_eq!(same(&["--path", "/checkout?uid=alice"]), alice);
    assert_eq!(same(&["--header", "authorization: Bearer e30.eyJzdWIiOiJhbGljZSJ9.x"]), alice);
    let address = explain(
        &FULL.replace("{\"source_address\": true}", "{\"header\": \"x-ip\"}"),
        &["--path", "/checkout", "--header", "x-ip: 10.0.0.1"],
    );
    assert_eq!(same(&["--source", "10.0.0.1"]), address["hash"]);
}

#[test]
fn of_one_name_the_first_header_counts() {
    let value =
        |user: &str| explain(FULL, &["--path", "/checkout", "--header", user, "--header", "X-USER-ID: bob"]);
    assert_ne!(value("x-user-id: alice")["hash"], value("x-user-id: bob")["hash"]);
}

#[test]
fn a_host_header_is_the_host() {
    let policy = FULL.replace("\"path_prefixes\": [\"/checkout\"]", "\"hosts\": [\"shop.example.com\"]");
    for options in [["--host", "SHOP.example.com:8443"], ["--header", "host: shop.example.com"]] {
        assert_eq!(explain(&policy, &options)["rollout"], json!("checkout"), "{options:?}");
    }
    assert_eq!(explain(&policy, &[])["rollout"], Value::Null);
}

#[cfg(unix)]
#[test]
fn values_may_be_bytes_that_are_no_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), FULL).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_canaryctl"))
        .args(["explain", "--path", "/checkout", "--format", "json", "--header"])
        .arg(OsStr::from_bytes(b"x-user-id: \xff\xfe"))
        .arg(file.path())
        .output()
        .unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let policy = Policy::parse(FULL.as_bytes()).unwrap();
    let request = Request::new("GET", "", "/checkout").with_header(Header::new("x-user-id", b"\xff\xfe"));
    assert_eq!(said, canaryctl::explain::json(&decide(&policy, &request, Ambient::at(0))));
}

#[test]
fn a_header_without_a_name_is_wrong_usage() {
    for header in ["alice", ": alice", ":path: /x"] {
        assert_eq!(canaryctl(&["explain", "-", "--header", header], FULL).code, 2, "{header}");
    }
}

#[test]
fn the_text_begins_with_the_reason_in_a_sentence() {
    let text = |policy: &str, options: &[&str]| {
        let at = if options.contains(&"--path") {
            &["explain", "-"][..]
        } else {
            &["explain", "-", "--path", "/checkout"]
        };
        let arguments: Vec<&str> = at.iter().chain(options).copied().collect();
        let run = canaryctl(&arguments, policy);
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.stdout.lines().next().unwrap().to_owned()
    };
    let disabled = FULL.replace("\"release\"", "\"enabled\": false, \"release\"");
    let back = FULL
        .replace("\"rollouts\"", "\"state\": {\"checkout\": {\"rolled_back\": [\"canary\"]}}, \"rollouts\"");
    let all = FULL.replace("\"weight\": 25", "\"weight\": 100");
    let random = FULL.replace("\"release\"", "\"anonymous\": \"random\", \"release\"");
    let employee = ["--header", "x-employee: true"];
    for (policy, options, sentence) in [
        (FULL, &["--path", "/"][..], "No rollout matches this request: the filter chooses no variant."),
        (FULL, &employee, "Rule employees holds, and whoever it is for gets canary."),
        (FULL, &[], "There is no identity to split by, so it gets stable."),
        (&disabled, &[], "Rollout checkout is not enabled, so everyone gets stable."),
        (&back, &employee, "canary was chosen, by rule employees, but it is rolled back, so it gets stable."),
        (&all, &[], "There is no identity, but canary has 100 %, so everyone gets it."),
        (&random, &[], "There is no identity, so the variant is drawn anew for each request."),
    ] {
        assert_eq!(text(policy, options), sentence);
    }
    let split = text(FULL, &["--header", "x-user-id: alice", "--header", "x-geo-country: DE"]);
    assert!(split.starts_with("Bucket ") && split.ends_with(" which has 50 %, by rule dach."), "{split}");
}

/// A rollout with what depends on more than the request.
const PHASED: &str = r#"{"version": 1, "identity": [{"header": "x-user-id"}], "exclude": {"path_prefixes": ["/healthz"]}, "rollouts": [{
    "name": "r", "baseline": {"name": "stable"}, "variants": [{"name": "canary"}],
    "schedule": {"steps": [{"from": "2026-12-01T09:00:00+01:00", "weights": {"canary": 100}}]},
    "override": {"header": "x-force", "key_env": "CANARY_OVERRIDE_KEY"},
    "flags": [{"name": "b", "percent": 100}, {"name": "a", "percent": 100}, {"name": "c", "percent": 0}]}]}"#;

#[test]
fn it_says_what_holds_at_a_time() {
    let at = |time: &str| explain(PHASED, &["--header", "x-user-id: ann", "--at", time]);
    let before = at("2026-12-01T07:59:59Z");
    assert_eq!(
        (&before["variant"], &before["reason"], &before["flags"]),
        (&json!("stable"), &json!("SPLIT"), &json!([]))
    );
    let after = at("2026-12-01T08:00:00Z");
    assert_eq!((&after["variant"], &after["flags"]), (&json!("canary"), &json!(["a", "b"])));
}

#[test]
fn it_says_who_is_excluded_and_what_a_refused_token_does() {
    assert_eq!(explain(PHASED, &["--path", "/healthz"])["reason"], "EXCLUDED");
    let run = canaryctl(
        &[
            "explain",
            "-",
            "--header",
            "x-user-id: ann",
            "--header",
            "x-force: v1.r.canary.9.x",
            "--at",
            "2026-01-01T00:00:00Z",
        ],
        PHASED,
    );
    assert!(run.code == 0 && run.stdout.contains("token     refused: it changes nothing"), "{}", run.stdout);
}

#[test]
fn a_time_needs_an_offset() {
    let run = canaryctl(&["explain", "-", "--at", "2026-12-01T08:00:00"], PHASED);
    assert!(run.code == 2 && run.stderr.contains("RFC 3339"), "{}", run.stderr);
}

#[test]
fn a_page_without_identity_is_told_what_envoy_would_do() {
    let policy = r#"{"version": 1, "identity": [{"header": "x-user-id"}], "rollouts": [{"name": "r", "baseline": {"name": "stable"},
        "variants": [{"name": "canary", "weight": 5}], "anonymous": {"cookie": {}}}]}"#;
    let page = canaryctl(&["explain", "-", "--header", "accept: text/html"], policy);
    assert!(page.stdout.contains("Envoy issues an id in a cookie"), "{}", page.stdout);
    let cookie = "cookie: canary_id=0123456789abcdef0123456789abcdef";
    let known = canaryctl(&["explain", "-", "--header", cookie], policy);
    let identity = "visitor 0123456789abcdef0123456789abcdef (cookie canary_id)";
    assert!(known.stdout.contains("SPLIT") && known.stdout.contains(identity), "{}", known.stdout);
}

#[test]
fn what_an_outer_proxy_chose_and_a_rollback_took_is_named() {
    let policy = r#"{"version": 1, "role": "inner", "rollouts": [{"name": "r", "baseline": {"name": "stable"}, "trust_inbound": {},
        "variants": [{"name": "a", "weight": 0}, {"name": "b", "weight": 100}]}], "state": {"r": {"rolled_back": ["a"]}}}"#;
    let stamps = ["--header", "x-deployment-rollout: r", "--header", "x-deployment-variant: a"];
    let run = canaryctl(&[&["explain", "-"], &stamps[..]].concat(), policy);
    assert!(
        run.stdout.starts_with("a was chosen, but it is rolled back, so it gets stable."),
        "{}",
        run.stdout
    );
}
