//! Which users have been counted, so that each counts once: a bit for a user.
//!
//! The bit is chosen by other bits of the hash than those that choose the side, so whoever shares
//! a bit with somebody before is left out, whatever the side.

use crate::bucket::Point;

use super::codec::{Reader, Writer};
use super::settings::Metric;

/// So many bits, 1 KiB.
pub(super) const USERS: usize = 1 << 13;

const WORDS: usize = USERS / 64;

/// Those who have been counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Users {
    bits: Vec<u64>,
    /// How many.
    len: usize,
}

/// What users are counted for. One user counts once in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// What is judged by evidence: for long.
    Evidence(Metric),
    /// Failures in the window: what rates are made of.
    Lately,
}

// impl Users

impl Users {
    /// Nobody.
    pub(super) fn new() -> Self {
        Self { bits: vec![0; WORDS], len: 0 }
    }

    /// A user's bit.
    pub(super) fn bit(user: Point) -> u16 {
        u16::try_from(user.get() % (1 << 13)).unwrap_or_default()
    }

    /// Adds a user; whether it is a new one.
    pub(super) fn add(&mut self, bit: u16) -> bool {
        let Some(word) = self.bits.get_mut(usize::from(bit) / 64) else { return false };
        let mask = 1 << (bit % 64);
        let is_new = *word & mask == 0;
        *word |= mask;
        self.len += usize::from(is_new);
        is_new
    }

    /// Whether one in so many bits is taken: as many of those to come would be left out.
    pub(super) fn is_full(&self, one_in: usize) -> bool {
        self.len >= USERS / one_in
    }

    pub(super) fn clear(&mut self) {
        self.bits.fill(0);
        self.len = 0;
    }

    pub(super) fn become_like(&mut self, other: &Self) {
        self.bits.copy_from_slice(&other.bits);
        self.len = other.len;
    }

    pub(super) fn write(&self, to: &mut Writer) {
        self.bits.iter().for_each(|word| to.u64(*word));
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let bits: Vec<u64> = (0..WORDS).map(|_| from.u64()).collect::<Option<_>>()?;
        let len = bits.iter().map(|word| word.count_ones()).sum::<u32>();
        Some(Self { bits, len: usize::try_from(len).ok()? })
    }
}

// impl Lane

impl Lane {
    /// How many lanes there are beside those of events.
    const FIXED: usize = 4;

    /// How many there are.
    pub(super) fn count(events: usize) -> usize {
        Self::FIXED + events
    }

    /// Its place among them.
    pub(super) fn slot(self) -> usize {
        match self {
            Self::Lately => 0,
            Self::Evidence(Metric::Errors) => 1,
            Self::Evidence(Metric::P90) => 2,
            Self::Evidence(Metric::P99) => 3,
            Self::Evidence(Metric::Event(event)) => Self::FIXED + usize::from(event),
        }
    }
}
