//! What is shared, as bytes, and what it costs.

use canary_core::guardrail::pool::Pool;
use canary_core::guardrail::settings::Settings;
use canary_core::guardrail::state::State;

use crate::support::{CANARY, Rng, STABLE, Scene};

/// After some minutes of everything.
fn lived() -> Scene {
    let mut scene = Scene::new(Settings::default(), 0.1);
    let mut rng = Rng(1);
    for _ in 0..300 {
        for side in [STABLE, CANARY] {
            scene.served(side, 20);
            for _ in 0..3 {
                let user = rng.next();
                scene.failed(side, Some(user));
                scene.took(side, Some(user), user % 1_000_000);
            }
        }
        scene.look(1);
    }
    assert!(scene.state.breach(scene.drawn(CANARY, None).side).is_some(), "a latch is in it, too");
    scene.failed(CANARY, Some(1));
    scene.pool.merge(&scene.seen);
    scene
}

#[test]
fn what_is_written_is_read() {
    let scene = lived();
    let (pool, state) = (scene.pool.to_bytes(), scene.state.to_bytes());
    assert_eq!(Pool::from_bytes(&pool, 2, 0).to_bytes(), pool);
    assert_eq!(State::from_bytes(&state, 2, 0), scene.state);
}

#[test]
fn what_is_damaged_or_of_another_shape_is_empty() {
    let scene = lived();
    let (pool, state) = (scene.pool.to_bytes(), scene.state.to_bytes());
    let assert_empty = |pool: &[u8], state: &[u8], sides, events| {
        assert_eq!(Pool::from_bytes(pool, sides, events).to_bytes(), Pool::new(sides, events).to_bytes());
        assert_eq!(State::from_bytes(state, sides, events), State::new(sides, events));
    };
    assert_empty(&pool, &state, 3, 0);
    assert_empty(&pool, &state, 2, 1);
    assert_empty(&state, &pool, 2, 0);
    let mut rng = Rng(2);
    for _ in 0..2_000 {
        let damaged = |bytes: &[u8], rng: &mut Rng| {
            let mut bytes = bytes.to_vec();
            match rng.below(3) {
                0 => bytes.truncate(rng.below(bytes.len())),
                1 => bytes.extend([0; 8]),
                _ => {
                    let place = rng.below(bytes.len());
                    bytes[place] ^= 1 << rng.below(8);
                }
            }
            bytes
        };
        assert_empty(&damaged(&pool, &mut rng), &damaged(&state, &mut rng), 2, 0);
    }
    for bytes in [vec![], vec![0], vec![1], vec![255; 4_096], vec![1; 9]] {
        assert_empty(&bytes, &bytes, 2, 0);
    }
}

#[test]
fn it_goes_on_over_bytes_as_without() {
    let mut plain = Scene::new(Settings::default(), 0.1);
    let mut shared = Scene::new(Settings::default(), 0.1);
    for seed in 0..200 {
        for scene in [&mut plain, &mut shared] {
            let mut rng = Rng(seed);
            scene.served(STABLE, 90);
            scene.served(CANARY, 10);
            let user = rng.next();
            scene.failed(rng.below(2), Some(user));
            scene.took(rng.below(2), Some(user), user % 1_000_000);
        }
        shared.pool = Pool::from_bytes(&shared.pool.to_bytes(), 2, 0);
        shared.state = State::from_bytes(&shared.state.to_bytes(), 2, 0);
        assert_eq!(plain.look(1), shared.look(1));
    }
}

#[test]
fn a_rollout_takes_no_more_bytes_than_is_said() {
    let (pool, state) = (Pool::new(2, 0).to_bytes().len(), State::new(2, 0).to_bytes().len());
    println!("one canary: pool {pool} B, state {state} B");
    assert!(pool <= 5_000 && state <= 2_000, "{pool} and {state}");
    let grown = lived();
    assert!(grown.pool.to_bytes().len() <= pool + 4 * 32 * 16);
    assert!(grown.state.to_bytes().len() <= state + 128);
}

/// Of the measurement.
const ROUNDS: u32 = 300;

#[test]
#[ignore = "a measurement: in a release build"]
#[allow(clippy::disallowed_methods, reason = "a measurement")]
fn the_cost_of_a_tick_with_a_hundred_rollouts() {
    let mut scenes: Vec<Scene> = (0..100).map(|_| Scene::new(Settings::default(), 0.1)).collect();
    let mut rng = Rng(3);
    let mut cost = [0_u128; 3];
    for _ in 0..ROUNDS {
        for scene in &mut scenes {
            for side in [STABLE, CANARY] {
                scene.served(side, 50);
                let user = rng.next();
                scene.failed(side, Some(user));
                for _ in 0..50 {
                    let user = rng.next();
                    scene.took(side, Some(user), user % 200_000);
                }
            }
            let start = std::time::Instant::now();
            scene.pool = Pool::from_bytes(&scene.pool.to_bytes(), 2, 0);
            scene.pool.merge(&scene.seen);
            scene.seen.merged(&scene.pool);
            let merged = start.elapsed().as_nanos();
            let totals = scene.pool.take(&scene.settings, scene.state.thresholds(), 1);
            scene.state = State::from_bytes(&scene.state.to_bytes(), 2, 0);
            let read = start.elapsed().as_nanos();
            scene.state.tick(&scene.settings, &totals, &scene.shares, 1);
            let judged = start.elapsed().as_nanos();
            cost[0] += merged;
            cost[1] += read - merged;
            cost[2] += judged - read;
        }
    }
    let [merge, take, judge] = cost.map(|nanos| nanos / u128::from(ROUNDS) / 1_000);
    println!("100 rollouts: merge {merge} µs, take and state's bytes {take} µs, judgement {judge} µs");
}
