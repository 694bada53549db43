//! What is rolled back while a policy is in force.

use crate::support::{Request, get, policy};
use canary_core::decide::{Ambient, decide};
use canary_core::policy::Policy;
use canary_core::rollback::{NOTHING, Rollback, Rollbacks};
use canary_core::split::Weight;

const USERS: u32 = 20_000;

/// 30 % canary, 20 % beta, and employees on the canary.
fn shop() -> Policy {
    policy(
        r#"{"version": 1, "identity": [{"header": "x-user-id"}], "rollouts": [{"name": "r", "baseline": {"name": "stable"},
            "variants": [{"name": "canary", "weight": 30}, {"name": "beta", "weight": 20}], "rules": [
            {"name": "employees", "when": {"header": {"name": "x-employee", "present": true}}, "variant": "canary"}]}]}"#,
    )
}

/// The canary, of whose range this part is left.
fn canary(policy: &Policy, kept: Weight) -> Rollbacks {
    let rollout = &policy.rollouts[0];
    [Rollback { rollout: rollout.id, variant: rollout.variants[1].id, kept }].into_iter().collect()
}

fn percent(percent: f64) -> Weight {
    Weight::from_percent(percent).unwrap()
}

/// The side of each user, and the reason.
fn sides<'p>(policy: &'p Policy, rollbacks: &Rollbacks) -> Vec<(&'p str, &'static str)> {
    (0..USERS).map(|number| side(policy, &get(&[("x-user-id", &format!("u{number}"))]), rollbacks)).collect()
}

fn side<'p>(policy: &'p Policy, request: &Request, rollbacks: &Rollbacks) -> (&'p str, &'static str) {
    let decision = decide(policy, request, Ambient { rollbacks, ..Ambient::at(0) });
    (&decision.variant.unwrap().name, decision.reason.as_str())
}

#[test]
fn the_variants_users_get_the_baseline_and_nobody_else_moves() {
    let policy = shop();
    let before = sides(&policy, &NOTHING);
    for (before, after) in before.into_iter().zip(sides(&policy, &canary(&policy, Weight::NONE))) {
        match before {
            ("canary", _) => assert_eq!(after, ("stable", "ROLLED_BACK")),
            other => assert_eq!(after, other),
        }
    }
}

#[test]
fn over_time_users_leave_from_the_top_of_the_range_and_nobody_comes_back() {
    let policy = shop();
    let mut before = sides(&policy, &NOTHING);
    let all = before.iter().filter(|side| side.0 == "canary").count();
    for kept in [90.0, 50.0, 10.0, 0.0] {
        let after = sides(&policy, &canary(&policy, percent(kept)));
        let stayed = after.iter().filter(|side| side.0 == "canary").count();
        let due = all * (kept as usize) / 100;
        assert!(stayed.abs_diff(due) < 150, "{kept} %: {stayed}, due {due}");
        for (before, after) in before.iter().zip(&after) {
            let moved = *before != *after;
            assert!(!moved || (before.0, after.0) == ("canary", "stable"), "{before:?} to {after:?}");
        }
        before = after;
    }
}

#[test]
fn who_is_pinned_goes_at_once() {
    let policy = shop();
    let employee = get(&[("x-employee", "1")]);
    assert_eq!(side(&policy, &employee, &NOTHING), ("canary", "TARGETING_MATCH"));
    assert_eq!(side(&policy, &employee, &canary(&policy, percent(99.0))), ("stable", "ROLLED_BACK"));
}

#[test]
fn weights_and_what_a_draw_lets_expect_follow() {
    let policy = shop();
    let rollout = &policy.rollouts[0];
    let half = canary(&policy, percent(50.0));
    let weights: Vec<_> = rollout.effective_weights(0, &half).map(|(_, ppm)| ppm).collect();
    assert_eq!(weights, [650_000, 150_000, 200_000]);
    assert!(rollout.is_rolled_back(&rollout.variants[1], &half));
    assert!(!rollout.is_rolled_back(&rollout.variants[2], &half));
}

#[test]
fn what_the_policys_state_took_stays_taken() {
    let text = r#"{"version": 1, "identity": [{"header": "x-user-id"}], "rollouts": [{"name": "r", "baseline": {"name": "stable"},
        "variants": [{"name": "canary", "weight": 100}]}], "state": {"r": {"rolled_back": ["canary"]}}}"#;
    let policy = policy(text);
    assert_eq!(sides(&policy, &canary(&policy, percent(50.0)))[0], ("stable", "ROLLED_BACK"));
}
