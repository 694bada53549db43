//! What a drill has shown: figures, and what did not hold; for programs too.

use std::collections::BTreeSet;
use std::time::Duration;

use canary_core::split::VariantId;
use serde_json::{Value, json};

use super::course::{Course, Standing, Trip};
use super::plan::Plan;
use super::traffic::{Answer, Sent};
use crate::cli::DrillArgs;
use crate::policy_file::count;
use crate::status;

/// Everything that is told at the end.
#[derive(Debug)]
pub(super) struct Report<'a> {
    pub(super) plan: &'a Plan,
    pub(super) args: &'a DrillArgs,
    /// Requests per second: all, and those of the variant's users.
    pub(super) rates: [f64; 2],
    pub(super) requests: usize,
    pub(super) healthy: Duration,
    pub(super) caught: Option<Caught<'a>>,
    pub(super) hit: Hit,
    pub(super) others: Others,
    /// How many of the variant's users are on the baseline at the end.
    pub(super) back: usize,
    pub(super) false_alarms: Vec<&'a Trip>,
    pub(super) standing: Standing,
    /// What did not hold; nothing where all did.
    pub(super) failures: Vec<String>,
}

/// The breach that was waited for.
#[derive(Debug)]
pub(super) struct Caught<'a> {
    pub(super) trip: &'a Trip,
    /// Since the variant began to fail.
    pub(super) after: Duration,
    /// Requests of the variant by then.
    pub(super) requests: usize,
    /// When the last request was sent that still reached the variant, since the breach was seen.
    pub(super) followed: Duration,
}

/// Whom the failing variant hurt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    pub(super) users: usize,
    pub(super) requests: usize,
}

/// What everyone else noticed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Others {
    pub(super) requests: usize,
    /// Not answered with 2xx.
    pub(super) errors: usize,
    /// Users who were on another side than theirs, even once.
    pub(super) moved: usize,
}

impl<'a> Report<'a> {
    /// Draws up what happened.
    pub(super) fn of(plan: &'a Plan, args: &'a DrillArgs, course: &'a Course) -> Self {
        let own = |sent: &&Sent| sent.person.side == plan.variant.id;
        let seconds = course.ended.as_secs_f64().max(0.001);
        let all = float(course.sent.len()) / seconds;
        let is_own =
            |trip: &&Trip| *trip.variant == *plan.variant.name && *trip.rollout == *plan.rollout.name;
        let expected = course.trips.iter().find(is_own).filter(|_| course.failing_from.is_some());
        let mut report = Self {
            plan,
            args,
            rates: [all, float(course.sent.iter().filter(own).count()) / seconds],
            requests: course.sent.len(),
            healthy: course.failing_from.unwrap_or(course.ended),
            caught: course
                .failing_from
                .zip(expected)
                .map(|(from, trip)| Caught::of(plan, course, from, trip)),
            hit: Hit::of(course),
            others: Others::of(plan, course),
            back: on(plan, course, plan.baseline.id),
            false_alarms: course
                .trips
                .iter()
                .filter(|trip| expected.is_none_or(|own| own != *trip))
                .collect(),
            standing: course.standing,
            failures: Vec::new(),
        };
        report.failures = report.failures(course);
        report
    }

    fn failures(&self, course: &Course) -> Vec<String> {
        let (plan, mut failures) = (self.plan, Vec::new());
        let Standing { state, log10_e } = self.standing;
        for trip in &self.false_alarms {
            failures.push(format!("a false alarm after {:.1} s: {}", trip.at.as_secs_f64(), trip.line));
        }
        if self.caught.is_none() && course.failing_from.is_some() {
            failures.push(format!(
                "not caught within {} s: the guardrail says {state}, with evidence of 10^{log10_e:.1} of 10^{:.1}",
                self.args.deadline,
                self.needed()
            ));
        }
        let Others { errors, moved, .. } = self.others;
        if errors > 0 {
            failures.push(format!("{} failed that the fault does not explain", count(errors, "request")));
        }
        if moved > 0 {
            failures.push(format!("{} moved who had nothing to do with it", count(moved, "user")));
        }
        let users = plan.people.count(plan.variant.id);
        let back = if plan.only_alerts() || self.caught.is_none() { 0 } else { users };
        // Of a rollback that is spread over a long time nobody waits for the end.
        let waited = plan.guardrail.settings.rollback_over <= 45;
        if self.back != back && (waited || self.back == 0) {
            failures.push(format!(
                "{} of {}'s {users} users are on {}, not {back}",
                self.back, plan.variant.name, plan.baseline.name
            ));
        }
        failures
    }

