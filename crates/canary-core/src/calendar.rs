//! When a schedule may move users: within its windows, and not during a freeze.
//!
//! Worked out when a policy is loaded, so that a decision needs no time zone: a step that
//! falls due at another time comes into force when the schedule next runs.

use crate::timeline::Instant;
use crate::zone::{Weekday, Zone};

/// The windows and freezes of one schedule; without windows it runs at any time.
#[derive(Clone, Debug, Default)]
pub struct Calendar {
    /// It runs while at least one is open.
    windows: Vec<Window>,
    /// It stands still during each of these; sorted and disjoint.
    freezes: Vec<Freeze>,
}

/// A time of the day on some days of the week, by the clocks of one zone.
#[derive(Clone, Debug)]
pub struct Window {
    /// By [`Weekday`]: whether it opens on this day.
    pub days: Days,
    /// Seconds since midnight, at which it opens.
    pub from: u32,
    /// Seconds since midnight, at which it is closed again.
    pub to: u32,
    /// Whose clocks.
    pub zone: Zone,
}

/// Days of the week, Monday first.
pub type Days = [bool; 7];

/// A time in which nobody is moved.
#[derive(Clone, Copy, Debug)]
pub struct Freeze {
    /// Its first instant.
    pub from: Instant,
    /// The first instant after it.
    pub to: Instant,
}

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// A window opens at least once in so many days, but for one that lies within an hour that is
/// skipped when clocks go forward, which a week later opens again.
const SEARCHED_DAYS: i64 = 16;

impl Calendar {
    /// A calendar of these, in any order.
    pub fn new(windows: Vec<Window>, mut freezes: Vec<Freeze>) -> Self {
        freezes.sort_unstable_by_key(|freeze| freeze.from);
        freezes.dedup_by(|next, freeze| {
            let meet = next.from <= freeze.to;
            if meet {
                freeze.to = freeze.to.max(next.to);
            }
            meet
        });
        Self { windows, freezes }
    }

    /// The first instant, `from` or later, at which the schedule runs; `None` where there is
    /// none within reach.
    pub fn next_running(&self, from: Instant) -> Option<Instant> {
        let mut at = from;
        loop {
            let open = self.next_open(at)?;
            let begun = self.freezes.partition_point(|freeze| freeze.from <= open);
            let freeze = begun.checked_sub(1).and_then(|last| self.freezes.get(last));
            match freeze.filter(|freeze| open < freeze.to) {
                Some(freeze) => at = freeze.to,
                None => return Some(open),
            }
        }
    }

    fn next_open(&self, from: Instant) -> Option<Instant> {
        if self.windows.is_empty() {
            return Some(from);
        }
        self.windows.iter().filter_map(|window| window.next_open(from)).min()
    }
}

impl Window {
    /// The first instant, `from` or later, at which the window is open.
    fn next_open(&self, from: Instant) -> Option<Instant> {
        let end = from.saturating_add(SEARCHED_DAYS * DAY);
        let mut at = from;
        while at < end {
            let next = self.same_offset_until(at);
            if let Some(open) = self.opens_between(at, next) {
                return Some(open);
            }
            at = next;
        }
        None
    }

    /// Up to when the clocks surely run on as they do at `at`: a day, or the instant at which
    /// they are changed before that.
    fn same_offset_until(&self, at: Instant) -> Instant {
        let offset = self.zone.offset_at(at);
        let (mut same, mut other) = (at, at.saturating_add(DAY));
        if self.zone.offset_at(other) == offset {
            return other;
        }
        while other - same > 1 {
            let middle = same + (other - same) / 2;
            if self.zone.offset_at(middle) == offset { same = middle } else { other = middle }
        }
        other
    }

    /// As [`Window::next_open`], while the clocks run on: at most a day, so at most two dates.
    fn opens_between(&self, at: Instant, end: Instant) -> Option<Instant> {
        let local = self.zone.local(at);
        let midnight = at - i64::from(local.seconds);
        let mut day = local.weekday;
        for midnight in [midnight, midnight + DAY] {
            let open = (midnight + i64::from(self.from)).max(at);
            if self.opens_on(day) && open < midnight + i64::from(self.to) && open < end {
                return Some(open);
            }
            day = day.next();
        }
        None
    }

    fn opens_on(&self, day: Weekday) -> bool {
        self.days.get(day.index()).copied().unwrap_or_default()
    }
}
