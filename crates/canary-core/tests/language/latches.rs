//! What the guardrail has rolled back outlives policies, and ends with a release or a resume.

use crate::support::policy;
use canary_core::latch::Latches;
use canary_core::policy::Policy;

/// The rollout `shop` with these fields, after the rollout `other`.
fn shop(release: &str, fields: &str, state: &str) -> Policy {
    policy(&format!(
        r#"{{"version": 1, "rollouts": [
            {{"name": "other", "match": {{"hosts": ["x"]}}, "baseline": {{"name": "stable"}}, "variants": [{{"name": "canary", "weight": 1}}]}},
            {{"name": "shop", "release": "{release}", "baseline": {{"name": "stable"}},
            "variants": [{{"name": "beta", "weight": 20}}, {{"name": "canary", "weight": 30}}], "guardrail": {{"errors": {{}}{fields}}}}}], "state": {{{state}}}}}"#
    ))
}

/// The effective weights of `shop`, in percent: the baseline's, beta's and the canary's.
fn weights(policy: &Policy, latches: &Latches, now: u64) -> Vec<u32> {
    let rollbacks = latches.rollbacks(policy, now);
    let shop = policy.rollouts.last().unwrap();
    shop.effective_weights(0, &rollbacks).map(|(_, ppm)| ppm / 10_000).collect()
}

/// The canary of `v1` was rolled back at 1,000 s.
fn tripped() -> Latches {
    let mut latches = Latches::default();
    let policy = shop("v1", "", "");
    let rollout = policy.rollouts.last().unwrap();
    latches.latch(rollout, &rollout.variants[2], 1_000);
    latches
}

#[test]
fn a_rollback_survives_shared_data_and_whoever_edits_the_policy() {
    let latches = Latches::read(&tripped().write());
    assert_eq!(latches, tripped());
    assert_eq!(weights(&shop("v1", "", ""), &latches, 1_000), [80, 20, 0]);
    let edited = policy(
        r#"{"version": 1, "rollouts": [{"name": "shop", "release": "v1", "baseline": {"name": "stable"},
            "variants": [{"name": "canary", "weight": 50}, {"name": "gamma", "weight": 10}]}]}"#,
    );
    assert_eq!(weights(&edited, &latches, 9_999), [90, 0, 10], "and with the guardrail gone");
}

#[test]
fn a_new_release_is_another_and_the_old_one_is_still_rolled_back() {
    assert_eq!(weights(&shop("v2", "", ""), &tripped(), 1_000), [50, 20, 30]);
    assert_eq!(weights(&shop("v1", "", ""), &tripped(), 1_000), [80, 20, 0]);
}

#[test]
fn a_resume_that_is_new_begins_anew_and_one_that_was_seen_does_nothing() {
    let mut latches = tripped();
    let resumed = |text: &str| shop("v1", "", &format!(r#""shop": {{"resume": "{text}"}}"#));
    assert_eq!(latches.resume(&shop("v1", "", "")), []);
    assert_eq!(latches.resume(&resumed("a")), [resumed("a").rollouts[1].id]);
    assert_eq!(weights(&resumed("a"), &latches, 2_000), [50, 20, 30]);
    let mut again = Latches::read(&latches.write());
    let policy = resumed("a");
    again.latch(&policy.rollouts[1], &policy.rollouts[1].variants[2], 3_000);
    assert_eq!(again.resume(&policy), [], "seen");
    assert_eq!(weights(&policy, &again, 3_000), [80, 20, 0]);
    assert_eq!(again.resume(&resumed("b")).len(), 1);
    assert_eq!(again.resume(&resumed("a")), [], "seen long ago");
}

#[test]
fn users_go_back_over_the_time_that_the_policy_gives() {
    let slow = shop("v1", r#", "rollback_over": "100s""#, "");
    let at = |now| weights(&slow, &tripped(), now);
    assert_eq!(at(1_000), [50, 20, 30]);
    assert_eq!(at(1_050), [65, 20, 15]);
    assert_eq!(at(1_100), [80, 20, 0]);
    assert_eq!(at(5), [50, 20, 30], "a clock that went back takes nothing more");
}

#[test]
fn whatever_is_shared_is_read() {
    for shared in ["", "\n\n", "rolled back", "rolled back\ta\tb\tx\tr", "resumed\ta\tz", "what\tis\tthis\t?"]
    {
        assert_eq!(Latches::read(shared.as_bytes()), Latches::default(), "{shared:?}");
    }
    assert_eq!(Latches::read(&[0xff; 10]), Latches::default());
}

#[test]
fn what_has_become_the_baseline_is_not_rolled_back() {
    let swapped = policy(
        r#"{"version": 1, "rollouts": [{"name": "shop", "release": "v1", "baseline": {"name": "canary"},
            "variants": [{"name": "stable", "weight": 40}]}]}"#,
    );
    assert_eq!(weights(&swapped, &tripped(), 9_999), [60, 40]);
}

#[test]
fn a_resume_counts_though_the_guardrail_is_gone() {
    let text = r#"{"version": 1, "rollouts": [{"name": "shop", "release": "v1", "baseline": {"name": "stable"},
        "variants": [{"name": "canary", "weight": 50}]}], "state": {"shop": {"resume": "now"}}}"#;
    let unwatched = policy(text);
    let mut latches = tripped();
    assert_eq!(weights(&unwatched, &latches, 9_999), [100, 0]);
    latches.resume(&unwatched);
    assert_eq!(weights(&unwatched, &latches, 9_999), [50, 50]);
}
