//! Weights that change by themselves, while nothing is pushed.

use std::time::Duration;

use canary_core::timeline::Instant;
use canary_core::zone::{Zone, parse_rfc3339};
use canary_lab::wait_until;
use canaryctl::clock;
use serde_json::{Value, json};

use crate::scene::{Core, NO_ROLLOUTS, PATIENCE, Scene, rollout};

const USERS: usize = 300;

/// Until a step, in seconds: a policy has to be loaded and everyone asked before, which takes a
/// busy machine longer.
const AHEAD: [Instant; 3] = [4, 20, 90];

/// An instant as policies write it: of all days the one that the core reads as this.
fn rfc3339(at: Instant) -> String {
    const DAY: i64 = 24 * 3_600;
    let midnight = at - at.rem_euclid(DAY);
    let days = (2026..2100).flat_map(|year| (0..12 * 31).map(move |day| (year, day / 31 + 1, day % 31 + 1)));
    let mut dates = days.map(|(year, month, day)| format!("{year}-{month:02}-{day:02}T"));
    let date = dates.find(|date| parse_rfc3339(&format!("{date}00:00:00Z")) == Some(midnight)).unwrap();
    let seconds = at - midnight;
    format!("{date}{:02}:{:02}:{:02}Z", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

fn policy(schedule: &Value) -> String {
    let mut policy = rollout(0.0, &json!({"schedule": schedule}));
    policy["rollouts"][0]["variants"][0].as_object_mut().unwrap().remove("weight");
    policy.to_string()
}

/// Loads a policy that moves users so many seconds from now, and makes sure that nobody has been
/// moved yet. Returns the policy and when it moves them.
fn before(scene: &Scene, policy: impl Fn(Instant, Instant) -> String) -> (String, Instant, Instant) {
    for ahead in AHEAD {
        let at = clock::now() + ahead;
        let policy = policy(at, ahead);
        scene.load(&policy);
        weight(scene, 0);
        let sides = scene.sides(USERS);
        if clock::now() < at {
            assert!(sides.iter().all(|side| side == "stable"), "{sides:?}");
            return (policy, at, ahead);
        }
    }
    panic!("this machine is too slow");
}

/// Asks everyone until all of them, on every worker, are where the core has them at an instant.
fn all_follow(scene: &Scene, policy: &str, at: Instant) -> Vec<String> {
    let expected = Core::at(policy, at).sides(USERS);
    // The first answers may still be of before.
    let left = Duration::from_secs(u64::try_from(at - clock::now()).unwrap_or_default());
    let followed = || Ok((scene.sides(USERS) == expected).then(clock::now));
    let followed = wait_until(left + PATIENCE, "everyone to follow", followed).unwrap();
    assert!(followed >= at, "{} seconds too early", at - followed);
    assert_eq!(scene.sides(USERS), expected, "nobody goes back");
    expected
}

fn weight(scene: &Scene, ppm: u64) {
    for (side, ppm) in [("canary", ppm), ("stable", 1_000_000 - ppm)] {
        scene.wait_for(&format!("the weight of {side} to be {ppm}"), |stats| {
            let mut series = stats.series("canary_weight_ppm");
            series.find(|series| series.label("variant") == Some(side) && series.value == ppm)
        });
    }
}

pub(crate) fn steps_come_into_force_by_themselves_and_move_users_into_the_canary_only() {
    let scene = Scene::serving(NO_ROLLOUTS);
    let (policy, first, ahead) = before(&scene, |first, ahead| {
        policy(&json!({"steps": [
            {"from": rfc3339(first), "weights": {"canary": 20}},
            {"from": rfc3339(first + ahead), "weights": {"canary": 60}},
        ]}))
    });
    let loads = scene.stats().canary("canary_policy_loads_total", &[]);

    let at_first = all_follow(&scene, &policy, first);
    weight(&scene, 200_000);
    let at_second = all_follow(&scene, &policy, first + ahead);
    weight(&scene, 600_000);

    for (number, (first, second)) in at_first.iter().zip(&at_second).enumerate() {
        assert!(first == "stable" || second == "canary", "user {number} left the canary");
    }
    assert_eq!(scene.stats().canary("canary_policy_loads_total", &[]), loads, "nothing was pushed");
}

pub(crate) fn a_step_that_is_due_waits_for_the_end_of_the_freeze() {
    let scene = Scene::serving(NO_ROLLOUTS);
    let (policy, thaw, _) = before(&scene, |thaw, _| {
        policy(&json!({
            "steps": [{"from": rfc3339(thaw - 3_600), "weights": {"canary": 50}}],
            "freezes": [{"from": rfc3339(thaw - 7_200), "to": rfc3339(thaw)}],
        }))
    });

    all_follow(&scene, &policy, thaw);
    weight(&scene, 500_000);
}

pub(crate) fn a_step_that_is_due_does_not_come_into_force_outside_of_its_windows() {
    let now = clock::now();
    // In some hours, by clocks that are not UTC's.
    let zone = "Asia/Kathmandu";
    let hour = Zone::find(zone).unwrap().local(now).seconds / 3_600;
    let (opens, closes) = if hour < 12 { ("18:00", "19:00") } else { ("06:00", "07:00") };
    let within = |from: &str, to: &str| {
        policy(&json!({
            "steps": [{"from": rfc3339(now - 60), "weights": {"canary": 50}}],
            "windows": [{"from": from, "to": to, "timezone": zone}],
        }))
    };
    let scene = Scene::serving(&within(opens, closes));
    assert!(scene.sides(USERS).iter().all(|side| side == "stable"));
    weight(&scene, 0);

    let open = within("00:00", "24:00");
    scene.load(&open);
    all_follow(&scene, &open, now);
    weight(&scene, 500_000);
}
