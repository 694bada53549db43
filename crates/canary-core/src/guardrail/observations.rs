//! What one worker sees of a rollout between two merges.
//!
//! On the path of a request: an addition, a comparison and, for a user who is hurt for the first
//! time, a bit and an entry in a list.

use std::collections::BTreeMap;

use crate::bucket::Point;
use crate::split::VariantId;

use super::latency::{BUCKETS, Thresholds, bucket};
use super::pool::Pool;
use super::settings::Metric;
use super::users::{Lane, Users};

/// Splits by which users of a rollout are drawn between two merges. Who is drawn by more is not
/// told; that has nothing to do with the side, so the judgement stays right.
pub const MOST_SPLITS: usize = 32;

/// A request whose side a split has drawn. Others (pinned by a rule, forced by a token, excluded,
/// the baseline of those without identity) are not told to the guardrail at all.
#[derive(Clone, Debug)]
pub struct Drawn<S> {
    /// The side that serves.
    pub side: VariantId,
    /// Who was drawn; none where the draw is for this request alone, so that it is a unit itself.
    pub user: Option<Point>,
    /// The share of each side in parts per million, those of the split that drew.
    pub shares: S,
}

/// What one worker has seen of one rollout.
#[derive(Clone, Debug)]
pub struct Observations {
    sides: Vec<Side>,
    lanes: Vec<Gathered>,
    /// By which shares users were drawn.
    splits: Vec<Box<[u32]>>,
    thresholds: Thresholds,
    is_empty: bool,
}

/// One side.
#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) requests: u32,
    pub(super) failures: u32,
    pub(super) durations: Vec<u32>,
}

/// One lane.
#[derive(Clone, Debug)]
pub(super) struct Gathered {
    /// As far as this worker knows.
    seen: Users,
    /// Those whom this worker sees for the first time.
    pub(super) fresh: Vec<Fresh>,
    /// Requests that are units themselves, by split and side.
    pub(super) alone: BTreeMap<(u8, u8), u32>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Fresh {
    pub(super) bit: u16,
    pub(super) split: u8,
    pub(super) side: u8,
}

// impl Observations

impl Observations {
    /// Nothing yet, of a rollout with so many sides, the baseline among them, and events.
    pub fn new(sides: usize, events: usize) -> Self {
        let lane = Gathered { seen: Users::new(), fresh: Vec::new(), alone: BTreeMap::new() };
        Self {
            sides: vec![Side::new(); sides],
            lanes: vec![lane; Lane::count(events)],
            splits: Vec::new(),
            thresholds: Thresholds::default(),
            is_empty: true,
        }
    }

    /// Requests were answered, or failed. Each request is told here once.
    pub fn served(&mut self, side: VariantId, requests: u32) {
        self.is_empty = false;
        if let Some(side) = self.sides.get_mut(side.slot()) {
            side.requests = side.requests.saturating_add(requests);
        }
    }

    /// One of them failed: an upstream 5xx, reset or timeout; never a 4xx, which clients can make.
    pub fn failed(&mut self, drawn: Drawn<impl Iterator<Item = u32> + Clone>) {
        self.is_empty = false;
        if let Some(side) = self.sides.get_mut(drawn.side.slot()) {
            side.failures = side.failures.saturating_add(1);
        }
        self.count(Lane::Lately, drawn.clone());
        self.count(Lane::Evidence(Metric::Errors), drawn);
    }

    /// One of them was answered after so many microseconds, up to the response's headers and by
    /// the monotonic clock.
    pub fn took(&mut self, drawn: Drawn<impl Iterator<Item = u32> + Clone>, micros: u64) {
        self.is_empty = false;
        let durations = self.sides.get_mut(drawn.side.slot()).map(|side| &mut side.durations);
        if let Some(count) = durations.and_then(|durations| durations.get_mut(bucket(micros))) {
            *count = count.saturating_add(1);
        }
        if self.thresholds.p90.is_some_and(|p90| micros > p90) {
            self.count(Lane::Evidence(Metric::P90), drawn.clone());
        }
        if self.thresholds.p99.is_some_and(|p99| micros > p99) {
            self.count(Lane::Evidence(Metric::P99), drawn);
        }
    }

    /// A request was given up by its client before any response. One that had waited longer than
    /// the baseline's 90th percentile was slow, and served as far as counts go; of a shorter one
    /// nothing is known. Not to be told to [`Observations::served`] as well.
    pub fn aborted(&mut self, drawn: Drawn<impl Iterator<Item = u32> + Clone>, micros: u64) {
        if self.thresholds.p90.is_some_and(|p90| micros > p90) {
            self.served(drawn.side, 1);
            self.took(drawn, micros);
        }
    }

    /// A user did what the event at this place in the settings means.
    pub fn event(&mut self, drawn: &Drawn<impl Iterator<Item = u32> + Clone>, event: u16) {
        self.is_empty = false;
        self.count(Lane::Evidence(Metric::Event(event)), drawn.clone());
    }

    /// Whether there is nothing to merge.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// What is slow at present.
    pub fn thresholds(&self) -> Thresholds {
        self.thresholds
    }

    /// All this is in the pool, and the pool is written: begins anew, and learns whom others have
    /// seen and what is slow. Also of use without a merge.
    pub fn merged(&mut self, pool: &Pool) {
        self.thresholds = pool.thresholds();
        for (lane, users) in self.lanes.iter_mut().zip(pool.users()) {
            lane.seen.become_like(users);
            lane.fresh.clear();
            lane.alone.clear();
        }
        self.splits.clear();
        for side in self.sides.iter_mut().filter(|side| side.requests > 0 || side.failures > 0) {
            side.clear();
        }
        self.is_empty = true;
    }

    pub(super) fn sides(&self) -> &[Side] {
        &self.sides
    }

    pub(super) fn lanes(&self) -> &[Gathered] {
        &self.lanes
    }

    pub(super) fn splits(&self) -> &[Box<[u32]>] {
        &self.splits
    }

    fn count(&mut self, lane: Lane, drawn: Drawn<impl Iterator<Item = u32> + Clone>) {
        let Some(gathered) = self.lanes.get_mut(lane.slot()) else { return };
        let bit = drawn.user.map(Users::bit);
        if bit.is_some_and(|bit| !gathered.seen.add(bit)) {
            return;
        }
        let known = self.splits.iter().position(|split| split.iter().copied().eq(drawn.shares.clone()));
        let split = known.unwrap_or(self.splits.len());
        if split >= MOST_SPLITS {
            return;
        }
        if known.is_none() {
            let sides = self.sides.len();
            self.splits.push(drawn.shares.chain(std::iter::repeat(0)).take(sides).collect());
        }
        let (Ok(split), Ok(side)) = (u8::try_from(split), u8::try_from(drawn.side.slot())) else { return };
        match bit {
            Some(bit) => gathered.fresh.push(Fresh { bit, split, side }),
            None => *gathered.alone.entry((split, side)).or_default() += 1,
        }
    }
}

// impl Side

impl Side {
    pub(super) fn new() -> Self {
        Self { requests: 0, failures: 0, durations: vec![0; BUCKETS] }
    }

    pub(super) fn clear(&mut self) {
        self.requests = 0;
        self.failures = 0;
        self.durations.fill(0);
    }
}
