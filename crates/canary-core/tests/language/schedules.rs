//! Weights that change by themselves: when, and who is moved.

use crate::support::{get, policy};
use canary_core::decide::{Ambient, decide};
use canary_core::policy::Policy;
use canary_core::rollback::NOTHING;
use canary_core::zone::parse_rfc3339;

const HOUR: i64 = 3_600;

fn at(text: &str) -> i64 {
    parse_rfc3339(text).unwrap()
}

/// One rollout with these fields; its variant's own weight is left out.
fn with(fields: &str) -> Policy {
    policy(&format!(
        r#"{{"version": 1, "identity": [{{"header": "x-user-id"}}], "geo": [{{"header": "x-geo-country"}}],
            "rollouts": [{{"name": "r", "bucket_by": ["identity"], "baseline": {{"name": "stable"}},
            "variants": [{{"name": "canary"}}]{fields}}}]}}"#
    ))
}

/// A schedule with these steps, and these fields.
fn schedule(steps: &[(&str, u32)], fields: &str) -> String {
    let step =
        |(from, weight): &(&str, u32)| format!(r#"{{"from": "{from}", "weights": {{"canary": {weight}}}}}"#);
    let steps: Vec<String> = steps.iter().map(step).collect();
    format!(r#""schedule": {{"steps": [{}]{fields}}}"#, steps.join(","))
}

/// The canary's weight in percent at these instants.
fn weights<const N: usize>(policy: &Policy, times: [&str; N]) -> [u32; N] {
    times.map(|time| {
        let ppm = policy.rollouts[0].effective_weights(at(time), &NOTHING).nth(1).unwrap().1;
        assert_eq!(ppm % 10_000, 0);
        ppm / 10_000
    })
}

/// When the weights change.
fn changes(policy: &Policy) -> Vec<i64> {
    policy.rollouts[0].timeline.changes().collect()
}

/// One step that falls due then, in these windows; when it comes into force.
fn step_in(from: &str, windows: &str) -> i64 {
    let policy = with(&format!(", {}", schedule(&[(from, 10)], &format!(r#", "windows": [{windows}]"#))));
    changes(&policy)[0]
}

#[test]
fn before_the_first_step_the_weight_is_0_and_then_each_step_holds_from_its_instant_on() {
    let policy = with(&format!(
        ", {}",
        schedule(&[("2026-12-01T09:00:00+01:00", 1), ("2026-12-02T08:00:00Z", 5)], "")
    ));
    let times = [
        "2026-12-01T07:59:59Z",
        "2026-12-01T08:00:00Z",
        "2026-12-02T07:59:59Z",
        "2026-12-02T08:00:00Z",
        "2036-01-01T00:00:00Z",
    ];
    assert_eq!(weights(&policy, times), [0, 1, 1, 5, 5]);
    assert_eq!(policy.next_change(at("2026-12-01T07:59:59Z")), Some(at("2026-12-01T08:00:00Z")));
    assert_eq!(policy.next_change(at("2026-12-02T08:00:00Z")), None);
}

#[test]
fn who_was_drawn_by_schedule_was_drawn_by_the_bucket() {
    let policy = with(&format!(", {}", schedule(&[("2026-12-01T00:00:00Z", 100)], "")));
    let decided = |now| {
        let decision = decide(&policy, &get(&[("x-user-id", "ann")]), Ambient::at(now));
        (decision.variant.unwrap().name.as_ref(), decision.reason.as_str())
    };
    assert_eq!(decided(at("2026-11-30T23:59:59Z")), ("stable", "SPLIT"));
    assert_eq!(decided(at("2026-12-01T00:00:00Z")), ("canary", "SPLIT"));
}

#[test]
fn a_variant_that_no_step_names_keeps_its_own_weight() {
    let policy = policy(
        r#"{"version": 1, "rollouts": [{"name": "r", "baseline": {"name": "stable"}, "variants": [{"name": "canary"}, {"name": "beta", "weight": 7}],
            "schedule": {"steps": [{"from": "2026-12-01T00:00:00Z", "weights": {"canary": 3}}]}}]}"#,
    );
    let ppm =
        |now| policy.rollouts[0].effective_weights(now, &NOTHING).map(|(_, ppm)| ppm).collect::<Vec<_>>();
    assert_eq!(ppm(0), [930_000, 0, 70_000]);
    assert_eq!(ppm(at("2026-12-01T00:00:00Z")), [900_000, 30_000, 70_000]);
}

#[test]
fn a_step_that_falls_due_outside_the_windows_waits_for_the_next_one() {
    let window = r#"{"days": ["mon", "tue", "wed", "thu"], "from": "09:00", "to": "17:00", "timezone": "Europe/Berlin"}"#;
    for (due, comes) in [
        ("2026-12-01T08:00:00Z", "2026-12-01T08:00:00Z"),
        ("2026-12-01T07:59:59Z", "2026-12-01T08:00:00Z"),
        ("2026-12-01T15:59:59Z", "2026-12-01T15:59:59Z"),
        ("2026-12-01T16:00:00Z", "2026-12-02T08:00:00Z"),
        // Thursday evening, Friday, Saturday: Monday.
        ("2026-12-03T16:00:00Z", "2026-12-07T08:00:00Z"),
        ("2026-12-04T10:00:00Z", "2026-12-07T08:00:00Z"),
        ("2026-12-05T23:30:00Z", "2026-12-07T08:00:00Z"),
        // In summer the clocks are two hours ahead.
        ("2026-07-01T03:00:00Z", "2026-07-01T07:00:00Z"),
    ] {
        assert_eq!(step_in(due, window), at(comes), "{due}");
    }
}

#[test]
fn one_open_window_is_enough() {
    let windows = r#"{"days": ["sat"], "from": "10:00", "to": "11:00", "timezone": "UTC"}, {"days": ["sat"], "from": "22:00", "to": "24:00", "timezone": "UTC"}"#;
    assert_eq!(step_in("2026-12-05T11:00:00Z", windows), at("2026-12-05T22:00:00Z"));
    assert_eq!(step_in("2026-12-06T00:00:00Z", windows), at("2026-12-12T10:00:00Z"));
}

#[test]
fn windows_follow_the_clocks_of_their_zone_over_daylight_saving() {
    let window = |from: &str, to: &str, zone: &str| {
        format!(r#"{{"from": "{from}", "to": "{to}", "timezone": "{zone}"}}"#)
    };
    for (due, from, to, zone, comes) in [
        // Forward, 2027-03-28 02:00 to 03:00: the hour is skipped, so the window opens a day later.
        ("2027-03-28T00:00:00Z", "02:00", "03:00", "Europe/Berlin", "2027-03-29T00:00:00Z"),
        // It begins in the skipped hour: it opens when that is over.
        ("2027-03-28T00:00:00Z", "02:30", "04:00", "Europe/Berlin", "2027-03-28T01:00:00Z"),
        // Back, 2026-10-25 03:00 to 02:00: the hour comes twice, and the window is open both times.
        ("2026-10-25T00:29:00Z", "02:30", "03:00", "Europe/Berlin", "2026-10-25T00:30:00Z"),
        ("2026-10-25T01:45:00Z", "02:30", "03:00", "Europe/Berlin", "2026-10-25T01:45:00Z"),
        ("2026-10-25T02:00:00Z", "02:30", "03:00", "Europe/Berlin", "2026-10-26T01:30:00Z"),
        // The day before and the day after the change.
        ("2026-03-07T15:00:00Z", "09:00", "09:30", "America/New_York", "2026-03-08T13:00:00Z"),
        ("2026-11-01T14:30:00Z", "09:00", "09:30", "America/New_York", "2026-11-02T14:00:00Z"),
        ("2026-03-08T06:59:00Z", "02:15", "02:45", "America/New_York", "2026-03-09T06:15:00Z"),
        // Half an hour of summer time: 02:00 to 02:30 forward, 02:00 to 01:30 back.
        ("2026-10-03T15:00:00Z", "02:00", "02:30", "Australia/Lord_Howe", "2026-10-04T15:00:00Z"),
        ("2026-10-03T15:00:00Z", "02:15", "03:00", "Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
        ("2026-04-04T15:10:00Z", "01:40", "01:50", "Australia/Lord_Howe", "2026-04-04T15:10:00Z"),
        // Five hours and three quarters, all year.
        ("2026-12-01T00:00:00Z", "09:00", "17:00", "Asia/Kathmandu", "2026-12-01T03:15:00Z"),
        ("2026-06-01T11:15:00Z", "09:00", "17:00", "Asia/Kathmandu", "2026-06-02T03:15:00Z"),
    ] {
        let came = step_in(due, &window(from, to, zone));
        assert_eq!(came, at(comes), "{due} in {from}-{to} {zone}: off by {} s", came - at(comes));
    }
}

#[test]
fn nobody_is_moved_during_a_freeze_and_of_the_steps_that_waited_the_last_one_counts() {
    let freeze = r#", "freezes": [{"from": "2026-12-18T00:00:00Z", "to": "2027-01-04T00:00:00Z", "reason": "Christmas"},
        {"from": "2027-01-04T00:00:00Z", "to": "2027-01-05T00:00:00Z"}]"#;
    let steps = [
        ("2026-12-17T00:00:00Z", 1),
        ("2026-12-20T00:00:00Z", 5),
        ("2026-12-24T00:00:00Z", 10),
        ("2027-01-06T00:00:00Z", 25),
    ];
    let policy = with(&format!(", {}", schedule(&steps, freeze)));
    let times = [
        "2026-12-17T00:00:00Z",
        "2026-12-31T00:00:00Z",
        "2027-01-04T23:59:59Z",
        "2027-01-05T00:00:00Z",
        "2027-01-06T00:00:00Z",
    ];
    assert_eq!(weights(&policy, times), [1, 1, 1, 10, 25]);
}

#[test]
fn a_freeze_that_ends_outside_the_windows_waits_for_the_next_one() {
    let fields = r#", "freezes": [{"from": "2026-12-18T00:00:00Z", "to": "2027-01-02T00:00:00Z"}],
        "windows": [{"days": ["mon"], "from": "09:00", "to": "10:00", "timezone": "UTC"}]"#;
    let policy = with(&format!(", {}", schedule(&[("2026-12-19T00:00:00Z", 5)], fields)));
    assert_eq!(changes(&policy), [at("2027-01-04T09:00:00Z")]);
}

#[test]
fn a_rule_has_a_schedule_of_its_own_ahead_of_the_others() {
    let rule = schedule(&[("2026-11-01T00:00:00Z", 50)], "");
    let policy = with(&format!(
        r#", {}, "rules": [{{"name": "nz", "when": {{"geo": ["NZ"]}}, {rule}}}]"#,
        schedule(&[("2026-12-01T00:00:00Z", 50)], "")
    ));
    let side = |user: &str, geo: &str, now: &str| {
        let request = get(&[("x-user-id", user), ("x-geo-country", geo)]);
        let decision = decide(&policy, &request, Ambient::at(at(now)));
        decision.variant.unwrap().name.to_string()
    };
    let drawn = |geo: &str, now: &str| {
        (0..400).filter(|user| side(&format!("u{user}"), geo, now) == "canary").collect::<Vec<_>>()
    };
    assert_eq!(drawn("NZ", "2026-10-31T00:00:00Z").len(), 0);
    assert_eq!(drawn("DE", "2026-11-02T00:00:00Z").len(), 0);
    let first = drawn("NZ", "2026-11-02T00:00:00Z");
    assert!((140..260).contains(&first.len()), "{}", first.len());
    assert_eq!(first, drawn("DE", "2026-12-02T00:00:00Z"), "it is the same draw, only earlier");
}

#[test]
fn weights_of_a_rule_stand_beside_a_schedule_of_the_others() {
    let policy = policy(
        r#"{"version": 1, "rollouts": [{"name": "r", "baseline": {"name": "stable"}, "variants": [{"name": "canary"}, {"name": "beta", "weight": 7}],
            "schedule": {"steps": [{"from": "2026-12-01T00:00:00Z", "weights": {"canary": 3}}]},
            "rules": [{"name": "x", "weights": {"beta": 20}}]}]}"#,
    );
    let rollout = &policy.rollouts[0];
    let ppm = |now| {
        rollout
            .split(rollout.rules.first(), now)
            .unwrap()
            .weights()
            .iter()
            .map(|weight| weight.ppm())
            .collect::<Vec<_>>()
    };
    assert_eq!(ppm(0), [0, 200_000]);
    assert_eq!(ppm(at("2026-12-01T00:00:00Z")), [30_000, 200_000]);
}

#[test]
fn weights_of_operators_replace_a_schedule() {
    let text = format!(
        r#"{{"version": 1, "rollouts": [{{"name": "r", "baseline": {{"name": "stable"}}, "variants": [{{"name": "canary"}}], {}}}],
            "state": {{"r": {{"weights": {{"canary": 2}}}}}}}}"#,
        schedule(&[("2026-12-01T00:00:00Z", 50)], "")
    );
    let policy = policy(&text);
    assert_eq!(weights(&policy, ["2026-11-01T00:00:00Z", "2026-12-02T00:00:00Z"]), [2, 2]);
}

