//! What each side did lately, in slots of time that are forgotten one by one.

use std::collections::VecDeque;

use super::codec::{Reader, Writer};

/// What one side did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests.
    pub requests: u32,
    /// Requests that failed, however many a user sent.
    pub failures: u32,
    /// Distinct users to whom requests failed.
    pub failed_users: u32,
}

/// The counts of a few slots, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window(VecDeque<Counts>);

/// When a window's next slot begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Clock {
    /// Into the slot.
    ticks: u32,
    /// How long it has been watched, at most the window.
    watched: u32,
}

// impl Counts

impl Counts {
    pub(super) fn add(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.failures = self.failures.saturating_add(other.failures);
        self.failed_users = self.failed_users.saturating_add(other.failed_users);
    }

    /// The share that failed, 0 to 1: distinct users who failed, of these and of the requests that
    /// went well. What a user who failed sends again and again counts on neither side, so that
    /// neither a retry storm hides a failure nor one client makes one.
    pub fn rate(self) -> f64 {
        let failed = f64::from(self.failed_users);
        let well = f64::from(self.requests.saturating_sub(self.failures));
        if failed > 0.0 { failed / (failed + well) } else { 0.0 }
    }

    pub(super) fn write(self, to: &mut Writer) {
        to.u32(self.requests);
        to.u32(self.failures);
        to.u32(self.failed_users);
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self { requests: from.u32()?, failures: from.u32()?, failed_users: from.u32()? })
    }
}

// impl Window

impl Window {
    pub(super) fn new(slots: usize) -> Self {
        Self(vec![Counts::default(); slots].into())
    }

    pub(super) fn advance(&mut self, slots: u32) {
        let slots = usize::try_from(slots).unwrap_or(usize::MAX).min(self.0.len());
        for _ in 0..slots {
            self.0.pop_back();
            self.0.push_front(Counts::default());
        }
    }

    pub(super) fn add(&mut self, counts: Counts) {
        if let Some(newest) = self.0.front_mut() {
            newest.add(counts);
        }
    }

    pub(super) fn sum(&self) -> Counts {
        self.sums().last().unwrap_or_default()
    }

    /// Of the newest slot, of the newest two, and so on.
    pub(super) fn sums(&self) -> impl Iterator<Item = Counts> {
        self.0.iter().scan(Counts::default(), |sum, counts| {
            sum.add(*counts);
            Some(*sum)
        })
    }

    pub(super) fn write(&self, to: &mut Writer) {
        self.0.iter().for_each(|counts| counts.write(to));
    }

    pub(super) fn read(slots: usize, from: &mut Reader<'_>) -> Option<Self> {
        (0..slots).map(|_| Counts::read(from)).collect::<Option<_>>().map(Self)
    }
}

// impl Clock

impl Clock {
    /// Time goes on: how many slots begin.
    pub(super) fn advance(&mut self, ticks: u32, slot: u32, window: u32) -> u32 {
        self.watched = self.watched.saturating_add(ticks).min(window);
        let ticks = self.ticks.saturating_add(ticks);
        self.ticks = ticks % slot.max(1);
        ticks / slot.max(1)
    }

    /// Whether the whole window has been watched.
    pub(super) fn is_full(self, window: u32) -> bool {
        self.watched >= window
    }

    pub(super) fn write(self, to: &mut Writer) {
        to.u32(self.ticks);
        to.u32(self.watched);
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self { ticks: from.u32()?, watched: from.u32()? })
    }
}
