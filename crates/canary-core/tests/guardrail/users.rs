//! Each user counts once, whichever workers see her.

use canary_core::guardrail::observations::Observations;
use canary_core::guardrail::pool::Pool;
use canary_core::guardrail::settings::Metric;

use crate::support::{CANARY, Rng, STABLE, Scene, errors};

fn evidence(scene: &mut Scene) -> f64 {
    let look = scene.look(1);
    look.metrics.iter().find(|said| said.metric == Metric::Errors).unwrap().log10_e
}

#[test]
fn a_user_counts_once_over_all_workers() {
    let evidence_of = |workers: usize, times: usize| {
        let mut scene = Scene::new(errors(1.0), 0.1);
        let mut others = vec![Observations::new(2, 0); workers];
        for _ in 0..times {
            for other in &mut others {
                other.failed(scene.drawn(CANARY, Some(7)));
            }
            for other in &mut others {
                scene.pool.merge(other);
                other.merged(&scene.pool);
                assert!(other.is_empty());
            }
        }
        evidence(&mut scene)
    };
    let once = evidence_of(1, 1);
    assert!(once > 0.1, "{once}");
    for (workers, times) in [(4, 1), (1, 50), (4, 50)] {
        let again = evidence_of(workers, times);
        assert!((again - once).abs() < 1e-12, "{workers} workers, {times} times: {again}, not {once}");
    }
}

#[test]
fn a_draw_for_one_request_is_a_unit_itself() {
    let of = |user: Option<u64>| {
        let mut scene = Scene::new(errors(1.0), 0.1);
        for _ in 0..3 {
            scene.failed(CANARY, user);
        }
        evidence(&mut scene)
    };
    assert!(of(None) > of(Some(1)) + 0.5);
}

#[test]
fn what_was_merged_but_not_written_is_not_lost() {
    let mut scene = Scene::new(errors(1.0), 0.1);
    scene.failed(CANARY, Some(1));
    let mut lost = scene.pool.clone();
    lost.merge(&scene.seen);
    assert!(evidence(&mut scene) > 0.1);
}

#[test]
fn users_are_forgotten_when_half_of_the_bits_are_taken_and_the_next_ones_weigh_less() {
    let mut scene = Scene::new(errors(1.0), 0.5);
    let mut rng = Rng(1);
    let mut users = 0;
    for draws in 1..10_000 {
        let user = rng.next();
        scene.failed(draws % 2, Some(user));
        let said = scene.look(1).metrics[0];
        let now = said.users.iter().sum();
        if now < users {
            assert_eq!(users, 4_096, "half of the bits");
            // 8192 ln 2 draws take them.
            assert!((5_400..6_000).contains(&draws), "{draws}");
            assert!((-1.1..-0.9).contains(&said.log10_e), "it begins with a tenth: {said:?}");
            return;
        }
        users = now;
    }
    panic!("nobody was forgotten");
}

#[test]
fn a_user_who_fails_all_day_counts_again_the_next() {
    let mut scene = Scene::new(errors(1.0), 0.1);
    for hour in 0..24 {
        scene.failed(CANARY, Some(1));
        let said = scene.look(3_600).metrics[0];
        assert_eq!((said.users, said.log10_e > -0.5), ([1, 0], true), "hour {hour}");
    }
    scene.seen.merged(&scene.pool);
    scene.failed(CANARY, Some(1));
    let said = scene.look(3_600).metrics[0];
    assert_eq!((said.users, said.log10_e < -0.5), ([1, 0], true), "{said:?}");
}

#[test]
fn no_more_splits_than_fit_are_told() {
    let mut scene = Scene::new(errors(1.0), 0.1);
    for ppm in 1..200 {
        scene.shares = [1_000_000 - ppm, ppm];
        scene.failed(STABLE, Some(u64::from(ppm)));
    }
    scene.pool.merge(&scene.seen);
    let bytes = scene.pool.to_bytes();
    let read = Pool::from_bytes(&bytes, 2, 0);
    assert_eq!(read.to_bytes(), bytes);
    assert_eq!(scene.look(1).breach, None);
}
