//! What all workers have seen since the last judgement, in one value of shared data.
//!
//! A worker reads the value, merges, writes it by compare-and-swap, and tells its observations.
//! The judge takes the totals out of it in the same way.

use super::codec::{Reader, Writer};
use super::latency::{BUCKETS, Thresholds};
use super::observations::{MOST_SPLITS, Observations, Side};
use super::settings::Settings;
use super::users::{Lane, Users};

/// A user counts again after a day.
const DAY: u32 = 86_400;

/// Users who are left out hurt no evidence but delay it; one half is where that would be worse than
/// to begin anew.
const EVIDENCE: usize = 2;

/// Rates must not be too low: those that are compared with a limit are by 6 % at most on average.
const RATES: usize = 8;

/// What is known together.
#[derive(Clone, Debug)]
pub struct Pool {
    sides: Vec<Side>,
    lanes: Vec<Counted>,
    thresholds: Thresholds,
}

/// Those who were counted in one lane.
#[derive(Clone, Debug)]
struct Counted {
    users: Users,
    fill: Fill,
    new: Vec<Split>,
}

/// How often everybody was forgotten, and how long ago. What was counted in one fill may have been
/// counted in another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fill {
    pub(super) number: u32,
    pub(super) ticks: u32,
}

/// New users who were drawn by one split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Split {
    /// In parts per million, for each side.
    pub(super) shares: Box<[u32]>,
    /// For each side.
    pub(super) users: Box<[u32]>,
}

/// What was seen since the last judgement.
#[derive(Clone, Debug)]
pub struct Totals {
    pub(super) sides: Vec<Side>,
    pub(super) lanes: Vec<(Fill, Vec<Split>)>,
}

// impl Pool

impl Pool {
    /// Nothing yet, of a rollout with so many sides, the baseline among them, and events.
    pub fn new(sides: usize, events: usize) -> Self {
        let lane = Counted { users: Users::new(), fill: Fill::default(), new: Vec::new() };
        Self {
            sides: vec![Side::new(); sides],
            lanes: vec![lane; Lane::count(events)],
            thresholds: Thresholds::default(),
        }
    }

    /// Reads a shared value; what is damaged, or of another shape, is empty.
    pub fn from_bytes(bytes: &[u8], sides: usize, events: usize) -> Self {
        Reader::new(bytes)
            .and_then(|mut from| Self::read(&mut from, sides, events))
            .unwrap_or_else(|| Self::new(sides, events))
    }

