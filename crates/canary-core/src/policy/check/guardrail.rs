//! The guardrail of a rollout.

use super::condition;
use super::{entries, or, text};
use crate::bucket::MILLION;
use crate::decimal::number;
use crate::duration;
use crate::event::Event;
use crate::guardrail::settings::{Errors, EventDrop, Latency, OnBreach, Settings};
use crate::policy::field::{Field, List};
use crate::policy::problem::{Path, Problems, quote};
use crate::policy::wire;
use crate::rollout::Guardrail;

/// What a guardrail must know of the rest of the policy.
#[derive(Clone, Copy)]
pub(super) struct Scope<'w> {
    pub(super) conditions: condition::Scope<'w>,
    pub(super) events: &'w [Event],
}

/// The longest window and the slowest rollback, in seconds.
const HOUR: u32 = 3_600;

/// A slot of the windows.
const MIN_WINDOW: u32 = 10;

pub(super) fn guardrail(
    field: &Field<wire::Guardrail>,
    at: &Path<'_>,
    scope: Scope<'_>,
    problems: &mut Problems,
) -> Option<Guardrail> {
    let wire = field.given()?;
    let events = events(&wire.events, &at.key("events"), scope.events, problems);
    let (places, events): (Vec<_>, Vec<_>) = events.into_iter().unzip();
    let settings = Settings {
        errors: wire.errors.given().map(|wire| errors(wire, &at.key("errors"), problems)),
        latency: wire.latency.given().map(|wire| latency(wire, &at.key("latency"), problems)),
        events: events.into(),
        min_requests: whole(&wire.min_requests, at, "min_requests", MILLION, problems)
            .unwrap_or(Settings::MIN_REQUESTS),
        min_failures: whole(&wire.min_failures, at, "min_failures", MILLION, problems)
            .unwrap_or(Settings::MIN_FAILURES),
        min_difference: Range { min: 0.0, max: 100.0, unit: " percentage points" }
            .check(&wire.min_difference, at, "min_difference", problems)
            .unwrap_or(Settings::MIN_DIFFERENCE),
        alpha: Range { min: 1e-9, max: 0.5, unit: "" }
            .check(&wire.alpha, at, "alpha", problems)
            .unwrap_or(Settings::ALPHA),
        fleet_size: whole(&wire.fleet_size, at, "fleet_size", 100_000, problems).unwrap_or(1),
        on_breach: match or(&wire.on_breach, wire::OnBreach::Rollback) {
            wire::OnBreach::Rollback => OnBreach::Rollback,
            wire::OnBreach::Alert => OnBreach::Alert,
        },
        rollback_over: seconds(&wire.rollback_over, at, "rollback_over", 0, 0, problems),
    };
    let missing = [matches!(wire.errors, Field::Missing), matches!(wire.latency, Field::Missing)];
    if missing == [true; 2] && matches!(wire.events, Field::Missing) {
        problems.add(at, "must have errors, latency or events: else it watches nothing");
    }
    let count = condition::optional(&wire.count, &at.key("count"), scope.conditions, problems);
    Some(Guardrail { settings, events: places.into(), count })
}

fn errors(wire: &wire::GuardedErrors, at: &Path<'_>, problems: &mut Problems) -> Errors {
    let max_rate = Range { min: 1e-4, max: 100.0, unit: " %" };
    Errors {
        max_rate: max_rate.check(&wire.max_rate, at, "max_rate", problems),
        window: seconds(&wire.window, at, "window", MIN_WINDOW, Settings::WINDOW, problems),
        tolerated_ratio: tolerated_ratio(&wire.tolerated_ratio, at, problems),
    }
}

fn latency(wire: &wire::GuardedLatency, at: &Path<'_>, problems: &mut Problems) -> Latency {
    let max_increase = Range { min: 1.0, max: 10_000.0, unit: " %" };
    Latency {
        max_increase: max_increase.check(&wire.max_increase, at, "max_increase", problems),
        window: seconds(&wire.window, at, "window", MIN_WINDOW, Settings::WINDOW, problems),
        tolerated_ratio: tolerated_ratio(&wire.tolerated_ratio, at, problems),
    }
}

fn tolerated_ratio(field: &Field<f64>, at: &Path<'_>, problems: &mut Problems) -> f64 {
    let range = Range { min: 1.0, max: 100.0, unit: "" };
    range.check(field, at, "tolerated_ratio", problems).unwrap_or(Settings::TOLERATED_RATIO)
}

/// The events that are watched, with their places in the rollout.
fn events(
    list: &List<wire::GuardedEvent>,
    at: &Path<'_>,
    declared: &[Event],
    problems: &mut Problems,
) -> Vec<(usize, EventDrop)> {
    text::not_empty(list, at, problems);
    let mut events: Vec<(usize, EventDrop)> = Vec::new();
    for (index, wire) in entries(list) {
        let at = at.index(index);
        let max_drop = Range { min: 0.0, max: 99.0, unit: " %" };
        let max_drop =
            max_drop.check(&wire.max_drop, &at, "max_drop", problems).unwrap_or(Settings::MAX_DROP);
        let Some(name) = wire.name.required(&at, "name", problems) else { continue };
        let at = at.key("name");
        match declared.iter().position(|event| *event.name == **name) {
            None => problems
                .add(&at, format!("must be the name of an event of this rollout, got {}", quote(name))),
            Some(place) if events.iter().any(|(other, _)| *other == place) => {
                problems.add(&at, format!("duplicate name {}", quote(name)));
            }
            Some(place) => events.push((place, EventDrop { name: name.as_str().into(), max_drop })),
        }
    }
    events
}

/// What a number may be.
struct Range {
    min: f64,
    max: f64,
    unit: &'static str,
}

impl Range {
    fn check(&self, field: &Field<f64>, at: &Path<'_>, key: &str, problems: &mut Problems) -> Option<f64> {
        let value = *field.given()?;
        if (self.min..=self.max).contains(&value) {
            return Some(value);
        }
        let (min, max) = (number(self.min), number(self.max));
        problems.add(
            &at.key(key),
            format!("must be between {min} and {max}{}, got {}", self.unit, number(value)),
        );
        None
    }
}

/// A whole number from 1 on.
fn whole(field: &Field<f64>, at: &Path<'_>, key: &str, max: u32, problems: &mut Problems) -> Option<u32> {
    let value = Range { min: 1.0, max: f64::from(max), unit: "" }.check(field, at, key, problems)?;
    if value.fract() > 0.0 {
        problems.add(&at.key(key), format!("must be a whole number, got {}", number(value)));
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number from 1 to max by the tests above"
    )]
    Some(value as u32)
}

/// A length of time in seconds, at most an hour.
fn seconds(
    field: &Field<String>,
    at: &Path<'_>,
    key: &str,
    min: u32,
    default: u32,
    problems: &mut Problems,
) -> u32 {
    let Some(raw) = field.given() else { return default };
    let seconds = duration::seconds(raw).and_then(|seconds| u32::try_from(seconds).ok());
    seconds.filter(|seconds| (min..=HOUR).contains(seconds)).unwrap_or_else(|| {
        let message = format!("must be {min}s to 1h, as a number and one of s, m, h, got {}", quote(raw));
        problems.add(&at.key(key), message);
        default
    })
}
