//! Features for a part of a variant's users.

use canary_lab::Request;
use serde_json::json;

use crate::scene::{
    Core, Scene, assert_share, bootstrap, bootstrap_without, echoing, envoy_with, rendered, rollout, user,
};

/// So that hundreds are on the canary.
const USERS: usize = 6_000;

/// One user in ten gets the canary, and one in five of those the new dashboard.
fn policy() -> String {
    let flags = json!([
        {"name": "new_dashboard", "percent": 20},
        {"name": "fast_search", "percent": 50, "variants": ["stable", "canary"]},
    ]);
    rollout(10.0, &json!({"flags": flags})).to_string()
}

fn scene(bootstrap: &str) -> Scene {
    let bootstrap = echoing(bootstrap, "flags", "X-FEATURE-FLAGS");
    Scene::boot(envoy_with(bootstrap).ecds(rendered(&policy()).to_string()))
}

fn has(flags: Option<&str>, name: &str) -> bool {
    flags.is_some_and(|flags| flags.split(',').any(|flag| flag == name))
}

pub(crate) fn a_part_of_the_variants_users_has_the_feature_and_services_are_told() {
    let core = Core::new(&policy());
    let scene = scene(&bootstrap());
    let answers = scene.answers(USERS, |number| Request::get("/").header("x-user-id", user(number)));
    let mut canary = 0;
    let mut on = [0; 2];
    let mut searching = [0; 2];
    for (number, answer) in answers.iter().enumerate() {
        let side = answer.side().unwrap();
        assert_eq!(side, core.side(number));
        assert_eq!(answer.flags, core.flags(number), "user {number}");
        let [dashboard, search] =
            ["new_dashboard", "fast_search"].map(|name| has(answer.flags.as_deref(), name));
        if side == "canary" {
            canary += 1;
            on[0] += usize::from(dashboard);
            searching[0] += usize::from(dashboard && search);
        } else {
            assert!(!dashboard, "user {number} is not on the canary");
        }
        on[1] += usize::from(search);
        searching[1] += usize::from(search && side == "canary");
    }
    assert_share(canary, USERS, 0.1);
    assert_share(on[0], canary, 0.2);
    assert_share(on[1], USERS, 0.5);
    // The side, and each other flag, tell nothing of a flag.
    assert_share(searching[1], canary, 0.5);
    assert_share(searching[0], on[0], 0.5);

    for (flag, on, of) in [("new_dashboard", on[0], canary), ("fast_search", on[1], USERS)] {
        for (value, count) in [("on", on), ("off", of - on)] {
            let labels = [("rollout", "checkout"), ("flag", flag), ("value", value)];
            scene.wait_for_exactly("canary_flag_evaluations_total", &labels, count.try_into().unwrap());
        }
    }
    let all = u64::try_from(canary + USERS).unwrap();
    assert_eq!(scene.stats().canary("canary_flag_evaluations_total", &[]), all);
}

pub(crate) fn a_client_cannot_give_itself_a_feature() {
    let core = Core::new(&policy());
    let with =
        |flags: Option<&str>| (0..USERS).find(|number| core.flags(*number).as_deref() == flags).unwrap();
    for bootstrap in [bootstrap(), bootstrap_without("stamps")] {
        let scene = scene(&bootstrap);
        for flags in [None, Some("fast_search"), Some("new_dashboard"), Some("fast_search,new_dashboard")] {
            let request = Request::get("/")
                .header("x-user-id", user(with(flags)))
                .header("x-feature-flags", "new_dashboard")
                .header("X-Feature-Flags", "admin");
            assert_eq!(scene.ask(&request).flags.as_deref(), flags);
        }
        let nobody = Request::get("/").header("x-feature-flags", "new_dashboard");
        assert_eq!(scene.ask(&nobody).flags, None);
    }
}
