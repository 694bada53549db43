//! `canaryctl render --to ecds`.

use canary_core::policy::Policy;
use canaryctl::render::{Options, ecds};
use serde_json::{Value, json};

use crate::{FULL, canaryctl, examples, root};

fn render(options: &[&str]) -> Value {
    let arguments: Vec<&str> = ["render", "-", "--to", "ecds"].iter().chain(options).copied().collect();
    let run = canaryctl(&arguments, FULL);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    serde_json::from_str(&run.stdout).unwrap()
}

/// The configuration of the filter in the one resource.
fn config(response: &Value) -> &Value {
    assert_eq!(response["resources"].as_array().unwrap().len(), 1);
    &response["resources"][0]["typed_config"]["config"]
}

/// The `default_config` in `envoy/envoy.yaml`.
fn default_config() -> Value {
    let text = std::fs::read_to_string(root().join("envoy/envoy.yaml")).unwrap();
    let yaml: Value = serde_saphyr::from_str(&text).unwrap();
    let filters = yaml["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        ["http_filters"]
        .as_array()
        .unwrap();
    let canary = filters.iter().find(|filter| filter["name"] == "canary").unwrap();
    canary["config_discovery"]["default_config"].clone()
}

#[test]
fn what_is_rendered_is_the_default_configuration_of_the_example_with_a_policy_in_it() {
    let mut response = render(&[]);
    let mut typed = response["resources"][0]["typed_config"].take();
    let policy = typed["config"].as_object_mut().unwrap().remove("configuration").unwrap();
    assert_eq!(policy, json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": FULL}));
    // Capabilities too: whatever the filter may do, it may do in both.
    assert_eq!(typed, default_config());
}

#[test]
fn the_resource_has_the_name_that_envoy_asks_for() {
    let response = render(&[]);
    let resource = &response["resources"][0];
    assert_eq!(resource["@type"], "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig");
    assert_eq!(resource["name"], "canary");
    let other = render(&["--name", "canary-eu", "--vm-id", "eu", "--wasm", "/etc/canary.wasm"]);
    assert_eq!(other["resources"][0]["name"], "canary-eu");
    let config = config(&other);
    assert_eq!((&config["name"], &config["root_id"]), (&json!("canary-eu"), &json!("canary")));
    assert_eq!(config["vm_config"]["vm_id"], "eu");
    assert_eq!(config["vm_config"]["code"]["local"]["filename"], "/etc/canary.wasm");
}

#[test]
fn strict_sets_the_variable_whatever_envoys_environment_says() {
    let environment =
        |options: &[&str]| config(&render(options))["vm_config"]["environment_variables"].clone();
    let keys = json!(["CANARY_OVERRIDE_KEY"]);
    assert_eq!(
        environment(&["--strict"]),
        json!({"key_values": {"CANARY_STRICT": "1"}, "host_env_keys": keys})
    );
    assert_eq!(environment(&[]), json!({"host_env_keys": ["CANARY_OVERRIDE_KEY", "CANARY_STRICT"]}));
}

#[test]
fn the_variables_that_hold_keys_come_from_the_policy() {
    let with_key = FULL.replacen(
        r#""release": "v2","#,
        r#""release": "v2", "override": {"header": "x-force", "key_env": "SHOP_KEY"},"#,
        1,
    );
    let response = ecds(&with_key, &Options::default());
    let environment = &config(&response)["vm_config"]["environment_variables"];
    assert_eq!(environment["host_env_keys"], json!(["CANARY_OVERRIDE_KEY", "CANARY_STRICT", "SHOP_KEY"]));
}

#[test]
fn the_version_is_the_revision_and_the_digest() {
    let digest = Policy::parse(FULL.as_bytes()).unwrap().digest;
    assert_eq!(render(&[])["version_info"], format!("2026-12-01.1+{digest}"));
    let without = FULL.replace("\"revision\": \"2026-12-01.1\",", "");
    let digest = Policy::parse(without.as_bytes()).unwrap().digest;
    assert_eq!(ecds(&without, &Options::default())["version_info"], digest.to_string());
}

#[test]
fn every_example_is_rendered_verbatim() {
    for path in examples() {
        let run = canaryctl(&["render", path.to_str().unwrap(), "--to", "ecds"], "");
        assert_eq!(run.code, 0, "{}", run.stderr);
        let response: Value = serde_json::from_str(&run.stdout).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(config(&response)["configuration"]["value"], text);
    }
}
