//! Conditions.

use super::text::Check;
use super::{entries, text};
use crate::bytes::BytesSet;
use crate::condition::{Condition, GeoSet, Place, Test, Text};
use crate::host_set::{HostMap, HostPattern};
use crate::path_trie::PathTrie;
use crate::policy::field::{Field, List};
use crate::policy::problem::{Path, Problems};
use crate::policy::wire;

pub(super) fn condition(wire: &wire::Condition, at: &Path<'_>, problems: &mut Problems) -> Condition {
    let mut all = Vec::new();
    all.extend(geos(&wire.geo, &at.key("geo"), problems).map(Test::Geo));
    all.extend(bytes(&wire.methods, &at.key("methods"), problems, text::method).map(Test::Method));
    all.extend(hosts(&wire.hosts, &at.key("hosts"), problems).map(|patterns| {
        let mut hosts = HostMap::default();
        for pattern in patterns {
            *hosts.entry(pattern) = ();
        }
        Test::Host(hosts)
    }));
    all.extend(text::list(&wire.path_prefixes, &at.key("path_prefixes"), problems, text::path_prefix).map(
        |list| {
            let mut trie = PathTrie::default();
            for prefix in &list {
                *trie.entry(prefix) = ();
            }
            Test::Path(trie)
        },
    ));
    all.extend(bytes(&wire.identity, &at.key("identity"), problems, text::any).map(Test::Identity));
    all.extend(named(&wire.header, Place::Header, text::readable_header, &at.key("header"), problems));
    all.extend(named(&wire.cookie, Place::Cookie, text::cookie, &at.key("cookie"), problems));
    all.extend(named(&wire.query, Place::Query, text::query, &at.key("query"), problems));
    if let Some(not) = wire.not.given() {
        all.push(Test::Not(condition(not, &at.key("not"), problems)));
    }
    if wire.any.given().is_some() {
        let at = at.key("any");
        text::not_empty(&wire.any, &at, problems);
        let any = entries(&wire.any).map(|(index, wire)| condition(wire, &at.index(index), problems));
        all.push(Test::Any(any.collect()));
    }
    Condition { all: all.into() }
}

/// Hosts, for a condition or a match.
pub(super) fn hosts(list: &List<String>, at: &Path<'_>, problems: &mut Problems) -> Option<Vec<HostPattern>> {
    let hosts = text::list(list, at, problems, text::host)?;
    Some(hosts.iter().filter_map(|host| HostPattern::parse(host).ok()).collect())
}

fn bytes(list: &List<String>, at: &Path<'_>, problems: &mut Problems, verdict: Check) -> Option<BytesSet> {
    let values = text::list(list, at, problems, verdict)?;
    Some(values.into_iter().map(str::into_boxed_bytes).collect())
}

fn geos(list: &List<String>, at: &Path<'_>, problems: &mut Problems) -> Option<GeoSet> {
    let geos = text::list(list, at, problems, text::geo)?;
    let any_known = geos.iter().any(|geo| &**geo == "*");
    Some(GeoSet { any_known, geos: geos.into_iter().map(str::into_boxed_bytes).collect() })
}

fn named(
    field: &Field<wire::NamedText>,
    place: Place,
    verdict: Check,
    at: &Path<'_>,
    problems: &mut Problems,
) -> Option<Test> {
    let wire = field.given()?;
    let name = text::required(&wire.name, at, "name", problems, verdict);
    let before = problems.len();
    let mut part = |field, key| {
        let part = text::optional(field, &at.key(key), problems, text::part);
        part.map(str::into_boxed_bytes)
    };
    let mut texts: Vec<Text> = Vec::new();
    texts.extend(part(&wire.prefix, "prefix").map(Text::Prefix));
    texts.extend(part(&wire.suffix, "suffix").map(Text::Suffix));
    texts.extend(part(&wire.contains, "contains").map(Text::Contains));
    texts
        .extend(wire.equals.given().map(|value| Text::OneOf(BytesSet::from_iter([value.as_bytes().into()]))));
    texts.extend(bytes(&wire.one_of, &at.key("one_of"), problems, text::any).map(Text::OneOf));
    texts.extend(wire.present.given().map(|present| Text::Present(*present)));
    let bad = problems.len() > before
        || [&wire.prefix, &wire.suffix, &wire.contains, &wire.equals]
            .iter()
            .any(|field| matches!(field, Field::Bad))
        || matches!(wire.one_of, Field::Bad)
        || matches!(wire.present, Field::Bad);
    match (texts.pop(), texts.is_empty()) {
        (Some(text), true) => Some(Test::Value(place, name?, text)),
        (None, _) if bad => None,
        _ => {
            problems.add(at, "must have exactly one of equals, one_of, prefix, suffix, contains, present");
            None
        }
    }
}
