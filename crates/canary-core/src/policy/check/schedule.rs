//! Schedules: steps, windows and freezes, worked out to the instants at which weights change.

use std::collections::BTreeMap;

use super::weights::{self, Names};
use super::{entries, text};
use crate::calendar::{Calendar, Days, Freeze, Window};
use crate::policy::field::{Field, List};
use crate::policy::problem::{Path, Problems, quote};
use crate::policy::wire;
use crate::split::VariantId;
use crate::timeline::{Curve, Instant};
use crate::zone::{self, Zone};

const MAX_STEPS: usize = 1_000;
const MAX_WINDOWS: usize = 20;
const MAX_FREEZES: usize = 200;

/// What a schedule does to the weights of a rollout's variants.
#[derive(Default)]
pub(super) struct Schedule {
    /// The variants that steps name, with their weights over time.
    pub(super) curves: BTreeMap<VariantId, Curve>,
    /// When each step comes into force, with its place in the list.
    starts: Vec<(Instant, usize)>,
}

impl Schedule {
    /// The step that comes into force at an instant, for messages.
    pub(super) fn step_at(&self, at: Instant) -> Option<usize> {
        self.starts.iter().rev().find(|(start, _)| *start == at).map(|(_, step)| *step)
    }
}

/// Checks a schedule; `None` where there is none, or beside a problem.
pub(super) fn schedule(
    field: &Field<wire::Schedule>,
    names: &Names<'_>,
    at: &Path<'_>,
    problems: &mut Problems,
) -> Option<Schedule> {
    let wire = field.given()?;
    let before = problems.len();
    let windows = windows(&wire.windows, &at.key("windows"), problems);
    let calendar = Calendar::new(windows, freezes(&wire.freezes, &at.key("freezes"), problems));
    wire.steps.required(at, "steps", problems);
    let list = at.key("steps");
    at_most(&wire.steps, MAX_STEPS, &list, problems);
    let mut schedule = Schedule::default();
    let mut previous: Option<(Instant, usize)> = None;
    for (index, step) in entries(&wire.steps).take(MAX_STEPS) {
        let at = list.index(index);
        let from = instant(&step.from, &at, "from", problems);
        step.weights.required(&at, "weights", problems);
        let weights = weights::by_name(&step.weights, Some(names), &at.key("weights"), problems);
        let Some(from) = from else { continue };
        if let Some((_, earlier)) = previous.filter(|(previous, _)| *previous >= from) {
            problems.add(&at.key("from"), format!("must be later than that of {}", list.index(earlier)));
        }
        previous = Some((from, index));
        if problems.len() > before {
            continue;
        }
        // Up to the start of the step before, nothing runs: a long list of steps that wait for
        // one window is worked out once.
        let waiting = schedule.starts.last().map(|(start, _)| *start).filter(|start| from <= *start);
        let Some(start) = waiting.or_else(|| calendar.next_running(from)) else {
            problems.add(&at.key("from"), "must be followed by a window that opens within 16 days");
            continue;
        };
        schedule.starts.push((start, index));
        for (id, weight) in weights {
            let curve = schedule.curves.entry(id).or_default();
            // Several steps may fall due while the schedule stands still: the last one counts.
            curve.steps.retain(|(other, _)| *other != start);
            curve.steps.push((start, weight));
        }
    }
    (problems.len() == before && !matches!(wire.steps, Field::Bad)).then_some(schedule)
}

/// An instant that must be there.
pub(super) fn instant(
    field: &Field<String>,
    parent: &Path<'_>,
    key: &str,
    problems: &mut Problems,
) -> Option<Instant> {
    let raw = field.required(parent, key, problems)?;
    let instant = zone::parse_rfc3339(raw);
    if instant.is_none() {
        let message = format!(
            "must be a time with an offset as in RFC 3339, such as 2026-12-01T09:00:00+01:00, got {}",
            quote(raw)
        );
        problems.add(&parent.key(key), message);
    }
    instant
}

fn windows(list: &List<wire::Window>, at: &Path<'_>, problems: &mut Problems) -> Vec<Window> {
    at_most(list, MAX_WINDOWS, at, problems);
    let windows = entries(list).take(MAX_WINDOWS);
    windows.filter_map(|(index, wire)| window(wire, &at.index(index), problems)).collect()
}

fn window(wire: &wire::Window, at: &Path<'_>, problems: &mut Problems) -> Option<Window> {
    let days = days(&wire.days, &at.key("days"), problems);
    let from = time(&wire.from, at, "from", problems);
    let to = time(&wire.to, at, "to", problems);
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        problems.add(&at.key("to"), "must be later than from; write a night as two windows");
    }
    let name = wire.timezone.required(at, "timezone", problems)?;
    let zone = Zone::find(name);
    if zone.is_none() {
        let message =
            format!("must be the IANA name of a time zone such as Europe/Berlin, got {}", quote(name));
        problems.add(&at.key("timezone"), message);
    }
    Some(Window { days, from: from?, to: to?, zone: zone? })
}

fn days(list: &List<wire::Day>, at: &Path<'_>, problems: &mut Problems) -> Days {
    text::not_empty(list, at, problems);
    let mut days = [list.given().is_none(); 7];
    for (index, day) in entries(list) {
        if let Some(place) = days.get_mut(*day as usize)
            && std::mem::replace(place, true)
        {
            problems.add(&at.index(index), "duplicate day");
        }
    }
    days
}

/// A time of the day in seconds since midnight.
fn time(field: &Field<String>, parent: &Path<'_>, key: &str, problems: &mut Problems) -> Option<u32> {
    let raw = field.required(parent, key, problems)?;
    let time = parse_time(raw);
    if time.is_none() {
        let message = format!("must be a time of the day from 00:00 to 24:00, got {}", quote(raw));
        problems.add(&parent.key(key), message);
    }
    time
}

fn parse_time(raw: &str) -> Option<u32> {
    let [h, tens, b':', m, ones] = *raw.as_bytes() else { return None };
    let digits = [h, tens, m, ones].map(|digit| digit.is_ascii_digit().then(|| u32::from(digit - b'0')));
    let [Some(h), Some(tens), Some(m), Some(ones)] = digits else { return None };
    let (hours, minutes) = (h * 10 + tens, m * 10 + ones);
    let legal = hours < 24 && minutes < 60 || (hours, minutes) == (24, 0);
    legal.then_some((hours * 60 + minutes) * 60)
}

fn freezes(list: &List<wire::Freeze>, at: &Path<'_>, problems: &mut Problems) -> Vec<Freeze> {
    at_most(list, MAX_FREEZES, at, problems);
    let mut freezes = Vec::new();
    for (index, wire) in entries(list).take(MAX_FREEZES) {
        let at = at.index(index);
        text::optional(&wire.reason, &at.key("reason"), problems, text::label);
        let from = instant(&wire.from, &at, "from", problems);
        let to = instant(&wire.to, &at, "to", problems);
        let Some((from, to)) = from.zip(to) else { continue };
        if from >= to {
            problems.add(&at.key("to"), "must be later than from");
        }
        freezes.push(Freeze { from, to });
    }
    freezes
}

fn at_most<T>(list: &List<T>, most: usize, at: &Path<'_>, problems: &mut Problems) {
    text::not_empty(list, at, problems);
    let len = list.given().map_or(0, Vec::len);
    if len > most {
        problems.add(at, format!("must have at most {most} entries, got {len}"));
    }
}
