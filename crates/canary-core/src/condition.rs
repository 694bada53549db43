//! Conditions on a request: the `when` of a rule.

use std::borrow::Cow;

use fnv::FnvHashSet;

use crate::bucket::Salt;
use crate::bytes::BytesSet;
use crate::facts::Facts;
use crate::host_set::HostMap;
use crate::ip_set::IpSet;
use crate::path_trie::PathTrie;
use crate::request::{RequestView, cookie_of, jwt, query};

/// Holds where all of its tests hold; one without tests always holds.
#[derive(Clone, Debug, Default)]
pub struct Condition {
    /// In no particular order: no test has an effect.
    pub all: Box<[Test]>,
}

/// One test of a request.
#[derive(Clone, Debug)]
pub enum Test {
    /// The geo is known and in the list, or known at all where the list has `"*"`.
    Geo(GeoSet),
    /// The method is in the list.
    Method(BytesSet),
    /// The host is in the list.
    Host(HostMap<()>),
    /// A prefix in the list covers the path.
    Path(PathTrie<()>),
    /// The identity is known and in the list.
    Identity(BytesSet),
    /// The identity is known, and its hash under this salt is in the list.
    IdentityHash(Salt, FnvHashSet<u64>),
    /// The source address is known and in one of the networks.
    Source(IpSet),
    /// The request is in this segment.
    Segment(SegmentId),
    /// A named value of the request looks like this.
    Value(Place, Box<str>, Text),
    /// A claim of the bearer token, or an entry of one that is a list, looks like this.
    Claim(Box<str>, Text),
    /// The condition does not hold.
    Not(Condition),
    /// At least one of the conditions holds.
    Any(Box<[Condition]>),
}

/// The geos of a condition.
#[derive(Clone, Debug, Default)]
pub struct GeoSet {
    /// Whether `"*"` is in the list.
    pub any_known: bool,
    /// The others, in upper case.
    pub geos: BytesSet,
}

/// A segment by its place in the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentId(pub(crate) u8);

impl SegmentId {
    /// Its place in [`Policy::segments`](crate::policy::Policy::segments).
    pub fn place(self) -> usize {
        usize::from(self.0)
    }
}

/// Where a named value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A request header.
    Header,
    /// A cookie.
    Cookie,
    /// A parameter of the query.
    Query,
}

/// What a named value must look like; one that is missing looks like `Present(false)` only.
#[derive(Clone, Debug)]
pub enum Text {
    /// Equal to one of these.
    OneOf(BytesSet),
    /// Begins with this.
    Prefix(Box<[u8]>),
    /// Ends with this.
    Suffix(Box<[u8]>),
    /// This stands somewhere in it.
    Contains(Box<[u8]>),
    /// It is there, or it is not.
    Present(bool),
}

impl Condition {
    /// Whether the condition holds for a request.
    pub fn holds<V: RequestView>(&self, facts: &Facts<'_, V>) -> bool {
        self.all.iter().all(|test| test.holds(facts))
    }

    /// Shows every test, those of the conditions within too.
    pub(crate) fn visit(&self, see: &mut dyn FnMut(&Test)) {
        for test in &self.all {
            see(test);
            match test {
                Test::Not(inner) => inner.visit(see),
                Test::Any(any) => any.iter().for_each(|inner| inner.visit(see)),
                _ => {}
            }
        }
    }
}

impl Test {
    fn holds<V: RequestView>(&self, facts: &Facts<'_, V>) -> bool {
        match self {
            Self::Geo(set) => {
                facts.geo().is_some_and(|geo| set.any_known || set.geos.contains(geo.as_bytes()))
            }
            Self::Method(methods) => methods.contains(facts.method()),
            Self::Host(hosts) => hosts.matches(facts.host()).next().is_some(),
            Self::Path(prefixes) => prefixes.longest(facts.path(), |()| Some(())).is_some(),
            Self::Identity(ids) => facts.identity().is_some_and(|id| ids.contains(id)),
            Self::IdentityHash(salt, hashes) => {
                facts.identity().is_some_and(|id| hashes.contains(&salt.key().last(id).get()))
            }
            Self::Source(networks) => facts.source().is_some_and(|address| networks.contains(address)),
            Self::Segment(id) => facts.is_in(*id),
            Self::Value(place, name, text) => text.fits(place.read(name, facts.view).as_deref()),
            Self::Claim(name, text) => {
                let claim = facts.claims().and_then(|claims| claims.get(&**name));
                match (text, claim) {
                    (Text::Present(wanted), claim) => *wanted == claim.is_some(),
                    (text, Some(claim)) => jwt::texts(claim).any(|value| text.fits(Some(&value))),
                    (_, None) => false,
                }
            }
            Self::Not(condition) => !condition.holds(facts),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(facts)),
        }
    }
}

impl Place {
    fn read<'v>(self, name: &str, view: &'v impl RequestView) -> Option<Cow<'v, [u8]>> {
        match self {
            Self::Header => view.header(name).map(Cow::Borrowed),
            Self::Cookie => cookie_of(view, name),
            Self::Query => query(view.header(":path")?, name).map(Cow::Borrowed),
        }
    }
}

impl Text {
    fn fits(&self, value: Option<&[u8]>) -> bool {
        match (self, value) {
            (Self::Present(wanted), value) => *wanted == value.is_some(),
            (_, None) => false,
            (Self::OneOf(values), Some(value)) => values.contains(value),
            (Self::Prefix(prefix), Some(value)) => value.starts_with(prefix),
            (Self::Suffix(suffix), Some(value)) => value.ends_with(suffix),
            // No needle is empty: parsing refuses it.
            (Self::Contains(needle), Some(value)) => {
                value.windows(needle.len().max(1)).any(|window| window == &**needle)
            }
        }
    }
}
