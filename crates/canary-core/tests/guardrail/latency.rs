//! Slowness: distinct users who wait longer than the baseline's percentiles.

use canary_core::guardrail::latency::{BUCKETS, bucket};
use canary_core::guardrail::report::Cause;
use canary_core::guardrail::settings::{Metric, Settings};

use crate::support::{CANARY, Rng, STABLE, Scene, quantiles, slowness};

#[test]
fn a_bucket_is_a_quarter_of_an_octave_from_a_quarter_of_a_millisecond() {
    for index in 0..BUCKETS {
        let start = 250.0 * 2_f64.powf(index as f64 / 4.0);
        assert_eq!(bucket((start * 1.0001).ceil() as u64), index, "{start}");
        assert_eq!(bucket((start * 0.9999).floor() as u64), index.saturating_sub(1), "{start}");
    }
    assert_eq!([0, 1, 249, u64::MAX].map(bucket), [0, 0, 0, BUCKETS - 1]);
}

/// A second of lognormal durations, each of a new user; how many the canary served.
fn second(scene: &mut Scene, rng: &mut Rng, rate: f64, sigma: f64, slower: impl Fn(&mut Rng) -> f64) -> u32 {
    pass(scene, rng, rate, sigma, true, slower)
}

/// The same; without `users` each request is a unit of its own, as in the table.
fn pass(
    scene: &mut Scene,
    rng: &mut Rng,
    rate: f64,
    sigma: f64,
    users: bool,
    slower: impl Fn(&mut Rng) -> f64,
) -> u32 {
    let mut served = 0;
    for side in [STABLE, CANARY] {
        served = rng.poisson(rate * f64::from(scene.shares[side]) / 1e6);
        for _ in 0..served {
            let slower = if side == CANARY { slower(rng) } else { 1.0 };
            let micros = 50_000.0 * (sigma * rng.normal()).exp() * slower;
            let user = users.then(|| rng.next());
            scene.took(side, user, micros as u64);
        }
        scene.served(side, served);
    }
    served
}

/// One that is to be found: its weight, the durations' sigma, and how much slower.
#[derive(Clone, Copy)]
struct Case {
    weight: f64,
    sigma: f64,
    users: bool,
    slower: fn(&mut Rng) -> f64,
}

/// After two minutes of the baseline alone: requests to the canary up to the breach.
fn found(settings: &Settings, case: Case, runs: u64) -> [f64; 2] {
    let Case { weight, sigma, users, slower } = case;
    let run = |seed| {
        let mut rng = Rng(0x51_0000 + seed);
        let mut scene = Scene::new(settings.clone(), 0.0);
        for _ in 0..120 {
            pass(&mut scene, &mut rng, 100.0, sigma, users, slower);
            scene.look(1);
        }
        scene.weigh(weight);
        let mut served = 0;
        (0..1_500).find_map(|_| {
            served += pass(&mut scene, &mut rng, 100.0, sigma, users, slower);
            scene.look(1).breach.map(|_| served)
        })
    };
    quantiles(&(0..runs).map(run).collect::<Vec<_>>())
}

fn half_slower(_: &mut Rng) -> f64 {
    1.5
}

fn some_much_slower(rng: &mut Rng) -> f64 {
    if rng.below(20) == 0 { 10.0 } else { 1.0 }
}

#[test]
fn a_canary_slower_by_half_is_found_after_200_requests() {
    let case = Case { weight: 0.01, sigma: 0.6, users: true, slower: half_slower };
    for (name, weight, table) in [("w 1 %", 0.01, 79.0), ("w 10 %", 0.1, 191.0)] {
        let [median, p90] = found(&slowness(1.0), Case { weight, ..case }, 60);
        println!("x1.5, {name}: median {median}, p90 {p90}; table {table}");
        assert!(median <= table * 1.2, "{median}");
    }
    let [median, p90] = found(&slowness(1.25), Case { weight: 0.1, ..case }, 40);
    println!("x1.5, w 10 %, r0 1.25: median {median}, p90 {p90}");
    assert!(median <= 400.0, "{median}");
}

