//! What the judges of a rollout remember from look to look, in one value of shared data.

use crate::split::VariantId;

use super::codec::{Reader, Writer};
use super::e_process::{Outcomes, Process};
use super::latency::{Histogram, Thresholds};
use super::pool::{Fill, Split};
use super::report::Breach;
use super::settings::Metric;
use super::users::Lane;
use super::window::{Clock, Window};

/// How many slots the window has.
pub(super) const SLOTS: usize = 30;

/// The breaker's window, in slots of ten ticks.
pub(super) const BREAKER_SLOTS: usize = 6;

/// The part of the error probability that the first fill has; the later ones share the rest.
const FIRST_FILL: f64 = 0.8;

/// What is remembered of one rollout; keyed outside by rollout and release.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub(super) sides: Vec<Watched>,
    pub(super) variants: Vec<Judged>,
    /// Of the users in each lane, at the last look.
    pub(super) fills: Vec<Fill>,
    pub(super) clock: Clock,
    pub(super) breaker_clock: Clock,
    /// Into the minute for which the thresholds are frozen.
    pub(super) minute: u32,
    pub(super) thresholds: Thresholds,
}

/// What one side did.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Watched {
    pub(super) window: Window,
    pub(super) breaker: Window,
    pub(super) durations: Histogram,
}

/// What is held against one variant.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Judged {
    /// By the slots of the lanes, without the first.
    evidence: Vec<Evidence>,
    /// For how many looks it has been too slow.
    pub(super) slow_for: u32,
    pub(super) breach: Option<Breach>,
}

/// What one metric says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Evidence {
    process: Process,
    /// How many fills were before this one.
    fills: u32,
    /// Distinct users in this fill.
    pub(super) users: [u32; 2],
    /// How many would be the variant's by its share and the baseline's users.
    pub(super) expected: f64,
}

// impl State

impl State {
    /// Nothing yet, of a rollout with so many sides, the baseline among them, and events.
    pub fn new(sides: usize, events: usize) -> Self {
        let watched = Watched {
            window: Window::new(SLOTS),
            breaker: Window::new(BREAKER_SLOTS),
            durations: Histogram::new(),
        };
        Self {
            sides: vec![watched; sides],
            variants: vec![Judged::new(events); sides.saturating_sub(1)],
            fills: vec![Fill::default(); Lane::count(events)],
            clock: Clock::default(),
            breaker_clock: Clock::default(),
            minute: 0,
            thresholds: Thresholds::default(),
        }
    }

    /// Reads a shared value; what is damaged, or of another shape, is empty.
    pub fn from_bytes(bytes: &[u8], sides: usize, events: usize) -> Self {
        let read = |mut from| Self::read(&mut from, sides, events);
        Reader::new(bytes).and_then(read).unwrap_or_else(|| Self::new(sides, events))
    }

    /// For shared data.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.len(self.sides.len());
        to.len(self.fills.len());
        self.clock.write(&mut to);
        self.breaker_clock.write(&mut to);
        to.u32(self.minute);
        self.thresholds.write(&mut to);
        self.fills.iter().for_each(|fill| fill.write(&mut to));
        for side in &self.sides {
            side.window.write(&mut to);
            side.breaker.write(&mut to);
            side.durations.write(&mut to);
        }
        self.variants.iter().for_each(|judged| judged.write(&mut to));
        to.finish()
    }

    /// What is slow at present: to be given to [`super::pool::Pool::take`] at the next look.
    pub fn thresholds(&self) -> Thresholds {
        self.thresholds
    }

    /// Why a variant is refused, if it is.
    pub fn breach(&self, variant: VariantId) -> Option<&Breach> {
        let judged = variant.slot().checked_sub(1).and_then(|place| self.variants.get(place));
        judged.and_then(|judged| judged.breach.as_ref())
    }

    /// Somebody resumes a variant: nothing is held against it any more. What is known of the
    /// durations stays for the baseline. The [`super::pool::Pool`] is to be dropped with it, so
    /// that its users count again.
    pub fn resume(&mut self, variant: VariantId) {
        let empty = Self::new(self.sides.len(), self.fills.len().saturating_sub(Lane::count(0)));
        let place = variant.slot().checked_sub(1);
        let judged = place.and_then(|place| self.variants.get_mut(place).zip(empty.variants.get(place)));
        let side = self.sides.get_mut(variant.slot()).zip(empty.sides.get(variant.slot()));
        if let (Some((judged, no_breach)), Some((side, nothing))) = (judged, side) {
            *judged = no_breach.clone();
            *side = nothing.clone();
            self.clock = Clock::default();
        }
    }

    fn read(from: &mut Reader<'_>, sides: usize, events: usize) -> Option<Self> {
        let lanes = Lane::count(events);
        if from.len()? != sides || from.len()? != lanes {
            return None;
        }
        let read_side = |from: &mut Reader<'_>| {
            Some(Watched {
                window: Window::read(SLOTS, from)?,
                breaker: Window::read(BREAKER_SLOTS, from)?,
                durations: Histogram::read(from)?,
            })
        };
        let state = Self {
            clock: Clock::read(from)?,
            breaker_clock: Clock::read(from)?,
            minute: from.u32()?,
            thresholds: Thresholds::read(from)?,
            fills: (0..lanes).map(|_| Fill::read(from)).collect::<Option<_>>()?,
            sides: (0..sides).map(|_| read_side(from)).collect::<Option<_>>()?,
            variants: (1..sides).map(|_| Judged::read(from, events)).collect::<Option<_>>()?,
        };
        from.is_done().then_some(state)
    }
}

