//! Which users a split has drawn today, so that each counts once in the check of its ratio.
//!
//! Users, not requests, are drawn: counted by requests, a few busy users would look like a
//! skewed split. A user is a bit, chosen by other bits of the hash than those that choose the
//! side, so whoever shares a bit with somebody before is left out, whatever the side. The
//! workers of a process keep one set together: what is new is merged on a tick.

use std::cell::{Cell, RefCell};

use crate::bucket::{Point, Salt};
use crate::split::VariantId;
use crate::timeline::Instant;

/// A rollout counts at most this many users a day.
pub const MOST: usize = 1 << 15;

const WORDS: usize = MOST / 64;
const HEAD: usize = 2;
const DAY: Instant = 86_400;

/// The users that one rollout has drawn, as one worker knows them.
#[derive(Debug)]
pub struct Sightings {
    salt: Salt,
    day: Cell<Instant>,
    /// Nothing before the first user.
    seen: RefCell<Vec<u64>>,
    fresh: RefCell<Vec<Sighting>>,
    /// By which shares they were drawn; a few tables, since most users share one.
    shares: RefCell<Vec<Box<[u32]>>>,
}

/// A user that this worker sees for the first time.
#[derive(Debug)]
struct Sighting {
    bit: usize,
    side: VariantId,
    shares: usize,
}

/// Users whom nobody had seen, and who were drawn by the same shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The share of each side, in parts per million.
    pub shares: Box<[u32]>,
    /// How many each side serves.
    pub users: Box<[u32]>,
}

impl Sightings {
    /// Nobody yet. Under another salt users are drawn anew, and counted anew.
    pub fn new(salt: Salt) -> Self {
        Self {
            salt,
            day: Cell::default(),
            seen: RefCell::default(),
            fresh: RefCell::default(),
            shares: RefCell::default(),
        }
    }

    /// A user was drawn, by these shares of the sides in parts per million.
    pub fn see(&self, point: Point, side: VariantId, shares: impl Iterator<Item = u32> + Clone) {
        let mut seen = self.seen.borrow_mut();
        if seen.is_empty() {
            seen.resize(WORDS, 0);
        }
        // Sides are chosen by the high bits.
        let bit = usize::try_from(point.get() % (1 << 15)).unwrap_or_default();
        if add(&mut seen, bit) {
            let mut tables = self.shares.borrow_mut();
            let known = tables.iter().position(|table| table.iter().copied().eq(shares.clone()));
            let shares = known.unwrap_or_else(|| {
                tables.push(shares.collect());
                tables.len() - 1
            });
            self.fresh.borrow_mut().push(Sighting { bit, side, shares });
        }
    }

    /// Whether there is somebody to be merged.
    pub fn is_fresh(&self) -> bool {
        !self.fresh.borrow().is_empty()
    }

