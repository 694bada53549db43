//! A filter without a policy.

use serde_json::{Value, json};

use crate::scene::{Scene, envoy, plugin, rendered};

pub(crate) fn no_configuration_is_all_stable_and_warned_about_once() {
    let mut response = rendered("");
    plugin(&mut response).as_object_mut().unwrap().remove("configuration");
    serves_stable_and_warns_once(&response);
}

/// A mistake that is easily made: the policy itself where its text should be. Envoy passes over
/// what it does not know in it, so that an empty text arrives.
pub(crate) fn an_object_as_a_string_value_is_all_stable_or_refused() {
    let mut response = rendered("");
    plugin(&mut response)["configuration"]["value"] = json!({"version": 1});
    serves_stable_and_warns_once(&response);
}

fn serves_stable_and_warns_once(response: &Value) {
    let scene = Scene::boot(envoy().ecds(response.to_string()));
    for mut client in scene.lab.clients(4).unwrap() {
        let response = client.get("/", &[("x-user-id", "alice")]).unwrap();
        let answer = crate::scene::Answer::of(&response);
        assert!(answer.is_stable() && answer.variant.is_none(), "{answer:?}");
    }
    let stats = scene.stats();
    assert_eq!(stats.canary("canary_policy_errors_total", &[]), 0);
    assert!(stats.canary("canary_policy_loads_total", &[]) > 0);
    let warnings = scene.logged("policy empty");
    // The bootstrap's default has no policy either: one warning for all that is the same.
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(warnings[0].contains("[warning]"), "{warnings:?}");
}
