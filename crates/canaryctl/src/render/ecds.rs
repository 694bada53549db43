//! A policy as Envoy's extension config discovery delivers it.

use std::collections::BTreeSet;

use canary_core::policy::Policy;
use serde_json::{Map, Value, json};

/// Where the filter lies, as `make build` leaves it and `envoy/envoy.yaml` has it.
pub const WASM: &str = "dist/canary_filter.wasm";

/// The filter's root context: the same in every configuration.
const ROOT_ID: &str = "canary";

/// The usual variable for the key of tokens, as in `envoy/envoy.yaml`.
const KEY_ENV: &str = "CANARY_OVERRIDE_KEY";

/// The least that the filter needs, callbacks first: no bodies, no trailers, no network.
///
/// `envoy/envoy.yaml` has the same list, with words beside it; a test compares them.
pub const CAPABILITIES: &[&str] = &[
    "proxy_on_vm_start",
    "proxy_on_configure",
    "proxy_on_tick",
    "proxy_on_context_create",
    "proxy_on_request_headers",
    "proxy_on_response_headers",
    "proxy_on_log",
    "proxy_on_done",
    "proxy_on_delete",
    "proxy_log",
    "proxy_get_current_time_nanoseconds",
    "proxy_set_tick_period_milliseconds",
    "proxy_get_buffer_bytes",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_add_header_map_value",
    "proxy_remove_header_map_value",
    "proxy_get_property",
    "proxy_set_property",
    "proxy_get_shared_data",
    "proxy_set_shared_data",
    "proxy_define_metric",
    "proxy_increment_metric",
    "proxy_record_metric",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_write",
    "proc_exit",
    "random_get",
];

/// What a deployment decides beside the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The filter's name in Envoy's list of HTTP filters, so the resource's.
    pub name: String,
    /// Where Envoy finds the filter.
    pub wasm: String,
    /// Filters of one VM id share their last good policy.
    pub vm_id: String,
    /// Whether Envoy refuses a bad policy, instead of going on with the last good one.
    pub strict: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { name: "canary".into(), wasm: WASM.into(), vm_id: "canary".into(), strict: false }
    }
}

/// A `DiscoveryResponse` with the policy, its text verbatim; a bad one is rendered too, for
/// those who want to see what comes of it.
pub fn ecds(policy: &str, options: &Options) -> Value {
    let mut vm = Map::from_iter([
        ("vm_id".to_owned(), json!(options.vm_id)),
        ("runtime".to_owned(), json!("envoy.wasm.runtime.v8")),
        ("code".to_owned(), json!({"local": {"filename": options.wasm}})),
    ]);
    // Envoy's own environment holds the keys of tokens, and decides how strict it is unless
    // that is said here.
    let mut keys = keys(policy);
    let mut unusual: Vec<String> = keys.iter().filter(|name| *name != KEY_ENV).cloned().collect();
    let environment = if options.strict {
        unusual.push("CANARY_STRICT=1".to_owned());
        json!({"key_values": {"CANARY_STRICT": "1"}, "host_env_keys": keys})
    } else {
        keys.insert("CANARY_STRICT".to_owned());
        json!({"host_env_keys": keys})
    };
    vm.insert("environment_variables".to_owned(), environment);
    if !unusual.is_empty() {
        // Envoy 1.36 would reuse a VM that has another environment, but not another configuration.
        vm.insert("configuration".to_owned(), string_value(&unusual.join(" ")));
    }
    let capabilities: Map<String, Value> =
        CAPABILITIES.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
    let config = json!({
        "name": options.name,
        "root_id": ROOT_ID,
        // Deprecated, and yet the only setting under which requests are served while a VM dies.
        "fail_open": true,
        "vm_config": vm,
        "configuration": string_value(policy),
        "capability_restriction_config": {"allowed_capabilities": capabilities},
    });
    json!({
        "version_info": version(policy),
        "resources": [{
            "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            "name": options.name,
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                "config": config,
            },
        }],
    })
}

/// The variables that hold the keys of a policy's tokens, and the usual one, so that most
/// policies need no new VM.
fn keys(policy: &str) -> BTreeSet<String> {
    let policy = Policy::parse(policy.as_bytes()).unwrap_or_default();
    let named = policy.rollouts.iter().filter_map(|rollout| rollout.overrides.as_ref());
    let named = named.map(|overrides| overrides.key_env.to_string());
    named.chain([KEY_ENV.to_owned()]).collect()
}

fn string_value(text: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text})
}

/// The revision, where there is one, and the digest.
fn version(policy: &str) -> String {
    match Policy::parse(policy.as_bytes()) {
        Ok(Policy { revision: Some(revision), digest, .. }) => format!("{revision}+{digest}"),
        Ok(policy) => policy.digest.to_string(),
        Err(problems) => format!("invalid-{}", problems.len()),
    }
}
