//! `state.rolled_back`, written by an operator.

use serde_json::json;

use crate::scene::{Core, NO_ROLLOUTS, Scene, three_variants, with_state};

const USERS: usize = 1_200;

pub(crate) fn a_rollback_moves_the_variants_users_to_the_baseline_and_nobody_else() {
    let policy = three_variants([20.0, 25.0, 15.0]);
    let rolled_back = with_state(&policy, &json!({"rolled_back": ["beta"]}));
    let scene = Scene::serving(&policy);
    let before = scene.sides(USERS);
    assert_eq!(before, Core::new(&policy).sides(USERS));
    for side in ["stable", "canary", "beta", "gamma"] {
        let count = before.iter().filter(|name| *name == side).count();
        assert!(count > 100, "only {count} users on {side}");
    }
    assert!(scene.logged_decisions(USERS, 1).iter().all(|decision| decision.contains("reason=SPLIT")));
    weights(&scene, [400_000, 200_000, 250_000, 150_000]);

    scene.load(&rolled_back);
    let after = scene.sides(USERS);

    for (number, (before, after)) in before.iter().zip(&after).enumerate() {
        let expected = if before == "beta" { "stable" } else { before };
        assert_eq!(after, expected, "user {number} was on {before}");
    }
    let core = Core::new(&rolled_back);
    let decisions = scene.logged_decisions(USERS, 2);
    let expected: Vec<_> = (0..USERS).map(|number| core.user(number).to_string()).collect();
    assert_eq!(decisions, expected);
    let told = decisions.iter().filter(|decision| decision.contains(" reason=ROLLED_BACK ")).count();
    assert_eq!(told, before.iter().filter(|side| *side == "beta").count());
    let moved = u64::try_from(told).unwrap();
    scene.wait_for_exactly("canary_decisions_total", &[("reason", "ROLLED_BACK")], moved);
    weights(&scene, [650_000, 200_000, 0, 150_000]);
    gauge(&scene, "canary_rolled_back", "beta", 1);
    for side in ["stable", "canary", "gamma"] {
        gauge(&scene, "canary_rolled_back", side, 0);
    }

    // Taken back, everyone is where they were.
    scene.load(&format!("{policy} "));
    assert_eq!(scene.sides(USERS), before);
    weights(&scene, [400_000, 200_000, 250_000, 150_000]);
    gauge(&scene, "canary_rolled_back", "beta", 0);
}

pub(crate) fn gauges_of_a_rollout_that_left_the_policy_go_to_zero() {
    let policy = with_state(&three_variants([20.0, 25.0, 15.0]), &json!({"rolled_back": ["beta"]}));
    let scene = Scene::serving(&policy);
    weights(&scene, [650_000, 200_000, 0, 150_000]);
    gauge(&scene, "canary_rolled_back", "beta", 1);

    scene.load(NO_ROLLOUTS);

    weights(&scene, [0, 0, 0, 0]);
    gauge(&scene, "canary_rolled_back", "beta", 0);
    // Back again, so are they.
    scene.load(&format!("{policy} "));
    weights(&scene, [650_000, 200_000, 0, 150_000]);
}

fn weights(scene: &Scene, ppm: [u64; 4]) {
    for (side, ppm) in ["stable", "canary", "beta", "gamma"].into_iter().zip(ppm) {
        gauge(scene, "canary_weight_ppm", side, ppm);
    }
}

/// Waits until a gauge is there and has this value.
fn gauge(scene: &Scene, metric: &str, variant: &str, value: u64) {
    scene.wait_for(&format!("{metric} of {variant} to be {value}"), |stats| {
        let series = stats.series(metric).find(|series| series.label("variant") == Some(variant))?;
        (series.value == value && series.label("rollout") == Some("checkout")).then_some(())
    });
}
