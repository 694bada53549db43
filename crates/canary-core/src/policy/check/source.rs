//! Sources of identity and geo.

use super::text::Check;
use super::{entries, text};
use crate::policy::field::{Field, List};
use crate::policy::problem::{Path, Problems};
use crate::policy::wire;
use crate::request::{Source, SourceKind};

pub(super) fn identities(list: &List<wire::Source>, at: &Path<'_>, problems: &mut Problems) -> Box<[Source]> {
    sources(list, at, problems, |source, at, problems| {
        let wire::Source { header, cookie, jwt_claim, query, source_address } = source;
        let mut found = named([header, cookie, jwt_claim, query], at, problems);
        match source_address.given() {
            Some(true) => found.push(Source { kind: SourceKind::SourceAddress, name: "".into() }),
            Some(false) => problems.add(&at.key("source_address"), "must be true, got false"),
            None => {}
        }
        let bad = matches!(source_address, Field::Bad | Field::Given(false));
        (found, bad, "header, cookie, jwt_claim, query, source_address")
    })
}

pub(super) fn geos(list: &List<wire::GeoSource>, at: &Path<'_>, problems: &mut Problems) -> Box<[Source]> {
    sources(list, at, problems, |source, at, problems| {
        let wire::GeoSource { header, cookie, jwt_claim, query } = source;
        let found = named([header, cookie, jwt_claim, query], at, problems);
        (found, false, "header, cookie, jwt_claim, query")
    })
}

/// A list of sources is walked for each request that has none of them.
const MAX_SOURCES: usize = 16;

/// Checks a list of sources, each of which has exactly one place. `read` gives what it
/// found, whether it reported something, and the names of the places.
fn sources<T>(
    list: &List<T>,
    at: &Path<'_>,
    problems: &mut Problems,
    read: impl Fn(&T, &Path<'_>, &mut Problems) -> (Vec<Source>, bool, &'static str),
) -> Box<[Source]> {
    text::not_empty(list, at, problems);
    let len = list.given().map_or(0, Vec::len);
    if len > MAX_SOURCES {
        problems.add(at, format!("must have at most {MAX_SOURCES} entries, got {len}"));
    }
    let mut sources = Vec::new();
    for (index, source) in entries(list).take(MAX_SOURCES) {
        let at = at.index(index);
        let before = problems.len();
        let (mut found, bad, places) = read(source, &at, problems);
        match (found.pop(), found.is_empty()) {
            (Some(source), true) if sources.contains(&source) => problems.add(&at, "duplicate source"),
            (Some(source), true) => sources.push(source),
            (None, _) if bad || problems.len() > before => {}
            _ => problems.add(&at, format!("must have exactly one of {places}")),
        }
    }
    sources.into()
}

/// The places that have a name.
fn named(fields: [&Field<String>; 4], at: &Path<'_>, problems: &mut Problems) -> Vec<Source> {
    let [header, cookie, claim, query] = fields;
    let mut source = |field, key, kind, verdict: Check| {
        let name = text::optional(field, &at.key(key), problems, verdict)?;
        Some(Source { kind, name })
    };
    let sources = [
        source(header, "header", SourceKind::Header, text::readable_header),
        source(cookie, "cookie", SourceKind::Cookie, text::cookie),
        source(claim, "jwt_claim", SourceKind::JwtClaim, text::label),
        source(query, "query", SourceKind::Query, text::query),
    ];
    sources.into_iter().flatten().collect()
}
