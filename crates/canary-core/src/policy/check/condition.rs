//! Conditions.

use super::text::Check;
use super::{entries, segment, text};
use crate::bucket::Salt;
use crate::bytes::BytesSet;
use crate::condition::{Condition, GeoSet, Place, Test, Text};
use crate::host_set::{HostMap, HostPattern};
use crate::ip_set::{IpSet, Network};
use crate::path_trie::PathTrie;
use crate::policy::field::{Field, List};
use crate::policy::problem::{Path, Problems};
use crate::policy::wire;

/// What a condition may refer to.
#[derive(Clone, Copy)]
pub(super) struct Scope<'w> {
    pub(super) segments: &'w segment::Names<'w>,
    /// The segment that the condition is, or is in.
    pub(super) inside: Option<&'w str>,
    /// Whether the condition waits for an outcome: it is that of an event.
    pub(super) of_event: bool,
}

/// A condition that may be left out.
pub(super) fn optional(
    field: &Field<wire::Condition>,
    at: &Path<'_>,
    scope: Scope<'_>,
    problems: &mut Problems,
) -> Option<Condition> {
    field.given().map(|wire| condition(wire, at, scope, problems))
}

pub(super) fn condition(
    wire: &wire::Condition,
    at: &Path<'_>,
    scope: Scope<'_>,
    problems: &mut Problems,
) -> Condition {
    if wire.status.given().is_some() && !scope.of_event {
        let message = "must stand in the `when` of an event: elsewhere there is no answer yet";
        problems.add(&at.key("status"), message);
    }
    // Only as a whole does a condition wait.
    let scope = Scope { of_event: false, ..scope };
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
    all.extend(identity_hashes(&wire.identity_hashes, &at.key("identity_hashes"), scope, problems));
    all.extend(networks(&wire.source, &at.key("source"), problems).map(Test::Source));
    if let Some(name) = wire.segment.given() {
        all.extend(scope.segments.find(name, &at.key("segment"), problems).map(Test::Segment));
    }
    all.extend(claim(&wire.jwt, &at.key("jwt"), problems));
    all.extend(named(&wire.header, Place::Header, text::readable_header, &at.key("header"), problems));
    all.extend(named(&wire.cookie, Place::Cookie, text::cookie, &at.key("cookie"), problems));
    all.extend(named(&wire.query, Place::Query, text::query, &at.key("query"), problems));
    if let Some(not) = wire.not.given() {
        all.push(Test::Not(condition(not, &at.key("not"), scope, problems)));
    }
    if wire.any.given().is_some() {
        let at = at.key("any");
        text::not_empty(&wire.any, &at, problems);
        let any = entries(&wire.any).map(|(index, wire)| condition(wire, &at.index(index), scope, problems));
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

/// Hashes of identities. Only a segment has a name to hash them under.
fn identity_hashes(
    list: &List<String>,
    at: &Path<'_>,
    scope: Scope<'_>,
    problems: &mut Problems,
) -> Option<Test> {
    let hashes = text::list(list, at, problems, text::hash)?;
    let Some(name) = scope.inside else {
        problems.add(at, "must stand in a segment: its name is the salt of the hashes");
        return None;
    };
    let hashes = hashes.iter().filter_map(|hash| u64::from_str_radix(hash, 16).ok());
    Some(Test::IdentityHash(Salt::new(name), hashes.collect()))
}

fn networks(list: &List<String>, at: &Path<'_>, problems: &mut Problems) -> Option<IpSet> {
    let networks = text::list(list, at, problems, text::network)?;
    Some(networks.iter().filter_map(|raw| Network::parse(raw).ok()).collect())
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
    let wire::NamedText { name: _, equals, one_of, prefix, suffix, contains, present } = wire;
    let wanted = Wanted { equals, one_of, prefix, suffix, contains, present }.check(at, problems);
    Some(Test::Value(place, name?, wanted?))
}

fn claim(field: &Field<wire::NamedClaim>, at: &Path<'_>, problems: &mut Problems) -> Option<Test> {
    let wire = field.given()?;
    let name = text::required(&wire.claim, at, "claim", problems, text::label);
    let wire::NamedClaim { claim: _, equals, one_of, prefix, suffix, contains, present } = wire;
    let wanted = Wanted { equals, one_of, prefix, suffix, contains, present }.check(at, problems);
    Some(Test::Claim(name?, wanted?))
}

/// What a value must look like: exactly one of these.
struct Wanted<'w> {
    equals: &'w Field<String>,
    one_of: &'w List<String>,
    prefix: &'w Field<String>,
    suffix: &'w Field<String>,
    contains: &'w Field<String>,
    present: &'w Field<bool>,
}

impl Wanted<'_> {
    fn check(&self, at: &Path<'_>, problems: &mut Problems) -> Option<Text> {
        let before = problems.len();
        let mut part = |field, key| {
            let part = text::optional(field, &at.key(key), problems, text::part);
            part.map(str::into_boxed_bytes)
        };
        let mut texts: Vec<Text> = Vec::new();
        texts.extend(part(self.prefix, "prefix").map(Text::Prefix));
        texts.extend(part(self.suffix, "suffix").map(Text::Suffix));
        texts.extend(part(self.contains, "contains").map(Text::Contains));
        let one = |value: &String| Text::OneOf(BytesSet::from_iter([value.as_bytes().into()]));
        texts.extend(self.equals.given().map(one));
        texts.extend(bytes(self.one_of, &at.key("one_of"), problems, text::any).map(Text::OneOf));
        texts.extend(self.present.given().map(|present| Text::Present(*present)));
        let bad = problems.len() > before
            || [self.prefix, self.suffix, self.contains, self.equals]
                .iter()
                .any(|field| matches!(field, Field::Bad))
            || matches!(self.one_of, Field::Bad)
            || matches!(self.present, Field::Bad);
        match (texts.pop(), texts.is_empty()) {
            (Some(text), true) => Some(text),
            (None, _) if bad => None,
            _ => {
                problems
                    .add(at, "must have exactly one of equals, one_of, prefix, suffix, contains, present");
                None
            }
        }
    }
}