    pub(super) fn needed(&self) -> f64 {
        status::needed(&self.plan.guardrail.settings)
    }

    /// For programs.
    pub(super) fn json(&self, envoy: Option<&str>) -> Value {
        let (plan, caught) = (self.plan, self.caught.as_ref());
        let users = plan.people.count(plan.variant.id);
        let [all, own] = self.rates;
        json!({
            "policy": plan.name,
            "rollout": &*plan.rollout.name,
            "baseline": &*plan.baseline.name,
            "variant": &*plan.variant.name,
            "weight": f64::from(plan.weight) / 1e6,
            "fault": plan.fault.to_string(),
            "envoy": envoy,
            "workers": self.args.workers,
            "users": {"all": plan.people.all().len(), "variant": users},
            "requests": self.requests,
            "requests_per_second": {"all": all, "variant": own},
            "healthy_seconds": self.healthy.as_secs_f64(),
            "false_alarms": self.false_alarms.iter().map(|trip| &*trip.line).collect::<Vec<_>>(),
            "caught": caught.is_some(),
            "caught_after_seconds": caught.map(|caught| caught.after.as_secs_f64()),
            "caught_after_requests": caught.map(|caught| caught.requests),
            "why": caught.map(|caught| &*caught.trip.why),
            "log": caught.map(|caught| &*caught.trip.line),
            "on_breach": if plan.only_alerts() { "alert" } else { "rollback" },
            "hit": {"users": self.hit.users, "requests": self.hit.requests},
            "back_on_baseline": self.back,
            "last_request_ms_after_breach": caught.filter(|_| !plan.only_alerts()).map(|caught| caught.followed.as_millis()),
            "others": {"requests": self.others.requests, "errors": self.others.errors, "moved_users": self.others.moved},
            "guardrail": {"state": self.standing.state, "log10_e": self.standing.log10_e, "log10_needed": self.needed()},
            "failures": self.failures,
        })
    }
}

impl<'a> Caught<'a> {
    fn of(plan: &Plan, course: &Course, from: Duration, trip: &'a Trip) -> Self {
        let of_variant = |sent: &&Sent| match sent.answer {
            Answer::Served { side, .. } => side == plan.variant.id,
            Answer::GivenUp => true,
            Answer::Odd => false,
        };
        let reached = || course.sent.iter().filter(of_variant);
        let last = reached().map(|sent| sent.at).max().unwrap_or_default();
        Self {
            trip,
            after: trip.at.saturating_sub(from),
            requests: reached().filter(|sent| (from..trip.at).contains(&sent.at)).count(),
            followed: last.saturating_sub(trip.at),
        }
    }
}

impl Hit {
    fn of(course: &Course) -> Self {
        let is_hit = |sent: &&Sent| matches!(sent.answer, Answer::Served { hit: true, .. } | Answer::GivenUp);
        let hits = || course.sent.iter().filter(is_hit);
        let users: BTreeSet<_> = hits().map(|sent| sent.place).collect();
        Self { users: users.len(), requests: hits().count() }
    }
}

impl Others {
    /// All but the failing variant's users; of them, what the fault does not explain.
    fn of(plan: &Plan, course: &Course) -> Self {
        let variant = plan.variant.id;
        let is_error = |sent: &&Sent| match sent.answer {
            Answer::Served { ok, hit, .. } => !ok && !hit,
            Answer::GivenUp => sent.person.side != variant,
            Answer::Odd => true,
        };
        let may_be_on = |sent: &Sent, side: VariantId| {
            side == sent.person.side || sent.person.side == variant && side == plan.baseline.id
        };
        let strays = course
            .sent
            .iter()
            .filter(|sent| matches!(sent.answer, Answer::Served { side, .. } if !may_be_on(sent, side)));
        let mut moved: BTreeSet<_> = strays.map(|sent| sent.place).collect();
        let at_the_end = plan.people.all().iter().zip(&course.census).enumerate();
        let strays =
            at_the_end.filter(|(_, (person, side))| person.side != variant && **side != Some(person.side));
        moved.extend(strays.map(|(place, _)| place));
        Self {
            requests: course.sent.iter().filter(|sent| sent.person.side != variant).count(),
            errors: course.sent.iter().filter(is_error).count(),
            moved: moved.len(),
        }
    }
}

/// How many of the variant's users are on a side at the end.
fn on(plan: &Plan, course: &Course, side: VariantId) -> usize {
    let everyone = plan.people.all().iter().zip(&course.census);
    everyone.filter(|(person, now)| person.side == plan.variant.id && **now == Some(side)).count()
}

/// A count as a number to reckon with.
pub(super) fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
