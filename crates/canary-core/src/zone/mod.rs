//! What the clocks of a place say: the zones of the IANA data base, and civil time.
//!
//! `table` (generated: each zone's rule) → [`Zone`]; `civil` holds the calendar and instants
//! as text. Exact from 2026 to 2099 by the release in the table, which says what it is; why
//! there is no library, and how the table is renewed: `docs/decisions/0008-zones.md`.

mod civil;
#[rustfmt::skip]
mod table;

use std::fmt;

pub use civil::{Weekday, parse_rfc3339};
pub use table::VERSION;

/// A time zone of the IANA data base.
#[derive(Clone, Copy)]
pub struct Zone {
    name: &'static str,
    rule: &'static Rule,
}

/// What clocks show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// The day of the week.
    pub weekday: Weekday,
    /// Seconds since midnight as clocks show them, `0 .. 86_400`, whether or not some were
    /// skipped or shown twice.
    pub seconds: u32,
}

/// What zones with the same clocks have in common; offsets are seconds east of UTC.
struct Rule {
    /// Separated by spaces.
    names: &'static str,
    standard: i32,
    summer: Option<Summer>,
    /// What the rule gets wrong.
    exceptions: &'static [Exception],
}

/// Another offset for a part of each year; in the south it ends before it starts.
struct Summer {
    offset: i32,
    /// By standard time.
    start: Change,
    /// By summer time.
    end: Change,
}

/// So many seconds after the midnight that begins the first such weekday on or after a date.
struct Change {
    month: u8,
    day: u8,
    weekday: Weekday,
    /// May lie outside of the day.
    seconds: i32,
}

/// From `from` until before `to`, in seconds since 1970, another offset than the rule says.
struct Exception {
    from: u32,
    to: u32,
    offset: i32,
}

/// The end of the year 9999: enough, and far from where sums overflow.
const LAST: i64 = 253_402_300_799;

impl Zone {
    /// The zone with exactly this name; the old names of zones are names.
    pub fn find(name: &str) -> Option<Self> {
        // A scan of 9 KB where a policy is loaded; pointers to sort would be 6 KB more.
        table::RULES.iter().find_map(|rule| {
            let name = rule.names.split(' ').find(|other| *other == name)?;
            Some(Self { name, rule })
        })
    }

    /// The name it was found by.
    pub fn name(&self) -> &str {
        self.name
    }

    /// Seconds east of UTC at an instant.
    pub fn offset_at(&self, unix: i64) -> i32 {
        self.rule.offset_at(unix.clamp(-LAST, LAST))
    }

    /// What the zone's clocks show at an instant.
    pub fn local(&self, unix: i64) -> Local {
        let unix = unix.clamp(-LAST, LAST);
        let (day, seconds) = civil::split(unix + i64::from(self.offset_at(unix)));
        Local { weekday: Weekday::of(day), seconds }
    }
}

/// A name is a zone.
impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

impl Rule {
    fn offset_at(&self, unix: i64) -> i32 {
        let excepted = |other: &&Exception| (i64::from(other.from)..i64::from(other.to)).contains(&unix);
        if let Some(exception) = self.exceptions.iter().find(excepted) {
            return exception.offset;
        }
        match &self.summer {
            Some(summer) if summer.contains(unix, self.standard) => summer.offset,
            _ => self.standard,
        }
    }
}

impl Summer {
    fn contains(&self, unix: i64, standard: i32) -> bool {
        // Nothing changes near New Year, so whose year it is does not matter.
        let year = civil::year_of(civil::split(unix).0);
        let start = self.start.in_year(year) - i64::from(standard);
        let end = self.end.in_year(year) - i64::from(self.offset);
        if start < end { (start..end).contains(&unix) } else { !(end..start).contains(&unix) }
    }
}

impl Change {
    /// In seconds since 1970 as if it were by UTC.
    fn in_year(&self, year: i64) -> i64 {
        let date = civil::day(year, self.month.into(), self.day.into());
        let day = (date..date + 7).find(|day| Weekday::of(*day) == self.weekday);
        day.unwrap_or(date) * civil::DAY + i64::from(self.seconds)
    }
}
