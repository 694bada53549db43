//! What operators have written about a rollout.

use std::collections::BTreeMap;

use super::weights::{self, Names};
use super::{entries, schedule, text};
use crate::policy::field::Field;
use crate::policy::problem::{Path, Problems};
use crate::policy::wire;
use crate::split::{VariantId, Weight};
use crate::timeline::Instant;

/// What is in force for one rollout.
#[derive(Default)]
pub(super) struct State {
    pub(super) rolled_back: Vec<VariantId>,
    pub(super) weights: Vec<(VariantId, Weight)>,
    /// When the rollback was made.
    pub(super) since: Option<Instant>,
    /// What takes back the guardrail's rollbacks, where it is new.
    pub(super) resume: Option<Box<str>>,
}

type States = Field<BTreeMap<String, Field<wire::State>>>;

/// The state of one rollout. One that was written for another release is checked, but not
/// in force, and its references are not followed: they were to variants of that release.
pub(super) fn of(
    states: &States,
    rollout: &str,
    release: Option<&str>,
    names: &Names<'_>,
    problems: &mut Problems,
) -> State {
    let state = states.given().and_then(|states| states.get(rollout)?.given());
    let Some(wire) = state else { return State::default() };
    let root = Path::Root.key("state");
    let at = root.key(rollout);
    text::optional(&wire.release, &at.key("release"), problems, text::label);
    let in_force = match &wire.release {
        Field::Missing => true,
        Field::Given(wanted) => release == Some(wanted),
        Field::Bad => false,
    };
    let names = in_force.then_some(names);
    let weights = weights::by_name(&wire.weights, names, &at.key("weights"), problems);
    let mut rolled_back = Vec::new();
    for (index, name) in entries(&wire.rolled_back) {
        let at = at.key("rolled_back");
        let at = at.index(index);
        let why = "the baseline cannot be rolled back";
        let id = names.and_then(|names| names.variant(name, why, &at, problems));
        if let Some(id) = id {
            if rolled_back.contains(&id) {
                problems.add(&at, "duplicate name");
            }
            rolled_back.push(id);
        }
    }
    let since = match wire.since {
        Field::Missing => None,
        _ => schedule::instant(&wire.since, &at, "since", problems),
    };
    let resume = text::optional(&wire.resume, &at.key("resume"), problems, text::label);
    if in_force { State { rolled_back, weights, since, resume } } else { State::default() }
}

/// Reports states of rollouts that do not exist: a rollback of a mistyped one must not pass
/// for one that works.
pub(super) fn names(states: &States, rollouts: &[Option<&str>], problems: &mut Problems) {
    let all_known = rollouts.iter().all(Option::is_some);
    let known: std::collections::BTreeSet<&str> = rollouts.iter().copied().flatten().collect();
    for name in states.given().into_iter().flatten().map(|(name, _)| name.as_str()) {
        if all_known && !known.contains(name) {
            problems.add(&Path::Root.key("state").key(name), "must be the name of a rollout of this policy");
        }
    }
}
