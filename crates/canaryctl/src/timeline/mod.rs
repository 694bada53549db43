//! `canaryctl timeline`: the weights to come.
//!
//! The core has worked out the instants; `table` lists them, `chart` draws them.

mod chart;
mod table;

use anyhow::{Result, bail};
use canary_core::bucket::MILLION;
use canary_core::policy::Policy;
use canary_core::rollout::{Rollout, Rule, Then, Variant};
use canary_core::timeline::{Instant, Timeline};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::Outcome;
use crate::cli::{Format, TimelineArgs};
use crate::clock;
use crate::policy_file::PolicyFile;
use crate::streams::Streams;

/// A rollout with a schedule.
#[derive(Debug)]
struct Future<'p> {
    rollout: &'p Rollout,
    /// First the one outside of rules, then that of each rule under which weights change.
    courses: Vec<Course<'p>>,
}

/// Weights over time, for those for whom this rule decides, or none does.
#[derive(Clone, Copy, Debug)]
struct Course<'p> {
    rollout: &'p Rollout,
    rule: Option<&'p Rule>,
    timeline: &'p Timeline,
}

pub(crate) fn run(args: &TimelineArgs, streams: &mut Streams) -> Result<Outcome> {
    let file = PolicyFile::read(&args.policy)?;
    let Some(policy) = file.parse(streams) else { return Ok(Outcome::Bad) };
    let only = args.rollout.as_deref();
    exists(&policy, only)?;
    let futures: Vec<_> = scheduled(&policy, file.bytes())
        .filter(|rollout| only.is_none_or(|name| *rollout.name == *name))
        .map(Future::of)
        .collect();
    match (args.format, only) {
        (Format::Json, _) => {
            let rollouts: Vec<_> = futures.iter().map(Future::json).collect();
            streams.say(json!({ "rollouts": rollouts }))?;
        }
        (Format::Text, None) if futures.is_empty() => streams.say("no rollout has a schedule")?,
        (Format::Text, Some(name)) if futures.is_empty() => {
            streams.say(format_args!("rollout {name} has no schedule"))?;
        }
        (Format::Text, _) => {
            let now = clock::now();
            let from = args.from.unwrap_or(now);
            let texts = futures.iter().map(|future| {
                format!("{}\n{}", table::text(future, now), chart::text(future, from, args.days, now))
            });
            streams.say(texts.collect::<Vec<_>>().join("\n\n"))?;
        }
    }
    Ok(Outcome::Good)
}

fn exists(policy: &Policy, name: Option<&str>) -> Result<()> {
    let names: Vec<_> = policy.rollouts.iter().map(|rollout| &*rollout.name).collect();
    match name.filter(|name| !names.contains(name)) {
        None => Ok(()),
        Some(name) if names.is_empty() => bail!("no rollout {name:?}: the policy has none"),
        Some(name) => bail!("no rollout {name:?}: the policy has {}", names.join(", ")),
    }
}

/// The rollouts that have a schedule, of their own or in a rule.
///
/// The core keeps none, only what comes of it; that can be nothing, as where operators have
/// replaced the weights, and whoever asks then is to see the weights that stay.
fn scheduled<'p>(policy: &'p Policy, text: &[u8]) -> impl Iterator<Item = &'p Rollout> {
    let written: Value = serde_json::from_slice(text).unwrap_or_default();
    policy.rollouts.iter().enumerate().filter_map(move |(place, rollout)| {
        let wire = written.get("rollouts")?.get(place)?;
        let rules = wire.get("rules").and_then(Value::as_array).into_iter().flatten();
        let scheduled = [wire].into_iter().chain(rules).any(|wire| wire.get("schedule").is_some());
        scheduled.then_some(rollout)
    })
}

impl<'p> Future<'p> {
    fn of(rollout: &'p Rollout) -> Self {
        let split = Course { rollout, rule: None, timeline: &rollout.timeline };
        let rules = rollout.rules.iter().filter_map(|rule| match &rule.then {
            Then::Split(timeline) => Some(Course { rollout, rule: Some(rule), timeline }),
            Then::Pin(_) => None,
        });
        let rules = rules.filter(|course| course.timeline.changes().next().is_some());
        Self { rollout, courses: [split].into_iter().chain(rules).collect() }
    }

    /// When weights change next, somewhere.
    fn next_change(&self, now: Instant) -> Option<Instant> {
        self.courses.iter().filter_map(|course| course.timeline.next_change(now)).min()
    }

    /// When weights change for the last time.
    fn last_change(&self) -> Option<Instant> {
        self.courses.iter().filter_map(|course| course.timeline.changes().last()).max()
    }

    fn json(&self) -> Value {
        let of_rule = |course: &Course<'_>| {
            let name = course.rule.map(|rule| &*rule.name)?;
            Some(json!({"rule": name, "changes": course.json()}))
        };
        json!({
            "rollout": &*self.rollout.name,
            "release": self.rollout.release.as_deref(),
            "changes": self.courses.first().map(Course::json),
            "rules": self.courses.iter().filter_map(of_rule).collect::<Vec<_>>(),
        })
    }
}

impl<'p> Course<'p> {
    /// From when on each split is in force; `None` from the beginning.
    fn changes(&self) -> impl Iterator<Item = Option<Instant>> {
        [None].into_iter().chain(self.timeline.changes().map(Some))
    }

    /// Each side's weight in parts per million, the baseline first; a rollback changes no weight.
    fn weights(&self, at: Option<Instant>) -> impl Iterator<Item = (&'p Variant, u32)> {
        let split = self.timeline.at(at.unwrap_or(Instant::MIN));
        let taken: u32 = split.weights().iter().map(|weight| weight.ppm()).sum();
        let ppm = [MILLION - taken].into_iter().chain(split.weights().iter().map(|weight| weight.ppm()));
        self.rollout.variants.iter().zip(ppm)
    }

    fn json(&self) -> Value {
        let change = |from: Option<Instant>| {
            let weights = self.weights(from).map(|(side, ppm)| (side.name.to_string(), percent(ppm).into()));
            json!({"from": from.map(rfc3339), "weights": weights.collect::<Map<_, _>>()})
        };
        self.changes().map(change).collect()
    }
}

/// An instant in UTC; one that no calendar reaches stays a number.
fn rfc3339(at: Instant) -> String {
    Timestamp::from_second(at).map_or_else(|_| at.to_string(), |at| at.to_string())
}

fn percent(ppm: u32) -> f64 {
    f64::from(ppm) / 1e4
}
