//! What those get who have no identity.

use super::{or, text};
use crate::duration;
use crate::policy::field::Field;
use crate::policy::problem::{Path, Problems, quote};
use crate::policy::tree::Node;
use crate::policy::{reader, wire};
use crate::rollout::Anonymous;
use crate::visitor::VisitorCookie;

const NAME: &str = "canary_id";
const MAX_AGE: &str = "30d";

pub(super) fn anonymous(field: &Field<wire::Anonymous>, at: &Path<'_>, problems: &mut Problems) -> Anonymous {
    let Some(wire::Anonymous(node)) = field.given() else { return Anonymous::Baseline };
    match node {
        Node::String(word) if word == "baseline" => Anonymous::Baseline,
        Node::String(word) if word == "random" => Anonymous::Random,
        Node::Object(_) => {
            let form: Option<wire::AnonymousForm> = reader::read(node, at, problems);
            let form = form.unwrap_or_default();
            let cookie = form.cookie.required(at, "cookie", problems);
            let cookie = cookie.and_then(|wire| self::cookie(wire, &at.key("cookie"), problems));
            cookie.map_or(Anonymous::Baseline, Anonymous::Cookie)
        }
        other => {
            problems.add(at, format!("must be \"baseline\", \"random\" or {{\"cookie\": …}}, got {other}"));
            Anonymous::Baseline
        }
    }
}

fn cookie(wire: &wire::VisitorCookie, at: &Path<'_>, problems: &mut Problems) -> Option<VisitorCookie> {
    let before = problems.len();
    let name = text::optional(&wire.name, &at.key("name"), problems, text::cookie);
    let max_age = wire.max_age.given().map_or(MAX_AGE, String::as_str);
    let seconds = seconds(max_age);
    if seconds.is_none() {
        let message =
            format!("must be 1s to 400d, as a number and one of s, m, h, d, got {}", quote(max_age));
        problems.add(&at.key("max_age"), message);
    }
    let domain = text::optional(&wire.domain, &at.key("domain"), problems, text::domain);
    let path = text::optional(&wire.path, &at.key("path"), problems, text::cookie_path);
    let same_site = match or(&wire.same_site, wire::SameSite::Lax) {
        wire::SameSite::Lax => "Lax",
        wire::SameSite::Strict => "Strict",
        wire::SameSite::None => "None",
    };
    let path = path.as_deref().unwrap_or("/");
    let domain = domain.map(|domain| format!("; Domain={domain}")).unwrap_or_default();
    let name = name.unwrap_or_else(|| NAME.into());
    // Browsers refuse a cookie that breaks the promise of its name.
    let is_host = name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("__Host-"));
    if is_host && (path != "/" || !domain.is_empty()) {
        problems.add(at, "must have neither path nor domain: its name begins with __Host-");
    }
    let attributes =
        format!("; Path={path}; Max-Age={}{domain}; Secure; HttpOnly; SameSite={same_site}", seconds?);
    (problems.len() == before).then(|| VisitorCookie { name, attributes: attributes.into() })
}

/// A time such as `30d`, in seconds. Browsers keep no cookie for more than 400 days.
fn seconds(text: &str) -> Option<u64> {
    let seconds = duration::seconds(text).filter(|_| !text.starts_with('0'));
    seconds.filter(|seconds| *seconds <= 400 * duration::DAY)
}
