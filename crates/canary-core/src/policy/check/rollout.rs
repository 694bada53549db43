//! Rollouts, their variants and their rules.

use std::collections::BTreeMap;

use super::condition::{condition, hosts};
use super::state::{self, State};
use super::weights::{self, Names};
use super::{entries, or, text};
use crate::bucket::Salt;
use crate::policy::field::{Field, List};
use crate::policy::problem::{Path, Problems, quote};
use crate::policy::wire;
use crate::rollout::{Anonymous, BucketBy, Rollout, RolloutId, Rule, Then, Variant};
use crate::route::Match;
use crate::split::{MAX_VARIANTS, VariantId, Weight};

/// The name that stats give to what no rollout matches.
const RESERVED: &str = "none";

/// What a rollout must know of the rest of the policy.
pub(super) struct Scope<'w> {
    pub(super) has_geo: bool,
    pub(super) state: &'w Field<BTreeMap<String, Field<wire::State>>>,
}

/// The id of the rollout at this place; lists are far shorter than ids go.
pub(super) fn id(index: usize) -> RolloutId {
    RolloutId(u32::try_from(index).unwrap_or(u32::MAX))
}

/// Checks one rollout; `None` only beside a problem.
pub(super) fn rollout(
    wire: &wire::Rollout,
    index: usize,
    at: &Path<'_>,
    scope: &Scope<'_>,
    problems: &mut Problems,
) -> Option<Rollout> {
    let name = text::required(&wire.name, at, "name", problems, text::name);
    if name.as_deref() == Some(RESERVED) {
        let message = format!("{} is reserved for requests that no rollout matches", quote(RESERVED));
        problems.add(&at.key("name"), message);
    }
    let release = text::optional(&wire.release, &at.key("release"), problems, text::label);
    let salt = text::optional(&wire.salt, &at.key("salt"), problems, text::label);
    let names = Names::of(wire);
    names.check(at, problems);
    let baseline = wire.baseline.required(at, "baseline", problems);
    let baseline = baseline
        .and_then(|wire| side(VariantId::BASELINE, &wire.name, &wire.cluster, &at.key("baseline"), problems));
    let variants = variants(wire, at, problems);

    let raw_name = wire.name.given().map_or("", String::as_str);
    let state = state::of(scope.state, raw_name, release.as_deref(), &names, problems);
    let weights = weights(wire, at, problems);
    let effective = weights.as_deref().map(|weights| Weight::replaced(weights, &state.weights));
    let split = effective.as_deref().and_then(|effective| {
        let base = weights::split(weights.as_deref()?, "weights", &at.key("variants"), problems)?;
        if state.weights.is_empty() {
            return Some(base);
        }
        let root = Path::Root.key("state");
        let at = root.key(raw_name);
        weights::split(effective, "weights, with those of the other variants,", &at.key("weights"), problems)
    });
    let rules = rules(wire, at, &names, effective.as_deref(), problems);
    let bucket_by = bucket_by(&wire.bucket_by, scope, &at.key("bucket_by"), problems);

    let (name, sides) = (name?, sides(baseline?, variants, &state));
    let salt = match (salt, &release) {
        (Some(salt), _) => salt,
        (None, Some(release)) => format!("{name}/{release}").into(),
        (None, None) => name.clone(),
    };
    Some(Rollout {
        id: id(index),
        name,
        release,
        enabled: or(&wire.enabled, true),
        salt: Salt::new(&salt),
        bucket_by,
        anonymous: match or(&wire.anonymous, wire::Anonymous::Baseline) {
            wire::Anonymous::Baseline => Anonymous::Baseline,
            wire::Anonymous::Random => Anonymous::Random,
        },
        variants: sides,
        split: split?,
        rules: rules.into(),
    })
}

/// Checks what a rollout is for; one that has a problem takes part in no other check.
pub(super) fn matching(field: &Field<wire::Match>, at: &Path<'_>, problems: &mut Problems) -> Option<Match> {
    let wire = match field {
        Field::Missing => return Some(Match::default()),
        Field::Bad => return None,
        Field::Given(wire) => wire,
    };
    let before = problems.len();
    let matching = Match {
        hosts: hosts(&wire.hosts, &at.key("hosts"), problems),
        path_prefixes: text::list(&wire.path_prefixes, &at.key("path_prefixes"), problems, text::path_prefix),
        methods: text::list(&wire.methods, &at.key("methods"), problems, text::method),
    };
    let bad = [&wire.hosts, &wire.path_prefixes, &wire.methods].iter().any(|list| matches!(list, Field::Bad));
    (problems.len() == before && !bad).then_some(matching)
}

