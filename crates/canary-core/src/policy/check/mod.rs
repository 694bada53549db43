//! From wire structs to checked types. A check reports and goes on, so that one run
//! tells everything.

mod anonymous;
mod condition;
mod event;
mod flag;
mod forced;
mod guardrail;
mod rollout;
mod rule;
mod schedule;
mod segment;
mod source;
mod stamp;
mod state;
mod text;
mod timeline;
mod weights;

use std::collections::BTreeSet;

use fnv::FnvHashMap;

use super::field::{Field, List};
use super::problem::{Path, Problems, quote};
use super::{Figures, Policy, wire};
use crate::condition::Test;
use crate::decimal::number;
use crate::geo::Geo;
use crate::rollout::Rollout;
use crate::route::{Match, Routes};

use rollout::Scope;

pub use text::is_name;

/// The largest sum of all [`Match::size`]s of a policy: some 20 MB in each worker.
const MAX_MATCHES: usize = 100_000;

/// The most series of stats by geo and event: some 30 MB in Envoy, were each of them counted.
const MAX_SERIES: usize = 100_000;

/// Checks a whole policy; `None` only beside a problem.
pub(super) fn policy(wire: &wire::Policy, digest: u64, problems: &mut Problems) -> Option<Policy> {
    let root = Path::Root;
    if let Some(version) = wire.version.required(&root, "version", problems)
        && (version - 1.0).abs() > 0.0
    {
        problems.add(&root.key("version"), format!("must be 1, got {}", number(*version)));
    }
    let label = text::optional(&wire.revision, &root.key("revision"), problems, text::label);
    let identity = source::identities(&wire.identity, &root.key("identity"), problems);
    let geo = source::geos(&wire.geo, &root.key("geo"), problems);
    let ignored = root.key("ignore_identities");
    let ignored = text::list(&wire.ignore_identities, &ignored, problems, text::any);
    let stamps = stamp::stamps(&wire.stamp, &root.key("stamp"), problems);
    let segment_names = segment::Names::of(&wire.segments);
    let conditions = condition::Scope { segments: &segment_names, inside: None, of_event: false };
    let segments = segment::segments(&wire.segments, &segment_names, problems);
    let exclude = condition::optional(&wire.exclude, &root.key("exclude"), conditions, problems);

    let at = root.key("rollouts");
    let role = or(&wire.role, wire::Role::Edge);
    let layouts = timeline::Layouts::default();
    let taken = forced::Taken { stamps: stamps.as_ref(), identity: &identity, geo: &geo };
    let scope =
        Scope { has_geo: !geo.is_empty(), role, state: &wire.state, conditions, layouts: &layouts, taken };
    let mut rollouts = Vec::new();
    let mut matches = Vec::new();
    for (index, rollout) in entries(&wire.rollouts) {
        let at = at.index(index);
        matches.push((index, rollout::matching(&rollout.matching, &at.key("match"), problems)));
        rollouts.extend(rollout::rollout(rollout, index, &at, scope, problems));
    }
    let names = names(&wire.rollouts, |rollout| &rollout.name);
    unique(&names, &at, problems);
    state::names(&wire.state, &names, problems);
    let routes = routes(&matches, &names, &at, problems);

    let mut policy = Policy {
        revision: label,
        role,
        identity,
        geo,
        geos: Box::default(),
        figures: figures(&wire.stats),
        ignore_identities: ignored.into_iter().flatten().map(str::into_boxed_bytes).collect(),
        segments,
        exclude,
        stamps: stamps?,
        token_places: rollouts.iter().filter_map(|rollout| rollout.overrides.as_ref()).collect(),
        rollouts: rollouts.into(),
        routes: routes?,
        digest,
    };
    let wanted = wire.stats.given().is_none_or(|stats| or(&stats.geos, true));
    if wanted && !policy.geo.is_empty() {
        policy.geos = geos(&policy);
    }
    series(&policy, &at, problems);
    Some(policy)
}

fn figures(wire: &Field<wire::Stats>) -> Figures {
    wire.given().map_or_else(Figures::default, |wire| Figures {
        durations: or(&wire.durations, true),
        retries: or(&wire.retries, true),
        routes: or(&wire.routes, true),
        splits: or(&wire.splits, true),
        streams: or(&wire.streams, true),
    })
}

