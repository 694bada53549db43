//! Dates, days of the week, and instants as text.

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A day without changes of clocks, in seconds.
pub(super) const DAY: i64 = 86_400;

impl Weekday {
    /// 0 for Monday.
    pub fn index(self) -> usize {
        match self {
            Self::Mon => 0,
            Self::Tue => 1,
            Self::Wed => 2,
            Self::Thu => 3,
            Self::Fri => 4,
            Self::Sat => 5,
            Self::Sun => 6,
        }
    }

    /// The day after it.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Mon => Self::Tue,
            Self::Tue => Self::Wed,
            Self::Wed => Self::Thu,
            Self::Thu => Self::Fri,
            Self::Fri => Self::Sat,
            Self::Sat => Self::Sun,
            Self::Sun => Self::Mon,
        }
    }

    /// Of a day that is counted from 1970, which began on a Thursday.
    pub(super) fn of(day: i64) -> Self {
        match day.rem_euclid(7) {
            0 => Self::Thu,
            1 => Self::Fri,
            2 => Self::Sat,
            3 => Self::Sun,
            4 => Self::Mon,
            5 => Self::Tue,
            _ => Self::Wed,
        }
    }
}

/// Seconds since 1970 as the day, and the seconds since its midnight.
pub(super) fn split(seconds: i64) -> (i64, u32) {
    (seconds.div_euclid(DAY), u32::try_from(seconds.rem_euclid(DAY)).unwrap_or_default())
}

/// The day of a date, counted from 1970; days beyond the end of a month run on.
pub(super) fn day(year: i64, month: i64, day: i64) -> i64 {
    // Years from March on, so that the leap day is their last: months of 31, 30, 31, 30, 31
    // repeat, which is what 153/5 says.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 719_469
}

/// The year in which a day lies.
pub(super) fn year_of(of: i64) -> i64 {
    // By the mean year, at most one off.
    let year = 1970 + (of * 400).div_euclid(146_097);
    if of < day(year, 1, 1) { year - 1 } else { year + i64::from(of >= day(year + 1, 1, 1)) }
}

/// The instant that a text of RFC 3339 names, in seconds since 1970; fractions are cut off.
///
/// For years from 1970 on. Leap seconds are refused, as is 24:00: no clock of ours shows them.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let (date, rest) = text.as_bytes().split_first_chunk()?;
    let (time, rest) = rest.split_first_chunk()?;
    let &[y3, y2, y1, y0, b'-', m1, m0, b'-', d1, d0, b'T' | b't'] = date else {
        return None;
    };
    let &[h1, h0, b':', i1, i0, b':', s1, s0] = time else {
        return None;
    };
    let year = number(&[y3, y2, y1, y0]).filter(|year| *year >= 1970)?;
    let month = number(&[m1, m0]).filter(|month| (1..=12).contains(month))?;
    let date = number(&[d1, d0]).filter(|date| *date >= 1)?;
    let date = day(year, month, date);
    // The first of the next month; `day` does not mind a month 13.
    if date >= day(year, month + 1, 1) {
        return None;
    }
    let time = clock([h1, h0, i1, i0])? + number(&[s1, s0]).filter(|second| *second < 60)?;
    Some(date * DAY + time - offset(after_fraction(rest)?)?)
}

/// What stands after the fraction, if there is one.
fn after_fraction(rest: &[u8]) -> Option<&[u8]> {
    let [b'.', fraction @ ..] = rest else {
        return Some(rest);
    };
    let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    fraction.get(digits..).filter(|_| digits > 0)
}

/// Seconds east of UTC.
fn offset(text: &[u8]) -> Option<i64> {
    match *text {
        [b'Z' | b'z'] => Some(0),
        [b'+', h1, h0, b':', m1, m0] => clock([h1, h0, m1, m0]),
        [b'-', h1, h0, b':', m1, m0] => clock([h1, h0, m1, m0]).map(|east| -east),
        _ => None,
    }
}

/// The seconds of hours and minutes.
fn clock([h1, h0, m1, m0]: [u8; 4]) -> Option<i64> {
    let hours = number(&[h1, h0]).filter(|hours| *hours < 24)?;
    let minutes = number(&[m1, m0]).filter(|minutes| *minutes < 60)?;
    Some(hours * 3_600 + minutes * 60)
}

/// The number that decimal digits write.
fn number(digits: &[u8]) -> Option<i64> {
    digits
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_through_every_leap_year() {
        assert_eq!(day(1970, 1, 1), 0);
        assert_eq!(day(2000, 2, 29), 11_016);
        assert_eq!(day(2026, 11, 23), 20_780);
        let mut next = 0;
        for year in 1970..=9999 {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let months = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            for (month, days) in (1..).zip(months) {
                assert_eq!(day(year, month, 1), next, "{year}-{month}");
                next += days;
            }
        }
    }

    #[test]
    fn a_year_begins_on_the_first_of_january() {
        for year in -9999..=9999 {
            let first = day(year, 1, 1);
            assert_eq!((year_of(first - 1), year_of(first)), (year - 1, year));
        }
    }

    #[test]
    fn days_of_the_week_follow_each_other() {
        assert_eq!(Weekday::of(day(2026, 11, 23)), Weekday::Mon);
        for day in -14..14 {
            assert_eq!(Weekday::of(day).next(), Weekday::of(day + 1));
            assert_eq!(Weekday::of(day).next().index(), (Weekday::of(day).index() + 1) % 7);
        }
    }
}
