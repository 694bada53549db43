//! The rules of a rollout.

use super::condition::condition;
use super::rollout::Scope;
use super::schedule::schedule;
use super::timeline::{Weights, constant};
use super::weights::{self, Names};
use super::{entries, text};
use crate::policy::field::Field;
use crate::policy::problem::{Path, Problems};
use crate::policy::wire;
use crate::rollout::{Rule, RuleId, Then};
use crate::timeline::Timeline;

/// Checks all rules of a rollout; `base` are the weights that theirs replace.
pub(super) fn rules(
    wire: &wire::Rollout,
    at: &Path<'_>,
    names: &Names<'_>,
    base: Option<&Weights>,
    scope: Scope<'_>,
    problems: &mut Problems,
) -> Vec<Rule> {
    let list = at.key("rules");
    super::unique(&super::names(&wire.rules, |rule| &rule.name), &list, problems);
    let rules = entries(&wire.rules);
    let rules =
        rules.filter_map(|(index, wire)| rule(wire, index, &list.index(index), names, base, scope, problems));
    rules.collect()
}

fn rule(
    wire: &wire::Rule,
    index: usize,
    at: &Path<'_>,
    names: &Names<'_>,
    base: Option<&Weights>,
    scope: Scope<'_>,
    problems: &mut Problems,
) -> Option<Rule> {
    let name = text::required(&wire.name, at, "name", problems, text::name);
    let when = wire.when.given().map(|when| condition(when, &at.key("when"), scope.conditions, problems));
    let pin = wire.variant.given().and_then(|side| names.side(side, &at.key("variant"), problems));
    let split = split(wire, at, names, base, scope, problems);
    let given = [
        !matches!(wire.variant, Field::Missing),
        !matches!(wire.weights, Field::Missing),
        !matches!(wire.schedule, Field::Missing),
    ];
    let then = match given.iter().filter(|given| **given).count() {
        0 => {
            problems.add(at, "must have one of variant, weights, schedule");
            None
        }
        1 => pin.map(Then::Pin).or(split.map(Then::Split)),
        _ => {
            problems.add(at, "must have one of variant, weights, schedule, not several");
            None
        }
    };
    let id = RuleId(u16::try_from(index).unwrap_or(u16::MAX));
    Some(Rule { id, name: name?, when: when.unwrap_or_default(), then: then? })
}

fn split(
    wire: &wire::Rule,
    at: &Path<'_>,
    names: &Names<'_>,
    base: Option<&Weights>,
    scope: Scope<'_>,
    problems: &mut Problems,
) -> Option<Timeline> {
    let weights = weights::by_name(&wire.weights, Some(names), &at.key("weights"), problems);
    let own = schedule(&wire.schedule, names, &at.key("schedule"), problems);
    let base = base?;
    match own {
        Some(own) => base.with_schedule(own).timeline(at, scope.layouts, problems),
        None if wire.weights.given().is_some() => {
            base.with(constant(weights)).timeline(at, scope.layouts, problems)
        }
        None => None,
    }
}