// impl Judged

impl Judged {
    fn new(events: usize) -> Self {
        let evidence = vec![Evidence::default(); Lane::count(events) - 1];
        Self { evidence, slow_for: 0, breach: None }
    }

    pub(super) fn evidence(&self, metric: Metric) -> Evidence {
        let place = Lane::Evidence(metric).slot() - 1;
        self.evidence.get(place).copied().unwrap_or_default()
    }

    pub(super) fn evidence_mut(&mut self, metric: Metric) -> Option<&mut Evidence> {
        self.evidence.get_mut(Lane::Evidence(metric).slot() - 1)
    }

    fn write(&self, to: &mut Writer) {
        for evidence in &self.evidence {
            evidence.process.write(to);
            to.u32(evidence.fills);
            evidence.users.into_iter().for_each(|users| to.u32(users));
            to.f64(evidence.expected);
        }
        to.u32(self.slow_for);
        to.u8(u8::from(self.breach.is_some()));
        if let Some(breach) = &self.breach {
            breach.write(to);
        }
    }

    fn read(from: &mut Reader<'_>, events: usize) -> Option<Self> {
        let read_evidence = |from: &mut Reader<'_>| {
            Some(Evidence {
                process: Process::read(from)?,
                fills: from.u32()?,
                users: [from.u32()?, from.u32()?],
                expected: from.f64().filter(|expected| expected.is_finite())?,
            })
        };
        Some(Self {
            evidence: (1..Lane::count(events)).map(|_| read_evidence(from)).collect::<Option<_>>()?,
            slow_for: from.u32()?,
            breach: if from.u8()? == 0 { None } else { Some(Breach::read(from)?) },
        })
    }
}

// impl Evidence

impl Evidence {
    /// Users who were counted may count again: the evidence of before is no longer independent of
    /// what comes, so it is given up, and the next fill has to be surer.
    pub(super) fn refill(&mut self) {
        if self.users == [0, 0] {
            return;
        }
        let fills = self.fills.saturating_add(1);
        *self = Self { fills, ..Self::default() };
    }

    /// One look at those who are new. Of an event it is the baseline that must not have more.
    pub(super) fn look(&mut self, metric: Metric, tolerated: f64, variant: VariantId, new: &[Split]) {
        let of = |list: &[u32], slot: usize| list.get(slot).copied().unwrap_or(0);
        let swapped = matches!(metric, Metric::Event(_));
        let [mine, baselines] = &mut self.users;
        let expected = &mut self.expected;
        self.process.look(
            tolerated,
            new.iter().map(|split| {
                let [share, rest] = [variant.slot(), 0].map(|slot| f64::from(of(&split.shares, slot)));
                let [users, others] = [variant.slot(), 0].map(|slot| of(&split.users, slot));
                *mine = mine.saturating_add(users);
                *baselines = baselines.saturating_add(others);
                if rest > 0.0 {
                    *expected += f64::from(others) * share / rest;
                }
                let sum = if share > 0.0 && rest > 0.0 { share + rest } else { f64::INFINITY };
                if swapped {
                    Outcomes { share: rest / sum, variant: others, baseline: users }
                } else {
                    Outcomes { share: share / sum, variant: users, baseline: others }
                }
            }),
        );
    }

    /// The natural logarithm of what it says, over all fills.
    pub(super) fn log_e(&self) -> f64 {
        let fills = f64::from(self.fills);
        let part = if self.fills == 0 { FIRST_FILL } else { (1.0 - FIRST_FILL) / (fills * (fills + 1.0)) };
        self.process.log_e() + part.ln()
    }
}
