//! Rollouts and their variants.

use std::collections::BTreeMap;

use super::anonymous::anonymous;
use super::condition::{self, hosts};
use super::state::{self, State};
use super::timeline::{Layouts, Weights};
use super::weights::Names;
use super::{entries, event, flag, forced, guardrail, or, rule, text};
use crate::bucket::Salt;
use crate::policy::field::{Field, List};
use crate::policy::problem::{Path, Problems, quote};
use crate::policy::wire;
use crate::rollout::{BucketBy, Rollout, RolloutId, Variant};
use crate::route::Match;
use crate::split::{MAX_VARIANTS, VariantId};

/// The name that stats give to what no rollout matches.
const RESERVED: &str = "none";

/// What a rollout must know of the rest of the policy.
#[derive(Clone, Copy)]
pub(super) struct Scope<'w> {
    pub(super) has_geo: bool,
    pub(super) role: wire::Role,
    pub(super) state: &'w Field<BTreeMap<String, Field<wire::State>>>,
    pub(super) conditions: condition::Scope<'w>,
    pub(super) layouts: &'w Layouts,
    pub(super) taken: forced::Taken<'w>,
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
    scope: Scope<'_>,
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
    let weights = Weights::of(wire, at, &names, problems);
    let timeline = weights.as_ref().and_then(|weights| weights.timeline(at, scope.layouts, problems));
    let weights = weights.map(|weights| weights.with_state(&state));
    let timeline = match &weights {
        Some(weights) if weights.replaced => {
            let root = Path::Root.key("state");
            let at = root.key(raw_name);
            timeline.and_then(|_| weights.timeline(&at, scope.layouts, problems))
        }
        _ => timeline,
    };
    let rules = rule::rules(wire, at, &names, weights.as_ref(), scope, problems);
    let bucket_by = bucket_by(&wire.bucket_by, scope, &at.key("bucket_by"), problems);
    let exclude = condition::optional(&wire.exclude, &at.key("exclude"), scope.conditions, problems);
    let trust_inbound =
        condition::optional(&wire.trust_inbound, &at.key("trust_inbound"), scope.conditions, problems);
    if scope.role == wire::Role::Edge && trust_inbound.is_some() {
        let message = "must stand in a policy with \"role\": \"inner\": an edge believes no stamp";
        problems.add(&at.key("trust_inbound"), message);
    }
    if trust_inbound.is_some()
        && scope.taken.stamps.is_some_and(|stamps| stamps.rollout.is_none() && !stamps.baggage)
    {
        let message =
            "can never hold: with \"rollout_header\": null and no baggage nothing names the rollout";
        problems.add(&at.key("trust_inbound"), message);
    }
    let anonymous = anonymous(&wire.anonymous, &at.key("anonymous"), problems);
    let overrides =
        forced::overrides(&wire.overrides, scope.taken, &anonymous, &at.key("override"), problems);
    let under = match &release {
        Some(release) => format!("{raw_name}/{release}"),
        None => raw_name.to_owned(),
    };
    let salt = salt.as_deref().unwrap_or(&under);
    let flags = flag::Scope { names: &names, conditions: scope.conditions, under: &under, split: salt };
    let flags = flag::flags(&wire.flags, &at.key("flags"), flags, problems);
    let events = event::Scope { conditions: scope.conditions, stamps: scope.taken.stamps };
    let events = event::events(&wire.events, &at.key("events"), events, problems);
    let guardrail = guardrail::Scope { conditions: scope.conditions, events: &events };
    let guardrail = guardrail::guardrail(&wire.guardrail, &at.key("guardrail"), guardrail, problems);

    Some(Rollout {
        id: id(index),
        name: name?,
        release,
        enabled: or(&wire.enabled, true),
        observe: or(&wire.observe, false),
        exclude,
        overrides,
        trust_inbound,
        salt: Salt::new(salt),
        bucket_by,
        anonymous,
        variants: self::sides(baseline?, variants, &state),
        timeline: timeline?,
        rules: rules.into(),
        flags,
        event_headers: event::headers(&events),
        events,
        load_reports: or(&wire.load_reports, false),
        guardrail,
        resume: state.resume.clone(),
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

fn sides(baseline: Variant, variants: Vec<Variant>, state: &State) -> Box<[Variant]> {
    let mut sides: Box<[Variant]> = [baseline].into_iter().chain(variants).collect();
    for side in &mut sides {
        side.rolled_back = state.rolled_back.contains(&side.id);
    }
    sides
}

fn bucket_by(
    list: &List<wire::BucketField>,
    scope: Scope<'_>,
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
