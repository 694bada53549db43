//! What should not happen, and does.

use canary_core::guardrail::report::{Judgement, Verdict};
use canary_core::guardrail::settings::{Errors, EventDrop, Latency, Settings};

use crate::support::{CANARY, Rng, STABLE, Scene, errors};

/// Every lane is on.
fn everything() -> Settings {
    Settings {
        errors: Some(Errors { max_rate: Some(1.0), ..Errors::default() }),
        latency: Some(Latency { max_increase: Some(50.0), ..Latency::default() }),
        events: [EventDrop { name: "purchase".into(), max_drop: 20.0 }].into(),
        ..Settings::default()
    }
}

fn assert_quiet(look: &Judgement, what: &str) {
    assert_eq!(look.breach, None, "{what}");
    assert!(look.log10_e.is_finite(), "{what}: {look:?}");
    assert!(look.metrics.iter().all(|said| said.log10_e.is_finite()), "{what}: {look:?}");
}

/// So many requests of each side in each second, of which so many fail; all slow, all with events.
fn run(scene: &mut Scene, seconds: u32, served: [u32; 2], failing: [u32; 2], what: &str) -> Verdict {
    let mut rng = Rng(1);
    let mut verdict = Verdict::Off;
    for _ in 0..seconds {
        for side in [STABLE, CANARY] {
            scene.served(side, served[side]);
            for _ in 0..failing[side] {
                let user = rng.next();
                scene.failed(side, Some(user));
            }
            for _ in 0..served[side].min(10) {
                let user = rng.next();
                scene.took(side, Some(user), 100_000);
                let drawn = scene.drawn(side, Some(user));
                scene.seen.event(&drawn, 0);
            }
        }
        let look = scene.look(1);
        assert_quiet(&look, what);
        verdict = look.verdict;
    }
    verdict
}

#[test]
fn a_side_without_traffic_is_not_compared() {
    let mut scene = Scene::new(everything(), 0.1);
    assert_eq!(run(&mut scene, 400, [0, 0], [0, 0], "nothing at all"), Verdict::TooLittleData);
    let mut scene = Scene::new(everything(), 0.1);
    assert_eq!(run(&mut scene, 400, [0, 20], [0, 10], "no stable traffic"), Verdict::TooLittleData);
    let mut scene = Scene::new(everything(), 0.1);
    assert_eq!(run(&mut scene, 400, [20, 0], [10, 0], "no canary traffic"), Verdict::TooLittleData);
}

#[test]
fn a_weight_of_nothing_or_everything_is_off() {
    let mut scene = Scene::new(everything(), 0.0);
    assert_eq!(run(&mut scene, 400, [20, 0], [10, 0], "weight 0"), Verdict::Off);
    let mut scene = Scene::new(everything(), 1.0);
    assert_eq!(run(&mut scene, 400, [0, 20], [0, 10], "weight 100"), Verdict::Off);
    // Shares say that it cannot be.
    let mut scene = Scene::new(everything(), 0.0);
    run(&mut scene, 400, [20, 20], [1, 1], "weight 0 with traffic");
}

#[test]
fn errors_everywhere_are_everybodys() {
    let mut scene = Scene::new(everything(), 0.5);
    run(&mut scene, 400, [20, 20], [20, 20], "all fail");
}

#[test]
fn counters_at_their_end_stay_there() {
    let mut scene = Scene::new(everything(), 0.5);
    for side in [STABLE, CANARY] {
        for _ in 0..3 {
            scene.served(side, u32::MAX);
        }
    }
    run(&mut scene, 400, [u32::MAX, u32::MAX], [5, 5], "2^32 requests");
}

#[test]
fn evidence_of_a_world_of_failures_is_still_a_number() {
    use canary_core::guardrail::e_process::{Outcomes, Process};
    for share in [1e-6, 0.5, 1.0 - 1e-6, 0.0, 1.0, f64::NAN, f64::INFINITY] {
        for (variant, baseline) in [(u32::MAX, 0), (0, u32::MAX), (u32::MAX, u32::MAX)] {
            let mut process = Process::default();
            for _ in 0..1_000 {
                process.look(1.25, [Outcomes { share, variant, baseline }]);
                assert!(process.log_e().is_finite(), "{share}, {variant} of {baseline}");
            }
        }
    }
}

#[test]
fn a_pause_is_a_pause_whatever_its_length() {
    for ticks in [0, 1, 60, 3_600, 86_400, u32::MAX] {
        let mut scene = Scene::new(everything(), 0.5);
        run(&mut scene, 120, [100, 100], [1, 1], "before");
        let look = scene.look(ticks);
        assert_quiet(&look, "the pause");
        if ticks >= 3_600 {
            assert_eq!(look.served.requests, 0, "the window has passed");
        }
        run(&mut scene, 400, [100, 100], [1, 1], "after");
    }
}

#[test]
fn missing_ticks_delay_a_verdict_and_do_not_change_it() {
    let found = |every: u32| {
        let mut scene = Scene::new(errors(1.25), 0.1);
        let mut rng = Rng(2);
        (1..1_200).find(|second| {
            scene.served(STABLE, 90);
            scene.served(CANARY, 10);
            for side in [STABLE, CANARY] {
                for _ in 0..rng.poisson(if side == CANARY { 0.5 } else { 0.9 }) {
                    let user = rng.next();
                    scene.failed(side, Some(user));
                }
            }
            second % every == 0 && scene.look(every).breach.is_some()
        })
    };
    let (each, minutely) = (found(1).unwrap(), found(60).unwrap());
    assert!(minutely < each + 61, "{each}, and {minutely}");
}

#[test]
fn settings_out_of_range_do_no_harm() {
    let odd = [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e308];
    for value in odd {
        let settings = Settings {
            errors: Some(Errors { max_rate: None, window: 0, tolerated_ratio: value }),
            latency: Some(Latency { max_increase: None, window: 0, tolerated_ratio: value }),
            events: [EventDrop { name: "e".into(), max_drop: value }].into(),
            alpha: value,
            fleet_size: 0,
            ..Settings::default()
        };
        assert!(settings.threshold().is_finite());
        let mut scene = Scene::new(settings, 0.5);
        run(&mut scene, 100, [20, 20], [1, 1], "odd settings");
    }
}