#[test]
fn the_range_of_a_rolled_back_variant_stands_still_from_then_on() {
    let text = |state: &str| {
        format!(
            r#"{{"version": 1, "identity": [{{"header": "x-user-id"}}], "rollouts": [{{"name": "r", "baseline": {{"name": "stable"}},
                "variants": [{{"name": "canary"}}, {{"name": "beta", "weight": 50}}], {}}}], "state": {{"r": {state}}}}}"#,
            schedule(&[("2026-12-01T00:00:00Z", 10), ("2026-12-02T00:00:00Z", 50)], "")
        )
    };
    let policy = policy(&text(r#"{"rolled_back": ["canary"], "since": "2026-12-01T12:00:00Z"}"#));
    let now = at("2026-12-03T00:00:00Z");
    assert_eq!(policy.rollouts[0].timeline.at(now).weights()[0].ppm(), 100_000);
    assert_eq!(
        policy.rollouts[0].effective_weights(now, &NOTHING).map(|(_, ppm)| ppm).collect::<Vec<_>>(),
        [500_000, 0, 500_000]
    );
    let lifted = crate::support::policy(&text("{}"));
    assert_eq!(lifted.rollouts[0].timeline.at(now).weights()[0].ppm(), 500_000);
}

#[test]
fn a_rules_schedule_stands_still_with_its_variant() {
    let rule = schedule(&[("2026-12-01T00:00:00Z", 20), ("2026-12-02T00:00:00Z", 60)], "");
    let text = format!(
        r#"{{"version": 1, "rollouts": [{{"name": "r", "baseline": {{"name": "stable"}}, "variants": [{{"name": "canary", "weight": 1}}],
            "rules": [{{"name": "x", {rule}}}]}}], "state": {{"r": {{"rolled_back": ["canary"], "since": "2026-12-01T12:00:00Z"}}}}}}"#
    );
    let policy = policy(&text);
    let rollout = &policy.rollouts[0];
    let weights = rollout.split(rollout.rules.first(), at("2026-12-03T00:00:00Z")).unwrap().weights();
    assert_eq!(weights[0].ppm(), 200_000);
}

