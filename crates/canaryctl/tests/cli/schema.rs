//! `canaryctl schema`: the schema and the parser agree, as far as a schema can tell.

use canary_core::policy::Policy;
use serde_json::{Value, json};

use crate::{FULL, canaryctl, examples};

fn validator() -> jsonschema::Validator {
    let run = canaryctl(&["schema"], "");
    assert_eq!(run.code, 0);
    let schema: Value = serde_json::from_str(&run.stdout).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

fn parses(policy: &Value) -> bool {
    Policy::parse(policy.to_string().as_bytes()).is_ok()
}

/// A good policy with one place in it changed; `null` takes it away.
fn with(pointer: &str, value: Value) -> Value {
    let mut policy: Value = serde_json::from_str(FULL).unwrap();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = policy.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Object(members), Value::Null) => drop(members.remove(key)),
        (Value::Object(members), value) => drop(members.insert(key.to_owned(), value)),
        (Value::Array(list), value) => list[key.parse::<usize>().unwrap()] = value,
        _ => panic!("{pointer}"),
    }
    policy
}

#[test]
fn every_example_fits_the_schema() {
    let validator = validator();
    for path in examples() {
        let policy: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let faults: Vec<_> = validator.iter_errors(&policy).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{}: {faults:?}", path.display());
    }
}

#[test]
fn what_the_parser_takes_the_schema_takes() {
    let validator = validator();
    let rule = "/rollouts/0/rules/0";
    for (pointer, value) in [
        ("/$schema", json!("https://example.com/canary.json")),
        ("/description", json!(["for", {"people": 1}])),
        ("/owner", json!({"team": "checkout"})),
        ("/role", json!("inner")),
        ("/version", json!(1.0)),
        ("/revision", Value::Null),
        ("/rollouts", json!([])),
        ("/rollouts", Value::Null),
        ("/stamp", json!({"rollout_header": null, "cluster_header": null, "response_header": null})),
        ("/stamp", json!({"request_header": "x-v", "filter_state": false})),
        (
            "/state",
            json!({"checkout": {"release": "v2", "rolled_back": ["canary"], "weights": {"canary": 0.5}}}),
        ),
        ("/rollouts/0/description", json!("text")),
        ("/rollouts/0/salt", json!("s")),
        ("/rollouts/0/enabled", json!(false)),
        ("/rollouts/0/anonymous", json!("random")),
        ("/rollouts/0/bucket_by", json!(["identity"])),
        ("/rollouts/0/bucket_by", json!(["identity", "geo"])),
        ("/rollouts/0/match", json!({"hosts": ["*.example.com"], "methods": ["GET"]})),
        ("/rollouts/0/match", json!({})),
        ("/rollouts/0/baseline", json!({"name": "stable"})),
        ("/rollouts/0/variants/0/weight", json!(0.0001)),
        ("/rollouts/0/rules", json!([])),
        (rule, json!({"name": "all", "variant": "stable"})),
        (rule, json!({"name": "all", "when": {}, "weights": {"canary": 100}})),
        (
            rule,
            json!({"name": "r", "variant": "canary", "when": {
            "not": {"any": [{"geo": ["*"]}, {"identity": ["alice"]}]},
            "cookie": {"name": "a", "one_of": ["", "b"]}, "query": {"name": "q", "present": false}}}),
        ),
        (rule, json!({"name": "r", "variant": "canary", "when": {"header": {"name": "x-a", "equals": ""}}})),
    ] {
        let policy = with(pointer, value);
        assert!(parses(&policy), "the parser refuses {pointer} in {policy}");
        let fault = validator.validate(&policy).err().map(|fault| fault.to_string());
        assert_eq!(fault, None, "{pointer} in {policy}");
    }
}

#[test]
fn what_a_schema_can_tell_to_be_wrong_both_refuse() {
    let validator = validator();
    let rule = "/rollouts/0/rules/0";
    for (pointer, value) in [
        ("/version", Value::Null),
        ("/version", json!(2)),
        ("/version", json!("1")),
        ("/rolouts", json!([])),
        ("/role", json!("middle")),
        ("/revision", json!(7)),
        ("/identity/0", json!({"headers": "x"})),
        ("/identity/0", json!({})),
        ("/identity/0", json!({"header": "x-a", "cookie": "b"})),
        ("/geo/0", json!({"source_address": true})),
        ("/stamp", json!({"request_header": null})),
        ("/state", json!({"checkout": {"rolledback": ["canary"]}})),
        ("/state", json!({"checkout": {"weights": {"canary": 101}}})),
        ("/rollouts/0/name", Value::Null),
        ("/rollouts/0/name", json!("two words")),
        ("/rollouts/0/name", json!("x".repeat(65))),
        ("/rollouts/0/release", json!("")),
        ("/rollouts/0/enabled", json!("yes")),
        ("/rollouts/0/anonymous", json!("everyone")),
        ("/rollouts/0/anonymous", json!({"cookie": "uid"})),
        ("/rollouts/0/bucket_by", json!(["user"])),
        ("/rollouts/0/match/hosts", json!([])),
        ("/rollouts/0/match/paths", json!(["/"])),
        ("/rollouts/0/baseline", Value::Null),
        ("/rollouts/0/baseline/name", Value::Null),
        ("/rollouts/0/baseline/cluster", json!("")),
        ("/rollouts/0/variants", Value::Null),
        ("/rollouts/0/variants", json!([])),
        ("/rollouts/0/variants/0/name", Value::Null),
        ("/rollouts/0/variants/0/weight", Value::Null),
        ("/rollouts/0/variants/0/weight", json!(-1)),
        ("/rollouts/0/variants/0/weight", json!(120)),
        ("/rollouts/0/variants/0/weight", json!("5")),
        (rule, json!({"variant": "canary"})),
        (rule, json!({"name": "r"})),
        (rule, json!({"name": "r", "variant": "canary", "weights": {"canary": 5}})),
        (rule, json!({"name": "r", "weights": {"canary": 101}})),
        (rule, json!({"name": "r", "variant": "canary", "when": {"country": ["DE"]}})),
        (rule, json!({"name": "r", "variant": "canary", "when": {"geo": []}})),
        (rule, json!({"name": "r", "variant": "canary", "when": {"any": []}})),
        (rule, json!({"name": "r", "variant": "canary", "when": {"header": {"equals": "a"}}})),
        (rule, json!({"name": "r", "variant": "canary", "when": {"header": {"name": "x-a"}}})),
        (rule, json!({"name": "r", "variant": "canary", "when": {"header": {"name": "x-a", "prefix": ""}}})),
        (
            rule,
            json!({"name": "r", "variant": "canary", "when": {"header": {"name": "x-a", "prefix": "a", "suffix": "b"}}}),
        ),
    ] {
        let policy = with(pointer, value);
        assert!(!parses(&policy), "the parser takes {pointer} in {policy}");
        assert!(!validator.is_valid(&policy), "the schema takes {pointer} in {policy}");
    }
}

#[test]
fn references_and_sums_are_for_the_parser_alone() {
    for (pointer, value) in [
        ("/rollouts/0/rules/0/variant", json!("nobody")),
        ("/rollouts/0/rules/1/name", json!("employees")),
        ("/rollouts/0/variants/0/name", json!("stable")),
        ("/rollouts/0/variants/0/weight", json!(33.33333)),
        ("/state", json!({"search": {}})),
    ] {
        let policy = with(pointer, value);
        assert!(!parses(&policy), "{pointer}");
    }
}