    /// What all workers have seen together with what is new here, to be written in the place of
    /// `shared`, and those whom no other worker has seen before. Nothing changes here before
    /// [`Sightings::merged`].
    pub fn merge(&self, shared: &[u8]) -> (Vec<u8>, Vec<Drawn>) {
        let mut all = self.read(shared).unwrap_or_else(|| vec![0; WORDS]);
        let tables = self.shares.borrow();
        let nobody = |shares: &[u32]| Drawn { shares: shares.into(), users: vec![0; shares.len()].into() };
        let mut drawn: Vec<Drawn> = tables.iter().map(|shares| nobody(shares)).collect();
        for sighting in self.fresh.borrow().iter() {
            let users =
                drawn.get_mut(sighting.shares).and_then(|drawn| drawn.users.get_mut(sighting.side.slot()));
            if let (Some(users), true) = (users, add(&mut all, sighting.bit)) {
                *users += 1;
            }
        }
        let mut bytes = Vec::with_capacity((HEAD + WORDS) * 8);
        for word in self.head().iter().chain(&all) {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        (bytes, drawn)
    }

    /// What [`Sightings::merge`] gave is written.
    pub fn merged(&self, written: &[u8]) {
        self.fresh.borrow_mut().clear();
        self.shares.borrow_mut().clear();
        if let Some(all) = self.read(written) {
            *self.seen.borrow_mut() = all;
        }
    }

    /// Time goes on: on a new day everybody is new. Those not merged yet belong to it.
    pub fn at(&self, now: Instant) {
        let day = now.div_euclid(DAY);
        if self.day.replace(day) != day {
            let mut seen = self.seen.borrow_mut();
            seen.fill(0);
            for sighting in self.fresh.borrow().iter() {
                add(&mut seen, sighting.bit);
            }
        }
    }

    /// The users in a shared value, unless it is of another day or salt.
    fn read(&self, shared: &[u8]) -> Option<Vec<u64>> {
        let (words, rest) = shared.as_chunks();
        let (head, users) = words.split_at_checked(HEAD)?;
        let is_mine = head.iter().zip(self.head()).all(|(word, mine)| u64::from_le_bytes(*word) == mine);
        let fits = rest.is_empty() && users.len() == WORDS;
        (is_mine && fits).then(|| users.iter().map(|word| u64::from_le_bytes(*word)).collect())
    }

    /// What stands before the users: whose they are, and of which day.
    fn head(&self) -> [u64; HEAD] {
        [self.salt.state(), self.day.get().cast_unsigned()]
    }
}

/// Adds a user; whether it is a new one.
fn add(seen: &mut [u64], bit: usize) -> bool {
    let Some(word) = seen.get_mut(bit / 64) else { return false };
    let mask = 1 << (bit % 64);
    let is_new = *word & mask == 0;
    *word |= mask;
    is_new
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;

    fn user(number: u64) -> Point {
        Salt::new("users").key().last(&number.to_le_bytes())
    }

    fn see(worker: &Sightings, number: u64) {
        worker.see(user(number), VariantId::BASELINE, [900_000, 100_000].into_iter());
    }

    /// Merges as the filter does; how many were new to everybody.
    fn tick(worker: &Sightings, shared: &mut Vec<u8>) -> u32 {
        let (all, new) = worker.merge(shared);
        worker.merged(&all);
        *shared = all;
        users(&new)
    }

    fn users(drawn: &[Drawn]) -> u32 {
        drawn.iter().flat_map(|drawn| &drawn.users).sum()
    }

    #[test]
    fn a_user_counts_once_however_often_and_on_however_many_workers() {
        let (one, other) = (Sightings::new(Salt::new("s")), Sightings::new(Salt::new("s")));
        let mut shared = Vec::new();
        for _ in 0..100 {
            see(&one, 1);
        }
        see(&other, 1);
        see(&other, 2);
        assert_eq!((tick(&one, &mut shared), tick(&other, &mut shared)), (1, 1));
        see(&one, 2);
        assert_eq!(tick(&one, &mut shared), 0, "seen by the other worker");
        see(&one, 2);
        assert!(!one.is_fresh(), "learnt from the other worker");
    }

    #[test]
    fn a_merge_that_was_not_written_loses_nobody() {
        let worker = Sightings::new(Salt::new("s"));
        see(&worker, 1);
        assert_eq!(users(&worker.merge(&[]).1), 1);
        see(&worker, 2);
        assert_eq!(tick(&worker, &mut Vec::new()), 2);
    }

    #[test]
    fn on_a_new_day_and_under_a_new_salt_everybody_is_new() {
        let worker = Sightings::new(Salt::new("s"));
        let mut shared = Vec::new();
        worker.at(DAY * 10 + 5);
        see(&worker, 1);
        assert_eq!(tick(&worker, &mut shared), 1);
        worker.at(DAY * 11 - 1);
        see(&worker, 1);
        assert_eq!(tick(&worker, &mut shared), 0);
        worker.at(DAY * 11);
        see(&worker, 1);
        assert_eq!(tick(&worker, &mut shared), 1);
        let next = Sightings::new(Salt::new("s/v2"));
        next.at(DAY * 11);
        see(&next, 1);
        assert_eq!(tick(&next, &mut shared), 1);
    }

    #[test]
    fn whatever_is_shared_is_read_without_a_trap() {
        let worker = Sightings::new(Salt::new("s"));
        for shared in [vec![], vec![0; 7], vec![0; 16], vec![255; 4_112], vec![0; 4_113]] {
            see(&worker, 1);
            let (all, _) = worker.merge(&shared);
            assert_eq!(all.len(), MOST / 8 + 16);
        }
    }

    #[test]
    fn users_are_told_by_the_shares_that_drew_them() {
        let worker = Sightings::new(Salt::new("s"));
        let (half, tenth) = ([500_000, 500_000], [900_000, 100_000]);
        for (number, shares) in [(1, half), (2, tenth), (3, half), (3, half)] {
            worker.see(user(number), VariantId::variant(0), shares.into_iter());
        }
        let drawn = |shares: [u32; 2], users: u32| Drawn { shares: shares.into(), users: [0, users].into() };
        assert_eq!(worker.merge(&[]).1, [drawn(half, 2), drawn(tenth, 1)]);
    }

    #[test]
    fn who_counts_does_not_depend_on_the_side() {
        let worker = Sightings::new(Salt::new("s"));
        for number in 0..200_000 {
            let slot =
                if user(number).bucket() < 100_000 { VariantId::variant(0) } else { VariantId::BASELINE };
            worker.see(user(number), slot, [900_000, 100_000].into_iter());
        }
        let (_, drawn) = worker.merge(&[]);
        let [stable, canary] = [0, 1].map(|slot| drawn[0].users[slot]);
        assert!(stable + canary > 32_000, "nearly every bit: {stable} + {canary}");
        // A tenth of them, and four standard errors.
        assert!(canary.abs_diff((stable + canary) / 10) < 4 * 54, "{canary} of {stable} + {canary}");
    }
}
