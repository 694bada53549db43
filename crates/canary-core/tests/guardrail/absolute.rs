//! The lanes that need no evidence: the breaker and the article's own rules.

use canary_core::guardrail::report::{Breach, Cause, Verdict};
use canary_core::guardrail::settings::{Errors, Latency, Settings};

use crate::support::{CANARY, Rng, STABLE, Scene, errors};

/// So many per mille fail, evenly, each time a new user.
fn seconds(
    scene: &mut Scene,
    rng: &mut Rng,
    seconds: u32,
    requests: [u32; 2],
    failing: [u32; 2],
) -> Option<Breach> {
    let mut due = [0; 2];
    (0..seconds).find_map(|_| {
        for side in [STABLE, CANARY] {
            scene.served(side, requests[side]);
            due[side] += requests[side] * failing[side];
            while due[side] >= 1_000 {
                due[side] -= 1_000;
                let user = rng.next();
                scene.failed(side, Some(user));
            }
        }
        scene.look(1).breach
    })
}

fn above_one_percent() -> Settings {
    let errors = Errors { max_rate: Some(1.0), ..Errors::default() };
    // So that evidence has no say.
    Settings { errors: Some(errors), alpha: 1e-300, ..Settings::errors_only() }
}

#[test]
fn an_error_rate_above_one_percent_for_five_minutes_is_refused_then_and_not_before() {
    let mut scene = Scene::new(above_one_percent(), 0.5);
    let mut rng = Rng(1);
    assert_eq!(seconds(&mut scene, &mut rng, 299, [100, 100], [2, 15]), None);
    let breach = seconds(&mut scene, &mut rng, 1, [100, 100], [2, 15]).unwrap();
    assert_eq!((breach.cause, breach.window), (Cause::Rate, 300));
    assert!((0.0138..=0.0152).contains(&breach.variant.rate()), "{breach:?}");
    let line = breach.line(&scene.settings);
    assert!(line.starts_with("is above the error rate: 1.4"), "{line}");
    assert!(line.contains("users, ") && line.ends_with("in 300 s"), "{line}");
}

#[test]
fn a_rate_below_the_limit_or_no_worse_than_the_baselines_is_borne() {
    for failing in [[2, 9], [0, 10], [20, 22], [300, 300], [1_000, 15]] {
        let mut scene = Scene::new(above_one_percent(), 0.5);
        assert_eq!(seconds(&mut scene, &mut Rng(2), 900, [100, 100], failing), None, "{failing:?}");
    }
}

#[test]
fn a_rate_of_few_requests_or_few_users_is_no_rate() {
    let mut rng = Rng(3);
    let mut scene = Scene::new(above_one_percent(), 0.01);
    for _ in 0..900 {
        scene.served(STABLE, 100);
        scene.look(1);
    }
    for _ in 0..4 {
        scene.served(CANARY, 10);
        let user = rng.next();
        scene.failed(CANARY, Some(user));
        assert_eq!(scene.look(1).breach, None);
    }
}

#[test]
fn latency_higher_by_half_is_refused_when_it_lasts() {
    let latency = Latency { max_increase: Some(50.0), ..Latency::default() };
    let settings = Settings { errors: None, latency: Some(latency), alpha: 1e-300, ..Settings::default() };
    for (slower, found) in [(1.4, false), (1.7, true)] {
        let mut scene = Scene::new(settings.clone(), 0.5);
        let mut rng = Rng(4);
        let breach = (0..900).find_map(|second| {
            for side in [STABLE, CANARY] {
                for _ in 0..20 {
                    let slower = if side == CANARY { slower } else { 1.0 };
                    let micros = 50_000.0 * (0.6 * rng.normal()).exp() * slower;
                    let user = rng.next();
                    scene.took(side, Some(user), micros as u64);
                }
                scene.served(side, 20);
            }
            scene.look(1).breach.map(|breach| (second, breach))
        });
        assert_eq!(breach.is_some(), found, "{slower}: {breach:?}");
        if let Some((second, breach)) = breach {
            assert!((299..400).contains(&second), "at {second}");
            assert_eq!(breach.cause, Cause::Slowdown);
            assert!(breach.line(&scene.settings).starts_with("is too slow for 300 s: p90 "));
        }
    }
}

#[test]
fn the_breaker_needs_no_evidence_but_distinct_users() {
    let settings = Settings { alpha: 1e-300, ..Settings::errors_only() };
    for (users, found) in [(4, false), (5, true)] {
        let mut scene = Scene::new(settings.clone(), 0.5);
        for user in 0..users {
            // Each of them tries again and again.
            for _ in 0..10 {
                scene.served(CANARY, 1);
                scene.failed(CANARY, Some(user));
            }
        }
        scene.served(STABLE, 100);
        let look = scene.look(1);
        assert_eq!(look.breach.map(|breach| breach.cause), found.then_some(Cause::Breaker), "{users}");
    }
}

#[test]
fn nothing_comparative_trips_when_both_are_down_or_the_baseline_is() {
    let settings =
        Settings { errors: Some(Errors { max_rate: Some(1.0), ..Errors::default() }), ..errors(1.25) };
    for failing in [[1_000, 1_000], [1_000, 0], [1_000, 10], [900, 950]] {
        let mut scene = Scene::new(settings.clone(), 0.1);
        let found = seconds(&mut scene, &mut Rng(5), 900, [90, 10], failing);
        assert_eq!(found, None, "{failing:?}");
    }
}

#[test]
fn what_was_found_is_told_once_and_stays_until_somebody_resumes() {
    let mut scene = Scene::new(errors(1.25), 0.1);
    let mut rng = Rng(6);
    assert!(seconds(&mut scene, &mut rng, 60, [90, 10], [1, 500]).is_some());
    for _ in 0..100 {
        let look = scene.look(1);
        assert_eq!((look.verdict, look.breach), (Verdict::Breached, None));
    }
    let canary = scene.drawn(CANARY, None).side;
    assert!(scene.state.breach(canary).is_some());
    scene.state.resume(canary);
    scene.pool = canary_core::guardrail::pool::Pool::new(2, 0);
    let look = scene.look(1);
    assert_eq!((look.verdict, look.breach), (Verdict::TooLittleData, None));
    assert!(look.log10_e.abs() < 0.2, "{look:?}");
    assert_eq!(seconds(&mut scene, &mut rng, 600, [90, 10], [1, 1]), None);
    assert!(seconds(&mut scene, &mut rng, 60, [90, 10], [1, 500]).is_some(), "it is watched again");
}

#[test]
fn one_client_trips_nothing_however_much_it_sends() {
    let latency = Latency { max_increase: Some(50.0), ..Latency::default() };
    let settings = Settings {
        errors: Some(Errors { max_rate: Some(1.0), ..Errors::default() }),
        latency: Some(latency),
        ..Settings::default()
    };
    let mut scene = Scene::new(settings, 0.05);
    let mut rng = Rng(7);
    for second in 0..1_200 {
        for _ in 0..95 {
            let user = rng.next();
            let micros = 50_000.0 * (0.6 * rng.normal()).exp();
            scene.took(STABLE, Some(user), micros as u64);
        }
        scene.served(STABLE, 95);
        scene.served(CANARY, 5);
        if second >= 300 {
            for _ in 0..56 {
                scene.served(CANARY, 1);
                scene.failed(CANARY, Some(42));
                scene.took(CANARY, Some(42), 30_000_000);
            }
        }
        assert_eq!(scene.look(1).breach, None, "second {second}");
    }
}