fn side(
    id: VariantId,
    name: &Field<String>,
    cluster: &Field<String>,
    at: &Path<'_>,
    problems: &mut Problems,
) -> Option<Variant> {
    let name = text::required(name, at, "name", problems, text::name);
    let cluster = text::optional(cluster, &at.key("cluster"), problems, text::cluster);
    Some(Variant { id, name: name?, cluster, rolled_back: false })
}

fn variants(wire: &wire::Rollout, at: &Path<'_>, problems: &mut Problems) -> Vec<Variant> {
    let list = at.key("variants");
    wire.variants.required(at, "variants", problems);
    let len = wire.variants.given().map_or(1, Vec::len);
    if !(1..=MAX_VARIANTS).contains(&len) {
        problems.add(&list, format!("must have 1 to {MAX_VARIANTS} entries, got {len}"));
    }
    let variants = entries(&wire.variants).take(MAX_VARIANTS);
    let variants = variants.filter_map(|(index, wire)| {
        side(VariantId::variant(index), &wire.name, &wire.cluster, &list.index(index), problems)
    });
    variants.collect()
}

/// All weights of the variants; `None` where one of them is not good.
fn weights(wire: &wire::Rollout, at: &Path<'_>, problems: &mut Problems) -> Option<Vec<Weight>> {
    let list = at.key("variants");
    let mut weights = Vec::new();
    for (index, variant) in entries(&wire.variants).take(MAX_VARIANTS) {
        let at = list.index(index);
        let percent = variant.weight.required(&at, "weight", problems);
        weights.extend(percent.and_then(|percent| weights::weight(*percent, &at.key("weight"), problems)));
    }
    (weights.len() == wire.variants.given()?.len()).then_some(weights)
}

fn sides(baseline: Variant, variants: Vec<Variant>, state: &State) -> Box<[Variant]> {
    let mut sides: Box<[Variant]> = [baseline].into_iter().chain(variants).collect();
    for side in &mut sides {
        side.rolled_back = state.rolled_back.contains(&side.id);
    }
    sides
}

fn rules(
    wire: &wire::Rollout,
    at: &Path<'_>,
    names: &Names<'_>,
    base: Option<&[Weight]>,
    problems: &mut Problems,
) -> Vec<Rule> {
    let list = at.key("rules");
    let rule_names = wire.rules.given().into_iter().flatten();
    let rule_names: Vec<_> = rule_names.map(|rule| Some(rule.given()?.name.given()?.as_str())).collect();
    super::unique(&rule_names, &list, problems);
    let rules = entries(&wire.rules);
    rules.filter_map(|(index, wire)| rule(wire, &list.index(index), names, base, problems)).collect()
}

fn rule(
    wire: &wire::Rule,
    at: &Path<'_>,
    names: &Names<'_>,
    base: Option<&[Weight]>,
    problems: &mut Problems,
) -> Option<Rule> {
    let name = text::required(&wire.name, at, "name", problems, text::name);
    let when = wire.when.given().map(|when| condition(when, &at.key("when"), problems));
    let pin = wire.variant.given().and_then(|side| names.side(side, &at.key("variant"), problems));
    let at_weights = at.key("weights");
    let weights = weights::by_name(&wire.weights, Some(names), &at_weights, problems);
    match (&wire.variant, &wire.weights) {
        (Field::Missing, Field::Missing) => problems.add(at, "must have either variant or weights"),
        (Field::Missing, _) | (_, Field::Missing) => {}
        _ => problems.add(at, "must have either variant or weights, not both"),
    }
    let then = match (pin, &wire.weights) {
        (Some(side), Field::Missing) => Some(Then::Pin(side)),
        (None, Field::Given(_)) => base.and_then(|base| {
            let weights = Weight::replaced(base, &weights);
            let what = "weights, with those of the other variants,";
            weights::split(&weights, what, &at_weights, problems).map(Then::Split)
        }),
        _ => None,
    };
    Some(Rule { name: name?, when: when.unwrap_or_default(), then: then? })
}

fn bucket_by(
    list: &List<wire::BucketField>,
    scope: &Scope<'_>,
    at: &Path<'_>,
    problems: &mut Problems,
) -> BucketBy {
    let default = if scope.has_geo { BucketBy::IdentityAndGeo } else { BucketBy::Identity };
    let Some(given) = list.given() else { return default };
    let fields: Vec<_> = entries(list).map(|(_, field)| *field).collect();
    match fields.as_slice() {
        [wire::BucketField::Identity] => BucketBy::Identity,
        [wire::BucketField::Identity, wire::BucketField::Geo] => BucketBy::IdentityAndGeo,
        _ => {
            if fields.len() == given.len() {
                problems.add(at, "must be [\"identity\"] or [\"identity\", \"geo\"]");
            }
            default
        }
    }
}
