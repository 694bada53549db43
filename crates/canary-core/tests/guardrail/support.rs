//! Traffic made up, told to the real code.

use canary_core::bucket::Point;
use canary_core::guardrail::observations::{Drawn, Observations};
use canary_core::guardrail::pool::Pool;
use canary_core::guardrail::report::{Breach, Judgement};
use canary_core::guardrail::settings::{Errors, Latency, Settings};
use canary_core::guardrail::state::State;
use canary_core::split::VariantId;

pub(crate) const CANARY: usize = 1;
pub(crate) const STABLE: usize = 0;

/// splitmix64.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    pub(crate) fn normal(&mut self) -> f64 {
        let (radius, angle) = (1.0 - self.unit(), self.unit());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }

    /// By inversion; in pieces, so that `e^-mean` is no zero.
    pub(crate) fn poisson(&mut self, mean: f64) -> u32 {
        if mean > 30.0 {
            return self.poisson(30.0) + self.poisson(mean - 30.0);
        }
        let (mut left, mut chance, mut count) = (self.unit(), (-mean).exp(), 0);
        while left > chance && count < 200 {
            left -= chance;
            count += 1;
            chance *= mean / f64::from(count);
        }
        count
    }
}

/// One rollout with a stable and a canary side, one worker and one judge.
pub(crate) struct Scene {
    pub(crate) settings: Settings,
    pub(crate) seen: Observations,
    pub(crate) pool: Pool,
    pub(crate) state: State,
    /// In parts per million, the stable's first.
    pub(crate) shares: [u32; 2],
}

impl Scene {
    pub(crate) fn new(settings: Settings, weight: f64) -> Self {
        let events = settings.events.len();
        let (seen, pool, state) = (Observations::new(2, events), Pool::new(2, events), State::new(2, events));
        let mut scene = Self { settings, seen, pool, state, shares: [0; 2] };
        scene.weigh(weight);
        scene
    }

    pub(crate) fn weigh(&mut self, weight: f64) {
        let canary = (weight * 1e6).round() as u32;
        self.shares = [1_000_000 - canary, canary];
    }

    pub(crate) fn weight(&self) -> f64 {
        f64::from(self.shares[CANARY]) / 1e6
    }

    pub(crate) fn drawn(
        &self,
        side: usize,
        user: Option<u64>,
    ) -> Drawn<impl Iterator<Item = u32> + Clone + use<>> {
        let side = side.checked_sub(1).map_or(VariantId::BASELINE, VariantId::variant);
        Drawn { side, user: user.map(Point::new), shares: self.shares.into_iter() }
    }

    pub(crate) fn served(&mut self, side: usize, requests: u32) {
        let side = self.drawn(side, None).side;
        self.seen.served(side, requests);
    }

    /// One request of theirs, which failed.
    pub(crate) fn failed(&mut self, side: usize, user: Option<u64>) {
        let drawn = self.drawn(side, user);
        self.seen.failed(drawn);
    }

    pub(crate) fn took(&mut self, side: usize, user: Option<u64>, micros: u64) {
        let drawn = self.drawn(side, user);
        self.seen.took(drawn, micros);
    }

    /// The worker merges, and the judge looks.
    pub(crate) fn look(&mut self, ticks: u32) -> Judgement {
        self.pool.merge(&self.seen);
        self.seen.merged(&self.pool);
        let totals = self.pool.take(&self.settings, self.state.thresholds(), ticks);
        self.state.tick(&self.settings, &totals, &self.shares, ticks).variants.remove(0)
    }

    /// Some traffic in which each failure is a unit of its own, and a look: counts are drawn, not
    /// requests. With `users` they have identities, always new ones.
    pub(crate) fn pass(
        &mut self,
        rng: &mut Rng,
        requests: f64,
        failing: [f64; 2],
        users: bool,
        ticks: u32,
    ) -> (u32, Option<Breach>) {
        let mut served = 0;
        for side in [STABLE, CANARY] {
            let requests = rng.poisson(requests * f64::from(self.shares[side]) / 1e6);
            let failures = rng.poisson(f64::from(requests) * failing[side]).min(requests);
            self.served(side, requests);
            for _ in 0..failures {
                let user = users.then(|| rng.next());
                self.failed(side, user);
            }
            served = requests;
        }
        (served, self.look(ticks).breach)
    }
}

/// Failures alone, tolerating so much.
pub(crate) fn errors(tolerated_ratio: f64) -> Settings {
    let errors = Errors { tolerated_ratio, ..Errors::default() };
    Settings { errors: Some(errors), ..Settings::errors_only() }
}

/// Slowness alone.
pub(crate) fn slowness(tolerated_ratio: f64) -> Settings {
    let latency = Latency { tolerated_ratio, ..Latency::default() };
    Settings { errors: None, latency: Some(latency), ..Settings::default() }
}

/// The median and the 90th percentile; those that never came are last.
pub(crate) fn quantiles(found: &[Option<u32>]) -> [f64; 2] {
    let mut found: Vec<f64> = found.iter().map(|found| found.map_or(f64::INFINITY, f64::from)).collect();
    found.sort_by(f64::total_cmp);
    [found[found.len() / 2], found[found.len() * 9 / 10]]
}