/// The geos that a policy names, sorted, each once.
fn geos(policy: &Policy) -> Box<[Geo]> {
    let mut geos = BTreeSet::new();
    for (_, condition) in policy.conditions() {
        condition.visit(&mut |test| {
            if let Test::Geo(set) = test {
                geos.extend(set.geos.iter().filter_map(|raw| Geo::parse(raw)));
            }
        });
    }
    geos.into_iter().collect()
}

/// Bounds the series that multiply: a side's requests and errors by geo, its events by name.
fn series(policy: &Policy, at: &Path<'_>, problems: &mut Problems) {
    let geos = policy.geos.len();
    let geos = if geos == 0 { 0 } else { 2 * (geos + 1) };
    let of = |rollout: &Rollout| rollout.variants.len().saturating_mul(geos + rollout.events.len());
    let series = policy.rollouts.iter().map(of).fold(0, usize::saturating_add);
    if series > MAX_SERIES {
        let message = format!(
            "sides times (2 for each geo that the policy names, 2 for other geos, 1 for each event) \
             must be at most {MAX_SERIES} over all rollouts, got {series}: each is a series in Envoy's stats"
        );
        problems.add(at, message);
    }
}

/// The good entries of a list, with their places.
fn entries<T>(list: &List<T>) -> impl Iterator<Item = (usize, &T)> {
    let fields = list.given().into_iter().flatten().enumerate();
    fields.filter_map(|(index, field)| Some((index, field.given()?)))
}

/// The names of a list's entries, good or bad.
fn names<'w, T>(list: &'w List<T>, name: impl Fn(&'w T) -> &'w Field<String>) -> Vec<Option<&'w str>> {
    let entries = list.given().into_iter().flatten();
    entries.map(|entry| name(entry.given()?).given().map(String::as_str)).collect()
}

/// Reports names that stand in a list twice.
fn unique(names: &[Option<&str>], list: &Path<'_>, problems: &mut Problems) {
    let mut seen = FnvHashMap::default();
    for (index, name) in names.iter().enumerate() {
        let Some(name) = name else { continue };
        if let Some(first) = seen.get(name) {
            let message = format!("duplicate name {}, also at {}", quote(name), list.index(*first));
            problems.add(&list.index(index).key("name"), message);
        } else {
            seen.insert(name, index);
        }
    }
}

/// Puts the matches together; reports ties and what can never be reached.
fn routes(
    matches: &[(usize, Option<Match>)],
    names: &[Option<&str>],
    at: &Path<'_>,
    problems: &mut Problems,
) -> Option<Routes> {
    let matches = || matches.iter().filter_map(|(index, wanted)| Some((*index, wanted.as_ref()?)));
    let size = matches().fold(0, |sum: usize, (_, wanted)| sum.saturating_add(wanted.size()));
    if size > MAX_MATCHES {
        let message = format!(
            "hosts times (segments of path_prefixes and methods behind each) must be at most \
             {MAX_MATCHES} over all rollouts, got {size}"
        );
        problems.add(at, message);
        return None;
    }
    let name = |index: usize| quote(names.get(index).copied().flatten().unwrap_or_default());
    let mut routes = Routes::default();
    for (index, wanted) in matches() {
        if let Err(tie) = routes.insert(rollout::id(index), wanted) {
            let other = usize::try_from(tie.with.0).unwrap_or_default();
            let message =
                format!("{} ties with {} ({}) on {}", name(index), name(other), at.index(other), tie.on);
            problems.add(&at.index(index).key("match"), message);
        }
    }
    for (index, wanted) in matches() {
        if let Some(by) = routes.shadowed_by(wanted) {
            let other = usize::try_from(by.0).unwrap_or_default();
            let message = format!(
                "{} can never be reached: {} ({}) takes every path before it",
                name(index),
                name(other),
                at.index(other)
            );
            problems.add(&at.index(index).key("match"), message);
        }
    }
    Some(routes)
}

/// The value of a field, or its default.
fn or<T: Copy>(field: &Field<T>, default: T) -> T {
    field.given().copied().unwrap_or(default)
}
