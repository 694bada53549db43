//! A bad policy is pushed into an Envoy that serves a good one.

use crate::scene::{Core, Scene, VMS, one_variant, rendered_for_new_vms};

const USERS: usize = 300;

/// Three problems.
const BAD: &str = r#"{
    "version": 1,
    "identity": [{"header": "x user id"}],
    "rollouts": [{
        "name": "checkout",
        "baseline": {"name": "stable"},
        "variants": [{"name": "canary", "weight": 120}],
        "colour": "red"
    }]
}"#;

fn problems() -> Vec<String> {
    let problems = canary_core::policy::Policy::parse(BAD.as_bytes()).unwrap_err();
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 3, "{problems:?}");
    problems
}

pub(crate) fn a_bad_policy_leaves_the_last_good_one_serving() {
    let good = one_variant(30.0);
    let core = Core::new(&good);
    let scene = Scene::serving(&good);
    assert_eq!(scene.sides(USERS), core.sides(USERS));
    scene.wait_for_exactly("canary_policy_info", &[], core.digest());
    let loads = scene.stats().canary("canary_policy_loads_total", &[]);

    scene.load_bad(BAD);

    assert_eq!(scene.sides(USERS), core.sides(USERS));
    // Another one, as bad: nor does it matter how often.
    scene.load_bad(&format!("{BAD} "));
    let stats = scene.stats();
    assert_eq!(stats.canary("canary_policy_errors_total", &[]), 2 * VMS);
    assert_eq!(stats.canary("canary_policy_loads_total", &[]), loads);
    assert_eq!(stats.canary("canary_policy_info", &[]), core.digest());
    assert_eq!(stats.canary("canary_weight_ppm", &[("variant", "canary")]), 300_000);
    assert_eq!(stats.get("extension_config_discovery.http_filter.canary.update_rejected"), Some(0));
    assert_eq!(scene.logged("the last good policy").len(), 2);

    // It is no dead end.
    let next = one_variant(60.0);
    scene.load(&next);
    assert_eq!(scene.sides(USERS), Core::new(&next).sides(USERS));
}

pub(crate) fn each_problem_is_logged_once_and_not_by_every_vm() {
    let scene = Scene::serving(&one_variant(30.0));
    scene.load_bad(BAD);
    for problem in problems() {
        let lines = scene.logged(&format!("policy problem: {problem}"));
        assert_eq!(lines.len(), 1, "{problem}: {lines:#?}");
        assert!(lines[0].contains("[error]"), "{lines:?}");
    }
}

pub(crate) fn a_vm_built_anew_takes_over_the_last_good_policy() {
    let good = one_variant(30.0);
    let core = Core::new(&good);
    let scene = Scene::serving(&good);
    assert_eq!(scene.sides(USERS), core.sides(USERS));
    let vms = || scene.stats().get("wasm.envoy.wasm.runtime.v8.created").unwrap();
    let before = vms();

    scene.push_until("canary_policy_errors_total", &rendered_for_new_vms(BAD));

    assert!(vms() >= before + VMS - 1, "no new VMs: {before} before, {} after", vms());
    assert_eq!(scene.sides(USERS), core.sides(USERS), "every worker decides by the last good policy");
    scene.wait_for_exactly("canary_policy_info", &[], core.digest());
    for problem in problems() {
        assert_eq!(scene.logged(&format!("policy problem: {problem}")).len(), 1, "{problem}");
    }
    assert_eq!(scene.logged("no rollouts, there is no good policy yet"), Vec::<String>::new());
}