#[test]
fn a_rollback_is_never_refused_for_want_of_room() {
    let text = r#"{"version": 1, "rollouts": [{"name": "r", "baseline": {"name": "stable"}, "variants": [{"name": "a"}, {"name": "b"}],
        "schedule": {"steps": [{"from": "2026-12-01T00:00:00Z", "weights": {"a": 60, "b": 10}}, {"from": "2026-12-02T00:00:00Z", "weights": {"a": 0, "b": 60}}]}}],
        "state": {"r": {"rolled_back": ["a"], "since": "2026-12-01T12:00:00Z"}}}"#;
    let policy = policy(text);
    let weights = |now| {
        policy.rollouts[0]
            .timeline
            .at(at(now))
            .weights()
            .iter()
            .map(|weight| weight.ppm())
            .collect::<Vec<_>>()
    };
    assert_eq!(weights("2026-12-01T13:00:00Z"), [600_000, 100_000]);
    assert_eq!(weights("2026-12-03T00:00:00Z"), [400_000, 600_000], "it gives way");
}

#[test]
fn a_calendar_that_is_as_full_as_can_be_is_worked_out_at_once() {
    let step = |i: i64| {
        format!(r#"{{"from": "2026-01-01T{:02}:{:02}:00Z", "weights": {{"canary": 1}}}}"#, i / 60, i % 60)
    };
    let freeze = |week: i64| {
        let monday = 4 + week * 7;
        format!(r#"{{"from": "{}", "to": "{}"}}"#, day(monday), day(monday + 2))
    };
    let windows =
        vec![r#"{"days": ["mon"], "from": "09:00", "to": "09:01", "timezone": "America/New_York"}"#; 20]
            .join(",");
    let steps: Vec<String> = (0..1_000).map(step).collect();
    let freezes: Vec<String> = (0..200).map(freeze).collect();
    let text = format!(
        r#", "schedule": {{"steps": [{}], "windows": [{windows}], "freezes": [{}]}}"#,
        steps.join(","),
        freezes.join(",")
    );
    let policy = with(&text);
    // All wait for the first Monday after the last freeze, and the last one counts.
    assert_eq!(changes(&policy).len(), 1);
}

/// So many days after 2026-01-01.
fn day(days: i64) -> String {
    let (mut year, mut left) = (2026, days);
    loop {
        let length = if year % 4 == 0 { 366 } else { 365 };
        if left < length {
            break;
        }
        left -= length;
        year += 1;
    }
    let mut month = 1;
    for length in [31, if year % 4 == 0 { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}T00:00:00Z", left + 1)
}

/// A year in steps of one hour: a ramp of two variants in two regions, in windows and freezes,
/// with a rollback in the middle.
#[test]
fn over_a_year_weights_only_rise_between_rollbacks_and_users_only_move_in() {
    let fields = r#", "windows": [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:30", "to": "16:00", "timezone": "America/New_York"}],
        "freezes": [{"from": "2026-12-20T00:00:00Z", "to": "2027-01-04T00:00:00Z"}]"#;
    let steps: Vec<(String, u32)> = (1..=12)
        .map(|month| (format!("2026-{month:02}-{:02}T{:02}:00:00Z", month * 2, month), month * 4))
        .collect();
    let step = |(from, canary): &(String, u32)| {
        format!(r#"{{"from": "{from}", "weights": {{"canary": {canary}, "beta": {}}}}}"#, canary / 2)
    };
    let text = |state: &str| {
        format!(
            r#"{{"version": 1, "identity": [{{"header": "x-user-id"}}], "rollouts": [{{"name": "r", "baseline": {{"name": "stable"}},
                "variants": [{{"name": "canary"}}, {{"name": "beta"}}], "schedule": {{"steps": [{}]{fields}}}}}]{state}}}"#,
            steps.iter().map(step).collect::<Vec<_>>().join(",")
        )
    };
    let plain = policy(&text(""));
    let rolled_back = policy(&text(r#", "state": {"r": {"rolled_back": ["canary"]}}"#));
    let another_proxy = policy(&text(""));
    let users: Vec<_> = (0..300).map(|user| get(&[("x-user-id", &format!("user-{user}"))])).collect();
    let start = at("2026-01-01T00:00:00Z");
    let rollback = at("2026-06-15T00:00:00Z")..at("2026-06-20T00:00:00Z");
    let mut before = vec!["stable".to_owned(); users.len()];
    let mut weight_before = 0;
    let mut moved = 0;
    for hour in 0..365 * 24 {
        let now = start + hour * HOUR;
        let policy = if rollback.contains(&now) { &rolled_back } else { &plain };
        let weight =
            policy.rollouts[0].effective_weights(now, &NOTHING).skip(1).map(|(_, ppm)| ppm).sum::<u32>();
        let boundary = rollback.contains(&now) != rollback.contains(&(now - HOUR));
        assert!(weight >= weight_before || boundary, "hour {hour}: {weight_before} to {weight}");
        weight_before = weight;
        for (user, before) in users.iter().zip(&mut before) {
            let side =
                |policy: &Policy| decide(policy, user, Ambient::at(now)).variant.unwrap().name.to_string();
            let after = side(policy);
            if &after != before {
                assert!(before == "stable" || boundary, "hour {hour}: {before} to {after}");
                moved += 1;
                *before = after;
            }
        }
        if hour % 97 == 0 {
            let agree = |user| {
                decide(&plain, user, Ambient::at(now)).point
                    == decide(&another_proxy, user, Ambient::at(now)).point
            };
            assert!(users.iter().all(agree));
        }
    }
    assert!(moved > 100, "only {moved} moves: the test sees nothing");
    assert!(before.iter().any(|side| side == "canary") && before.iter().any(|side| side == "beta"));
}
