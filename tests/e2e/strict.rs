//! `CANARY_STRICT=1`: a bad policy is refused, and Envoy tells whoever sent it.

use canary_lab::Verdict;
use canaryctl::render::{Options, ecds};
use serde_json::Value;

use crate::scene::{Answer, Core, Scene, envoy, one_variant, plugin, rendered};

const USERS: usize = 200;
const BAD: &str = r#"{"version": 1, "rollouts": "all"}"#;

pub(crate) fn a_strict_filter_refuses_a_bad_policy_and_keeps_the_old_one() {
    let good = one_variant(30.0);
    let builder = envoy().env("CANARY_STRICT", "1").ecds(rendered(&good).to_string());
    refuses(&Scene::boot(builder), &good, &rendered(BAD));
}

pub(crate) fn a_policy_rendered_strict_refuses_without_the_environment() {
    let strict = |policy: &str| ecds(policy, &Options { strict: true, ..Options::default() });
    let good = one_variant(30.0);
    refuses(&Scene::boot(envoy().ecds(strict(&good).to_string())), &good, &strict(BAD));
}

pub(crate) fn a_refused_policy_at_boot_leaves_the_default_configuration() {
    let scene = Scene::boot(envoy().env("CANARY_STRICT", "1").ecds(rendered(BAD).to_string()));
    assert_eq!(scene.stats().get("extension_config_discovery.http_filter.canary.update_rejected"), Some(1));
    for mut client in scene.lab.clients(4).unwrap() {
        let answer = Answer::of(&client.get("/", &[("x-user-id", "alice")]).unwrap());
        assert!(answer.is_stable() && answer.variant.is_none(), "{answer:?}");
    }
    let good = one_variant(30.0);
    scene.load(&good);
    assert_eq!(scene.sides(USERS), Core::new(&good).sides(USERS));
}

fn refuses(scene: &Scene, good: &str, bad: &Value) {
    let core = Core::new(good);
    assert_eq!(scene.sides(USERS), core.sides(USERS));
    // A gauge is set on a tick.
    scene.wait_for_exactly("canary_policy_info", &[], core.digest());

    assert_eq!(scene.lab.push_and_wait(&bad.to_string()).unwrap(), Verdict::Rejected);

    assert_eq!(scene.sides(USERS), core.sides(USERS));
    let stats = scene.stats();
    assert_eq!(stats.get("extension_config_discovery.http_filter.canary.update_rejected"), Some(1));
    assert_eq!(stats.canary("canary_policy_errors_total", &[]), 1, "only the VM on trial has seen it");
    assert_eq!(stats.canary("canary_policy_info", &[]), core.digest());
    assert_eq!(scene.logged("policy refused").len(), 1);

    // A good one mends it.
    let next = one_variant(60.0);
    let mut next_response = bad.clone();
    plugin(&mut next_response)["configuration"]["value"] = next.as_str().into();
    scene.push_until("canary_policy_loads_total", &next_response);
    assert_eq!(scene.sides(USERS), Core::new(&next).sides(USERS));
}
