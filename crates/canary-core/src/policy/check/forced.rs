//! Where signed tokens stand.

use super::text;
use crate::forced::Override;
use crate::policy::field::Field;
use crate::policy::problem::{Path, Problems, quote};
use crate::policy::wire;
use crate::request::{Source, SourceKind};
use crate::rollout::Anonymous;
use crate::stamp::Stamps;

/// What already has a place in requests: a token that stood there would take it away.
#[derive(Clone, Copy)]
pub(super) struct Taken<'w> {
    pub(super) stamps: Option<&'w Stamps>,
    pub(super) identity: &'w [Source],
    pub(super) geo: &'w [Source],
}

pub(super) fn overrides(
    field: &Field<wire::Override>,
    taken: Taken<'_>,
    anonymous: &Anonymous,
    at: &Path<'_>,
    problems: &mut Problems,
) -> Option<Override> {
    let wire = field.given()?;
    let header = text::optional(&wire.header, &at.key("header"), problems, text::header);
    let cookie = text::optional(&wire.cookie, &at.key("cookie"), problems, text::cookie);
    let query = text::optional(&wire.query, &at.key("query"), problems, text::query);
    let key_env = text::required(&wire.key_env, at, "key_env", problems, text::variable);
    if matches!((&wire.header, &wire.cookie, &wire.query), (Field::Missing, Field::Missing, Field::Missing)) {
        problems.add(at, "must have at least one of header, cookie, query");
    }
    let visitor = match anonymous {
        Anonymous::Cookie(cookie) => Some(&*cookie.name),
        Anonymous::Baseline | Anonymous::Random => None,
    };
    for (key, kind, name) in [
        ("header", SourceKind::Header, &header),
        ("cookie", SourceKind::Cookie, &cookie),
        ("query", SourceKind::Query, &query),
    ] {
        let Some(name) = name.as_deref() else { continue };
        let is_source =
            taken.identity.iter().chain(taken.geo).any(|other| other.kind == kind && &*other.name == name);
        let is_stamp = kind == SourceKind::Header
            && taken.stamps.is_some_and(|stamps| stamps.all().any(|stamp| stamp == name));
        let is_visitor = kind == SourceKind::Cookie && visitor == Some(name);
        if is_source || is_stamp || is_visitor {
            let what = if is_stamp {
                "a stamp"
            } else if is_visitor {
                "the visitors' cookie"
            } else {
                "a source of the policy"
            };
            problems.add(&at.key(key), format!("must have a place of its own, {} is {what}", quote(name)));
        }
    }
    Some(Override { header, cookie, query, key_env: key_env? })
}