    /// For shared data.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.len(self.sides.len());
        to.len(self.lanes.len());
        self.thresholds.write(&mut to);
        for side in &self.sides {
            to.u32(side.requests);
            to.u32(side.failures);
            side.durations.iter().for_each(|count| to.u32(*count));
        }
        for lane in &self.lanes {
            lane.users.write(&mut to);
            lane.fill.write(&mut to);
            to.len(lane.new.len());
            for split in &lane.new {
                split.shares.iter().chain(&split.users).for_each(|number| to.u32(*number));
            }
        }
        to.finish()
    }

    /// Adds what a worker has seen. Whom another worker has seen before does not count again.
    pub fn merge(&mut self, seen: &Observations) {
        for (sum, side) in
            self.sides.iter_mut().zip(seen.sides()).filter(|(_, side)| side.requests > 0 || side.failures > 0)
        {
            sum.requests = sum.requests.saturating_add(side.requests);
            sum.failures = sum.failures.saturating_add(side.failures);
            for (sum, count) in sum.durations.iter_mut().zip(&side.durations) {
                *sum = sum.saturating_add(*count);
            }
        }
        for (lane, gathered) in self.lanes.iter_mut().zip(seen.lanes()) {
            for fresh in &gathered.fresh {
                if lane.users.add(fresh.bit) {
                    count(&mut lane.new, seen.splits(), fresh.split, fresh.side, 1);
                }
            }
            for ((split, side), users) in &gathered.alone {
                count(&mut lane.new, seen.splits(), *split, *side, *users);
            }
        }
    }

    /// Takes what was seen since the last time, so many ticks ago, and tells the workers what is
    /// slow. Where too many bits are taken, or after long, users are
    /// forgotten.
    pub fn take(&mut self, settings: &Settings, thresholds: Thresholds, ticks: u32) -> Totals {
        self.thresholds = thresholds;
        let sides = self.sides.clone();
        self.sides.iter_mut().for_each(Side::clear);
        let mut lanes = Vec::with_capacity(self.lanes.len());
        for (slot, lane) in self.lanes.iter_mut().enumerate() {
            lanes.push((lane.fill, std::mem::take(&mut lane.new)));
            lane.fill.ticks = lane.fill.ticks.saturating_add(ticks);
            let is_lately = slot == Lane::Lately.slot();
            let (longest, one_in) = if is_lately { (settings.window(), RATES) } else { (DAY, EVIDENCE) };
            if lane.users.is_full(one_in) || lane.fill.ticks >= longest {
                lane.users.clear();
                lane.fill = Fill { number: lane.fill.number.wrapping_add(1), ticks: 0 };
            }
        }
        Totals { sides, lanes }
    }

    /// What is slow, as the last judge saw it.
    pub fn thresholds(&self) -> Thresholds {
        self.thresholds
    }

    pub(super) fn users(&self) -> impl Iterator<Item = &Users> {
        self.lanes.iter().map(|lane| &lane.users)
    }

    fn read(from: &mut Reader<'_>, sides: usize, events: usize) -> Option<Self> {
        let lanes = Lane::count(events);
        if from.len()? != sides || from.len()? != lanes {
            return None;
        }
        let thresholds = Thresholds::read(from)?;
        let read_side = |from: &mut Reader<'_>| {
            Some(Side {
                requests: from.u32()?,
                failures: from.u32()?,
                durations: (0..BUCKETS).map(|_| from.u32()).collect::<Option<_>>()?,
            })
        };
        let sums = (0..sides).map(|_| read_side(from)).collect::<Option<_>>()?;
        let read_split = |from: &mut Reader<'_>| {
            let mut list = || (0..sides).map(|_| from.u32()).collect::<Option<_>>();
            Some(Split { shares: list()?, users: list()? })
        };
        let read_lane = |from: &mut Reader<'_>| {
            let (users, fill) = (Users::read(from)?, Fill::read(from)?);
            let splits = from.len().filter(|splits| *splits <= MOST_SPLITS)?;
            let new = (0..splits).map(|_| read_split(from)).collect::<Option<_>>()?;
            Some(Counted { users, fill, new })
        };
        let lanes = (0..lanes).map(|_| read_lane(from)).collect::<Option<_>>()?;
        from.is_done().then_some(Self { sides: sums, lanes, thresholds })
    }
}

// impl Fill

impl Fill {
    /// Whether users whom an earlier one has counted may count again.
    pub(super) fn is_after(self, earlier: Self) -> bool {
        self.number != earlier.number || self.ticks < earlier.ticks
    }

    pub(super) fn write(self, to: &mut Writer) {
        to.u32(self.number);
        to.u32(self.ticks);
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self { number: from.u32()?, ticks: from.u32()? })
    }
}

/// Adds users to those of their split, unless there are too many splits.
fn count(new: &mut Vec<Split>, splits: &[Box<[u32]>], split: u8, side: u8, users: u32) {
    let Some(shares) = splits.get(usize::from(split)) else { return };
    let place = new.iter().position(|split| split.shares == *shares).unwrap_or(new.len());
    if place == new.len() && place < MOST_SPLITS {
        new.push(Split { shares: shares.clone(), users: vec![0; shares.len()].into() });
    }
    if let Some(sum) = new.get_mut(place).and_then(|split| split.users.get_mut(usize::from(side))) {
        *sum = sum.saturating_add(users);
    }
}