#[test]
#[ignore = "minutes"]
fn the_whole_table_of_slowness() {
    for (ratio, users) in [(1.0, false), (1.0, true), (1.25, false), (1.25, true)] {
        for (name, weight, sigma, slower, table) in [
            ("x1.5, s0.6, w 1 %", 0.01, 0.6, half_slower as fn(&mut Rng) -> f64, 79.0),
            ("x1.5, s0.6, w 10 %", 0.1, 0.6, half_slower, 191.0),
            ("x1.5, s1.0, w 1 %", 0.01, 1.0, half_slower, 203.0),
            ("x1.5, s1.0, w 10 %", 0.1, 1.0, half_slower, 355.0),
            ("5 % x10, w 1 %", 0.01, 0.6, some_much_slower, 147.0),
        ] {
            let [median, p90] = found(&slowness(ratio), Case { weight, sigma, users, slower }, 400);
            println!("{name}, r0 {ratio}, users {users}: median {median}, p90 {p90}; table {table}");
        }
    }
}

#[test]
fn a_canary_as_fast_or_a_little_slower_is_borne() {
    for slower in [0.5, 1.0, 1.05] {
        let mut scene = Scene::new(slowness(1.25), 0.1);
        let mut rng = Rng(2);
        for _ in 0..1_000 {
            second(&mut scene, &mut rng, 50.0, 0.6, |_| slower);
            assert_eq!(scene.look(1).breach, None, "{slower}");
        }
    }
}

#[test]
fn a_canary_that_hangs_is_found_by_those_who_give_up() {
    for (gives_up, found) in [(60_000, false), (400_000, true), (15_000_000, true)] {
        let mut scene = Scene::new(Settings::default(), 0.0);
        let mut rng = Rng(3);
        for _ in 0..120 {
            second(&mut scene, &mut rng, 100.0, 0.6, |_| 1.0);
            scene.look(1);
        }
        scene.weigh(0.05);
        let breach = (0..60).find_map(|at| {
            second(&mut scene, &mut rng, 0.0, 0.6, |_| 1.0);
            for _ in 0..95 {
                let user = rng.next();
                let micros = 50_000.0 * (0.6 * rng.normal()).exp();
                scene.took(STABLE, Some(user), micros as u64);
            }
            scene.served(STABLE, 95);
            for _ in 0..5 {
                let user = rng.next();
                let drawn = scene.drawn(CANARY, Some(user));
                scene.seen.aborted(drawn, gives_up);
            }
            scene.look(1).breach.map(|breach| (at, breach))
        });
        assert_eq!(breach.is_some(), found, "after {gives_up}: {breach:?}");
        if let Some((at, breach)) = breach {
            assert!(matches!(breach.cause, Cause::Evidence(Metric::P90 | Metric::P99)));
            assert!(at < 30, "{at}");
            let line = breach.line(&scene.settings);
            assert!(line.starts_with("is slower: p9"), "{line}");
        }
    }
}

#[test]
fn nobody_is_slow_before_the_baseline_is_known() {
    let mut scene = Scene::new(slowness(1.25), 0.5);
    let mut rng = Rng(4);
    for _ in 0..300 {
        for _ in 0..10 {
            let user = rng.next();
            scene.took(CANARY, Some(user), 10_000_000);
        }
        scene.served(CANARY, 10);
        assert_eq!(scene.look(1).breach, None);
    }
    assert_eq!(scene.seen.thresholds().p90, None);
}

#[test]
fn what_is_slow_stays_so_for_a_minute() {
    let mut scene = Scene::new(slowness(1.25), 0.0);
    let mut rng = Rng(5);
    for _ in 0..60 {
        second(&mut scene, &mut rng, 100.0, 0.6, |_| 1.0);
        scene.look(1);
    }
    let frozen = scene.state.thresholds();
    let p90 = frozen.p90.unwrap();
    // exp(0.6 * 1.2816) times the median.
    assert!((105_000..111_000).contains(&p90), "{p90}");
    for _ in 0..59 {
        second(&mut scene, &mut rng, 100.0, 1.0, |_| 1.0);
        scene.look(1);
        assert_eq!(scene.state.thresholds(), frozen);
    }
    scene.look(1);
    assert!(scene.state.thresholds().p90.unwrap() > p90);
}
