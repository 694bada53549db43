//! Where signed tokens stand.

use super::text;
use crate::forced::Override;
use crate::policy::field::Field;
use crate::policy::problem::{Path, Problems};
use crate::policy::wire;

pub(super) fn overrides(
    field: &Field<wire::Override>,
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
    Some(Override { header, cookie, query, key_env: key_env? })
}
