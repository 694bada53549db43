//! Envoy starts with something other than a good policy.

use crate::scene::{Answer, Core, Scene, envoy, one_variant, rendered};

const USERS: usize = 200;

/// Two problems.
const BAD: &str = r#"{"version": 2, "rollouts": [{"name": "none"}]}"#;

pub(crate) fn the_default_configuration_serves_before_there_is_a_policy() {
    // A discovery response without the filter in it.
    let scene = Scene::boot(envoy().ecds("{}"));
    all_stable(&scene);
    let good = one_variant(50.0);
    scene.load(&good);
    assert_eq!(scene.sides(USERS), Core::new(&good).sides(USERS));
}

pub(crate) fn a_bad_policy_at_boot_means_all_stable_until_a_good_one_comes() {
    let scene = Scene::boot(envoy().ecds(rendered(BAD).to_string()));
    all_stable(&scene);
    assert!(scene.stats().canary("canary_policy_errors_total", &[]) > 0, "{}", scene.filter_stats());
    let good = one_variant(50.0);
    scene.load(&good);
    assert_eq!(scene.sides(USERS), Core::new(&good).sides(USERS));
    // And from now on that is what a bad one leaves.
    scene.load_bad(&format!("{BAD} "));
    assert_eq!(scene.sides(USERS), Core::new(&good).sides(USERS));
}

pub(crate) fn problems_of_a_policy_at_boot_are_logged_once() {
    let scene = Scene::boot(envoy().ecds(rendered(BAD).to_string()));
    let problems = canary_core::policy::Policy::parse(BAD.as_bytes()).unwrap_err();
    for problem in &problems {
        let lines = scene.logged(&format!("policy problem: {problem}"));
        assert_eq!(lines.len(), 1, "{problem}: {lines:#?}");
    }
}

fn all_stable(scene: &Scene) {
    for mut client in scene.lab.clients(4).unwrap() {
        for number in 0..20 {
            let response = client.get("/", &[("x-user-id", &format!("user-{number}"))]).unwrap();
            let answer = Answer::of(&response);
            assert!(answer.is_stable(), "{answer:?}");
            assert_eq!((&answer.variant, &answer.stamp), (&None, &None));
        }
    }
}
