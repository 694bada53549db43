//! The weights of a rollout's variants over time, and their layouts.

use std::borrow::Cow;
use std::cell::Cell;

use super::entries;
use super::schedule::{Schedule, schedule};
use super::state::State;
use super::weights::{self, Names};
use crate::policy::field::Field;
use crate::policy::problem::{Path, Problems};
use crate::policy::wire;
use crate::split::{MAX_VARIANTS, VariantId, Weight};
use crate::timeline::{Curve, Instant, Timeline};

/// All layouts of a policy: each rollout and each rule has one for each instant at which
/// weights change, some 20 MB in all at the worst.
const MAX_LAYOUTS: usize = 10_000;

/// The layouts of a policy, counted.
#[derive(Default)]
pub(super) struct Layouts(Cell<usize>);

/// The weights of all variants, in the order of the policy.
pub(super) struct Weights {
    curves: Box<[Curve]>,
    /// Where they come from, for messages.
    schedule: Option<Schedule>,
    /// The variants whose schedules stand still, and since when.
    held: Option<(Vec<VariantId>, Instant)>,
    /// Whether some of them have been replaced by others.
    pub(super) replaced: bool,
}

impl Weights {
    /// What developers wrote: the schedule for the variants that it names, and their own
    /// weights for the others. `None` only beside a problem.
    pub(super) fn of(
        wire: &wire::Rollout,
        at: &Path<'_>,
        names: &Names<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let schedule = schedule(&wire.schedule, names, &at.key("schedule"), problems);
        let broken = schedule.is_none() && !matches!(wire.schedule, Field::Missing);
        let list = at.key("variants");
        let mut curves = Vec::new();
        for (index, variant) in entries(&wire.variants).take(MAX_VARIANTS) {
            let at = list.index(index);
            let percent = variant.weight.given();
            let own = percent.and_then(|percent| weights::weight(*percent, &at.key("weight"), problems));
            let id = VariantId::variant(index);
            match schedule.as_ref().and_then(|schedule| schedule.curves.get(&id)) {
                Some(curve) => curves.push(curve.clone()),
                None if broken => {}
                None => {
                    variant.weight.required(&at, "weight", problems);
                    curves.extend(own.map(Curve::constant));
                }
            }
        }
        let all = curves.len() == wire.variants.given()?.len();
        all.then(|| Self { curves: curves.into(), schedule, held: None, replaced: false })
    }

    /// Those that operators replaced.
    pub(super) fn with_state(self, state: &State) -> Self {
        let held = state.since.map(|since| (state.rolled_back.clone(), since));
        let replaced = !state.weights.is_empty() || held.is_some();
        let with = Self { held, ..self }.with(constant(state.weights.clone()));
        Self { replaced, ..with }
    }

    /// The same with some replaced.
    pub(super) fn with(&self, by: impl IntoIterator<Item = (VariantId, Curve)>) -> Self {
        let mut curves = replaced(&self.curves, by);
        for (id, since) in self.held.iter().flat_map(|(ids, since)| ids.iter().map(move |id| (id, *since))) {
            if let Some(curve) = id.slot().checked_sub(1).and_then(|place| curves.get_mut(place)) {
                curve.steps.retain(|(from, _)| *from <= since);
            }
        }
        Self { curves, schedule: None, held: self.held.clone(), replaced: true }
    }

    /// The same with a schedule for some.
    pub(super) fn with_schedule(&self, schedule: Schedule) -> Self {
        let with = self.with(schedule.curves.clone());
        Self { schedule: Some(schedule), ..with }
    }

    /// The same, but that a variant whose schedule stands still gives way to the others: a
    /// rollback must never be refused for want of room, and its users are elsewhere anyway.
    fn yielded(&self) -> Cow<'_, [Curve]> {
        let Some((held, _)) = &self.held else { return Cow::Borrowed(&self.curves) };
        let mut curves = self.curves.to_vec();
        for place in held.iter().filter_map(|id| id.slot().checked_sub(1)) {
            let instants = Timeline::instants(&curves);
            let room = |at: Option<Instant>| {
                let weight = |curve: &Curve| at.map_or(curve.initial, |at| curve.at(at));
                let others = curves.iter().enumerate().filter(|(other, _)| *other != place);
                let others: u64 = others.map(|(_, curve)| u64::from(weight(curve).ppm())).sum();
                let own = curves.get(place).map(weight).unwrap_or_default();
                own.min(Weight::remainder(others))
            };
            let curve = Curve {
                initial: room(None),
                steps: instants.iter().map(|at| (*at, room(Some(*at)))).collect(),
            };
            if let Some(place) = curves.get_mut(place) {
                *place = curve;
            }
        }
        Cow::Owned(curves)
    }

    /// Lays them out; reports where they sum to more than everyone.
    pub(super) fn timeline(
        &self,
        at: &Path<'_>,
        layouts: &Layouts,
        problems: &mut Problems,
    ) -> Option<Timeline> {
        layouts.count(1 + Timeline::instants(&self.curves).len(), problems)?;
        let full = match Timeline::try_new(&self.yielded()) {
            Ok(timeline) => return Some(timeline),
            Err(full) => full,
        };
        let step = full.from.and_then(|from| self.schedule.as_ref()?.step_at(from));
        let others = "weights, with those of the other variants,";
        match step {
            Some(step) => {
                let at = at.key("schedule");
                let at = at.key("steps");
                problems.add(&at.index(step).key("weights"), weights::overfull(others, full.sum));
            }
            None if self.schedule.is_some() && self.replaced => {
                problems.add(&at.key("schedule"), weights::overfull(others, full.sum));
            }
            None if self.replaced => problems.add(&at.key("weights"), weights::overfull(others, full.sum)),
            None => problems.add(&at.key("variants"), weights::overfull("weights", full.sum)),
        }
        None
    }
}

impl Layouts {
    /// Counts so many more; `None`, and a problem the first time, where they become too many.
    fn count(&self, more: usize, problems: &mut Problems) -> Option<()> {
        let before = self.0.get();
        let now = before.saturating_add(more);
        self.0.set(now);
        if before <= MAX_LAYOUTS && now > MAX_LAYOUTS {
            let message = format!(
                "steps of schedules, and rules with weights, must make at most {MAX_LAYOUTS} layouts"
            );
            problems.add(&Path::Root.key("rollouts"), message);
        }
        (now <= MAX_LAYOUTS).then_some(())
    }
}

/// The weights of all variants over time, where some are replaced.
fn replaced(curves: &[Curve], by: impl IntoIterator<Item = (VariantId, Curve)>) -> Box<[Curve]> {
    let mut curves: Box<[Curve]> = curves.into();
    for (id, curve) in by {
        if let Some(place) = id.slot().checked_sub(1).and_then(|place| curves.get_mut(place)) {
            *place = curve;
        }
    }
    curves
}

/// Weights that stay as they are.
pub(super) fn constant(weights: Vec<(VariantId, Weight)>) -> impl Iterator<Item = (VariantId, Curve)> {
    weights.into_iter().map(|(id, weight)| (id, Curve::constant(weight)))
}
