//! The judgement by evidence: what counts, and what it takes.

use canary_core::guardrail::report::{Cause, Verdict};
use canary_core::guardrail::settings::{EventDrop, Metric, Settings};

use crate::support::{CANARY, Rng, STABLE, Scene, errors};

/// One second in which so many users of each side fail, as they would with another split as well.
fn second(scene: &mut Scene, rng: &mut Rng, served: [u32; 2], failing: [u32; 2]) {
    for side in [STABLE, CANARY] {
        scene.served(side, served[side]);
        for _ in 0..failing[side] {
            let user = rng.next();
            scene.failed(side, Some(user));
        }
    }
}

#[test]
fn the_breach_says_what_was_found_in_figures() {
    let mut scene = Scene::new(errors(1.25), 0.1);
    let mut rng = Rng(1);
    let breach = (0..60).find_map(|_| {
        second(&mut scene, &mut rng, [90, 10], [1, 1]);
        scene.look(1).breach
    });
    let breach = breach.unwrap();
    assert_eq!(breach.cause, Cause::Evidence(Metric::Errors));
    assert!(breach.log10_e >= 2.0 && (breach.log10_needed - 2.0).abs() < 1e-9, "{breach:?}");
    let line = breach.line(&scene.settings);
    assert!(line.starts_with("fails more often: 10 % ("), "{line}");
    assert!(line.contains(", baseline 1.11 % (") && line.ends_with("10^2 needed"), "{line}");
}

#[test]
fn each_user_has_the_share_of_the_split_that_drew_her() {
    // Half of the users come by a rule that gives the canary nine tenths; there nine of ten who
    // fail are its. Against the share of all it would look bad.
    let mut scene = Scene::new(errors(1.0), 0.1);
    let mut rng = Rng(2);
    for _ in 0..600 {
        scene.weigh(0.1);
        second(&mut scene, &mut rng, [90, 10], [9, 1]);
        scene.weigh(0.9);
        second(&mut scene, &mut rng, [10, 90], [1, 9]);
        let look = scene.look(1);
        assert_eq!((look.breach, look.log10_e < 1.0), (None, true));
    }
}

#[test]
fn a_difference_too_small_to_matter_is_no_reason() {
    let strict = Settings { min_difference: 0.0, ..errors(1.0) };
    for (settings, found) in [(errors(1.0), false), (strict, true)] {
        let mut scene = Scene::new(settings, 0.5);
        let mut rng = Rng(3);
        // 0.1 % and 0.2 %: a sure thing, and a small one.
        let breach = (0..1_000).find_map(|_| {
            second(&mut scene, &mut rng, [1_000, 1_000], [1, 2]);
            scene.look(1).breach
        });
        assert_eq!(breach.is_some(), found);
    }
}

#[test]
fn a_ratio_that_is_tolerated_is_borne() {
    let mut scene = Scene::new(errors(2.0), 0.5);
    let mut rng = Rng(4);
    for _ in 0..1_000 {
        second(&mut scene, &mut rng, [100, 100], [3, 6]);
        assert_eq!(scene.look(1).breach, None);
    }
    let found = (0..100).any(|_| {
        second(&mut scene, &mut rng, [100, 100], [3, 15]);
        scene.look(1).breach.is_some()
    });
    assert!(found);
}

#[test]
fn a_larger_fleet_needs_more_evidence() {
    let fleet = Settings { fleet_size: 100, ..errors(1.25) };
    assert!((fleet.threshold() - 1e4_f64.ln()).abs() < 1e-9);
    let found = |settings: Settings| {
        let mut scene = Scene::new(settings, 0.1);
        let mut rng = Rng(5);
        (0..600).find(|_| {
            second(&mut scene, &mut rng, [900, 100], [9, 3]);
            scene.look(1).breach.is_some()
        })
    };
    assert!(found(fleet).unwrap() > found(errors(1.25)).unwrap());
}

#[test]
fn a_variant_is_told_to_be_suspicious_before_it_is_refused() {
    let mut scene = Scene::new(errors(1.25), 0.1);
    let mut rng = Rng(6);
    let mut verdicts = Vec::new();
    for at in 0..200 {
        second(&mut scene, &mut rng, [90, 10], [u32::from(at % 2 == 0), u32::from(at % 5 == 0)]);
        verdicts.push(scene.look(1).verdict);
    }
    verdicts.dedup();
    assert_eq!(verdicts[0], Verdict::TooLittleData);
    assert_eq!(verdicts[verdicts.len() - 2..], [Verdict::Suspicious, Verdict::Breached]);
}

#[test]
fn each_variant_is_judged_against_the_baseline_alone() {
    use canary_core::bucket::Point;
    use canary_core::guardrail::observations::{Drawn, Observations};
    use canary_core::guardrail::pool::Pool;
    use canary_core::guardrail::state::State;
    use canary_core::split::VariantId;
    let settings = errors(1.25);
    let (mut seen, mut pool, mut state) = (Observations::new(3, 0), Pool::new(3, 0), State::new(3, 0));
    let shares = [800_000, 100_000, 100_000];
    let sides = [VariantId::BASELINE, VariantId::variant(0), VariantId::variant(1)];
    let mut rng = Rng(7);
    let mut found = [false; 2];
    for _ in 0..120 {
        for ((side, served), failed) in sides.into_iter().zip([80, 10, 10]).zip([1, 0, 1]) {
            seen.served(side, served);
            for _ in 0..failed {
                let user = Some(Point::new(rng.next()));
                seen.failed(Drawn { side, user, shares: shares.into_iter() });
            }
        }
        pool.merge(&seen);
        seen.merged(&pool);
        let totals = pool.take(&settings, state.thresholds(), 1);
        let report = state.tick(&settings, &totals, &shares, 1);
        for judgement in report.variants {
            found[judgement.variant.slot() - 1] |= judgement.breach.is_some();
        }
    }
    assert_eq!(found, [false, true], "the good one is not taken along");
}

fn purchases(rates: [f64; 2], seconds: u32, seed: u64) -> Option<String> {
    let drop = EventDrop { name: "purchase".into(), max_drop: 20.0 };
    let settings = Settings { errors: None, latency: None, events: [drop].into(), ..Settings::default() };
    let mut scene = Scene::new(settings, 0.1);
    let mut rng = Rng(seed);
    let breach = (0..seconds).find_map(|_| {
        for side in [STABLE, CANARY] {
            let requests = f64::from(scene.shares[side]) / 1e4;
            scene.served(side, requests as u32);
            for _ in 0..rng.poisson(requests * rates[side]) {
                let user = rng.next();
                let drawn = scene.drawn(side, Some(user));
                scene.seen.event(&drawn, 0);
            }
        }
        scene.look(1).breach
    });
    breach.map(|breach| breach.line(&scene.settings))
}

#[test]
fn a_drop_of_a_business_event_is_found_and_a_small_one_borne() {
    for seed in 0..5 {
        assert_eq!(purchases([0.02, 0.02], 3_000, seed), None);
        assert_eq!(purchases([0.02, 0.03], 3_000, seed), None);
        assert_eq!(purchases([0.02, 0.018], 3_000, seed), None);
        let line = purchases([0.02, 0.008], 3_000, seed).unwrap();
        assert!(line.starts_with("has less of purchase: "), "{line}");
        assert!(purchases([0.02, 0.0], 600, seed).is_some());
    }
}
