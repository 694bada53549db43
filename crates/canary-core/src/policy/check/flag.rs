//! Feature flags of a rollout.

use super::condition::{self, condition};
use super::weights::{self, Names};
use super::{entries, names, text, unique};
use crate::bucket::Salt;
use crate::flag::{Flag, FlagRule, MAX_FLAGS};
use crate::policy::field::{Field, List};
use crate::policy::problem::{Path, Problems, quote};
use crate::policy::wire;
use crate::split::{VariantId, Weight};

/// What a flag must know of its rollout.
#[derive(Clone, Copy)]
pub(super) struct Scope<'w> {
    pub(super) names: &'w Names<'w>,
    pub(super) conditions: condition::Scope<'w>,
    /// The rollout's name, with the release where there is one.
    pub(super) under: &'w str,
    /// The salt of the split.
    pub(super) split: &'w str,
}

/// Checks the flags of a rollout; sorted by name, as services see them.
pub(super) fn flags(
    list: &List<wire::Flag>,
    at: &Path<'_>,
    scope: Scope<'_>,
    problems: &mut Problems,
) -> Box<[Flag]> {
    text::not_empty(list, at, problems);
    let len = list.given().map_or(0, Vec::len);
    if len > MAX_FLAGS {
        problems.add(at, format!("must have at most {MAX_FLAGS} entries, got {len}"));
    }
    let mut names = names(list, |flag| &flag.name);
    names.truncate(MAX_FLAGS);
    unique(&names, at, problems);
    let flags = entries(list).take(MAX_FLAGS);
    let mut flags: Vec<Flag> =
        flags.filter_map(|(index, wire)| flag(wire, &at.index(index), scope, problems)).collect();
    flags.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    flags.into()
}

fn flag(wire: &wire::Flag, at: &Path<'_>, scope: Scope<'_>, problems: &mut Problems) -> Option<Flag> {
    let name = text::required(&wire.name, at, "name", problems, text::name);
    let sides = sides(&wire.variants, &at.key("variants"), scope.names, problems);
    let share = percent(&wire.percent, at, problems);
    let salt = text::optional(&wire.salt, &at.key("salt"), problems, text::label);
    let list = at.key("rules");
    unique(&names(&wire.rules, |rule| &rule.name), &list, problems);
    let rules = entries(&wire.rules);
    let rules = rules.filter_map(|(index, wire)| rule(wire, &list.index(index), scope, problems)).collect();
    let name = name?;
    let salt = salt.unwrap_or_else(|| format!("{}/{name}", scope.under).into());
    if &*salt == scope.split {
        let message = "must differ from the rollout's: the same users would be first in both";
        problems.add(&at.key("salt"), message);
    }
    Some(Flag { salt: Salt::new(&salt), name, sides, share: share?, rules })
}

fn rule(wire: &wire::FlagRule, at: &Path<'_>, scope: Scope<'_>, problems: &mut Problems) -> Option<FlagRule> {
    text::required(&wire.name, at, "name", problems, text::name);
    let when = wire.when.given().map(|when| condition(when, &at.key("when"), scope.conditions, problems));
    let share = percent(&wire.percent, at, problems);
    Some(FlagRule { when: when.unwrap_or_default(), share: share? })
}

fn percent(field: &Field<f64>, parent: &Path<'_>, problems: &mut Problems) -> Option<Weight> {
    let percent = field.required(parent, "percent", problems)?;
    weights::weight(*percent, &parent.key("percent"), problems)
}

fn sides(list: &List<String>, at: &Path<'_>, names: &Names<'_>, problems: &mut Problems) -> Box<[VariantId]> {
    if list.given().is_none() {
        return names.variants().collect();
    }
    text::not_empty(list, at, problems);
    let mut sides = Vec::new();
    for (index, name) in entries(list) {
        let at = at.index(index);
        let Some(side) = names.side(name, &at, problems) else { continue };
        if sides.contains(&side) {
            problems.add(&at, format!("duplicate {}", quote(name)));
        } else {
            sides.push(side);
        }
    }
    sides.into()
}
