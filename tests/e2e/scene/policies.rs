//! Policies for tests.

use canary_core::policy::Policy;
use serde_json::{Value, json};

/// A policy that releases nothing.
pub(crate) const NO_ROLLOUTS: &str = r#"{"version": 1, "identity": [{"header": "x-user-id"}]}"#;

/// The rollout `checkout` with one variant, `canary`, of this weight.
pub(crate) fn one_variant(weight: f64) -> String {
    policy(&json!({"canary": weight}))
}

/// The rollout `checkout` with the variants `canary`, `beta` and `gamma` of these weights.
pub(crate) fn three_variants(weights: [f64; 3]) -> String {
    let [canary, beta, gamma] = weights;
    policy(&json!({"canary": canary, "beta": beta, "gamma": gamma}))
}

/// The same policy with this state for `checkout`.
pub(crate) fn with_state(policy: &str, state: &Value) -> String {
    let mut policy = decoded(policy);
    policy["state"] = json!({"checkout": state});
    policy.to_string()
}

/// The policy as JSON, to be changed.
fn decoded(policy: &str) -> Value {
    serde_json::from_str(policy).unwrap()
}

/// As [`one_variant`], with these fields set in the rollout beside those that are there.
pub(crate) fn rollout(weight: f64, fields: &Value) -> Value {
    let mut policy = decoded(&one_variant(weight));
    for (name, value) in fields.as_object().unwrap() {
        policy["rollouts"][0][name] = value.clone();
    }
    policy
}

/// The checked policy.
pub(crate) fn parsed(policy: &str) -> Policy {
    Policy::parse(policy.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Variants in the order `canary`, then the others by name.
fn policy(weights: &Value) -> String {
    let variants = ["canary", "beta", "gamma"].into_iter().filter_map(|name| {
        let weight = weights.get(name)?;
        let cluster = if name == "canary" { "checkout-v2" } else { "checkout-v1" };
        Some(json!({"name": name, "cluster": cluster, "weight": weight}))
    });
    json!({
        "version": 1,
        "identity": [{"header": "x-user-id"}],
        "rollouts": [{
            "name": "checkout",
            "baseline": {"name": "stable", "cluster": "checkout-v1"},
            "variants": variants.collect::<Vec<_>>(),
        }],
    })
    .to_string()
}
