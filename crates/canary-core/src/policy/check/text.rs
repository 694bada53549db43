//! What texts of a policy must look like. Each check says what it wants in the words
//! that stand after `must be` in a problem.

use super::entries;
use crate::bytes::BytesSet;
use crate::geo::Geo;
use crate::host_set::HostPattern;
use crate::ip_set::Network;
use crate::path_trie::check_prefix;
use crate::policy::field::{Field, List};
use crate::policy::problem::{Path, Problems, quote};

/// A check: the text in the one form in which it is compared, or what it must be.
pub(super) type Check = fn(&str) -> Verdict;

type Verdict = Result<Box<str>, &'static str>;

/// A name of a rollout, variant, rule, segment or flag.
pub(super) fn name(raw: &str) -> Verdict {
    if is_name(raw) { Ok(raw.into()) } else { Err("1 to 64 characters of `[A-Za-z0-9._-]`") }
}

/// Whether a text can be the name of a rollout, variant, rule, segment or flag.
pub fn is_name(raw: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=64).contains(&raw.len()) && raw.bytes().all(legal)
}

/// A free text that may stand in a log line.
pub(super) fn label(raw: &str) -> Verdict {
    if (1..=256).contains(&raw.len()) && !raw.chars().any(char::is_control) {
        Ok(raw.into())
    } else {
        Err("1 to 256 bytes without control characters")
    }
}

/// The name of an Envoy cluster.
pub(super) fn cluster(raw: &str) -> Verdict {
    if (1..=256).contains(&raw.len()) && raw.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(raw.into())
    } else {
        Err("1 to 256 visible ASCII characters")
    }
}

/// Headers that frame a message or have a meaning of their own: writing one breaks requests.
const NOT_WRITTEN: [&str; 12] = [
    "authorization",
    "baggage",
    "connection",
    "content-length",
    "cookie",
    "host",
    "keep-alive",
    "proxy-connection",
    "set-cookie",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// The name of a header that is written, in lower case.
pub(super) fn header(raw: &str) -> Verdict {
    let name = any_header(raw)?;
    if NOT_WRITTEN.contains(&&*name) { Err("a header without a meaning in HTTP") } else { Ok(name) }
}

fn any_header(raw: &str) -> Verdict {
    if is_token(raw) { Ok(raw.to_ascii_lowercase().into()) } else { Err("a header name") }
}

/// The name of a header that is read: a pseudo-header can be one.
pub(super) fn readable_header(raw: &str) -> Verdict {
    match raw {
        ":authority" | ":method" | ":path" | ":scheme" => Ok(raw.into()),
        _ => any_header(raw),
    }
}

/// The name of a cookie.
pub(super) fn cookie(raw: &str) -> Verdict {
    if is_token(raw) { Ok(raw.into()) } else { Err("a cookie name") }
}

/// The name of a parameter of a query, as it stands in one.
pub(super) fn query(raw: &str) -> Verdict {
    let legal = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'&' | b'=' | b'#' | b'?');
    if (1..=256).contains(&raw.len()) && raw.bytes().all(legal) {
        Ok(raw.into())
    } else {
        Err("a parameter name of visible ASCII without `&`, `=`, `#` and `?`")
    }
}

/// A method.
pub(super) fn method(raw: &str) -> Verdict {
    if is_token(raw) && !raw.bytes().any(|byte| byte.is_ascii_lowercase()) {
        Ok(raw.into())
    } else {
        Err("a method in upper case: methods are compared with case")
    }
}

/// A pattern of hosts, in lower case.
pub(super) fn host(raw: &str) -> Verdict {
    HostPattern::parse(raw).map(|_| raw.to_ascii_lowercase().into())
}

/// A prefix of paths.
pub(super) fn path_prefix(raw: &str) -> Verdict {
    check_prefix(raw).map(|()| raw.into())
}

/// A geo in upper case, or `*`.
pub(super) fn geo(raw: &str) -> Verdict {
    if raw == "*" || Geo::parse(raw.as_bytes()).is_some() {
        Ok(raw.to_ascii_uppercase().into())
    } else {
        Err("1 to 32 characters of `[A-Z0-9-]` that name a place (not -, XX, ZZ, T1), or `*`")
    }
}

/// A hash of an identity, in lower case.
pub(super) fn hash(raw: &str) -> Verdict {
    if raw.len() == 16 && raw.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(raw.to_ascii_lowercase().into())
    } else {
        Err("16 hexadecimal digits, as canaryctl hash-ids prints them")
    }
}

/// A class of status codes, or a code.
pub(super) fn status(raw: &str) -> Verdict {
    match raw.as_bytes() {
        [b'1'..=b'5', b'x', b'x'] | [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'] => Ok(raw.into()),
        _ => Err("a class such as `2xx`, or a code from `100` to `599`"),
    }
}

/// A network.
pub(super) fn network(raw: &str) -> Verdict {
    Network::parse(raw).map(|_| raw.into())
}

/// A variable of the environment.
pub(super) fn variable(raw: &str) -> Verdict {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let digit_first = raw.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
    if (1..=128).contains(&raw.len()) && raw.bytes().all(legal) && !digit_first && raw != "CANARY_STRICT" {
        Ok(raw.into())
    } else {
        Err("the name of a variable: 1 to 128 of `[A-Za-z0-9_]`, no digit first")
    }
}

/// The domain of a cookie.
pub(super) fn domain(raw: &str) -> Verdict {
    let name = raw.strip_prefix('.').unwrap_or(raw);
    match HostPattern::parse(name) {
        Ok(HostPattern::Exact(_)) if !name.starts_with('[') => Ok(name.to_ascii_lowercase().into()),
        _ => Err("a domain such as example.com"),
    }
}

/// The path of a cookie.
pub(super) fn cookie_path(raw: &str) -> Verdict {
    let legal = |byte: u8| byte.is_ascii_graphic() && byte != b';';
    if raw.starts_with('/') && raw.len() <= 256 && raw.bytes().all(legal) {
        Ok(raw.into())
    } else {
        Err("a path that begins with `/`, of at most 256 visible ASCII characters without `;`")
    }
}

/// Any text.
#[expect(clippy::unnecessary_wraps, reason = "a check like the others")]
pub(super) fn any(raw: &str) -> Verdict {
    Ok(raw.into())
}

/// Any text but the empty one, up to a length that is cheap to look for.
pub(super) fn part(raw: &str) -> Verdict {
    if (1..=256).contains(&raw.len()) { Ok(raw.into()) } else { Err("1 to 256 bytes") }
}

/// A token of RFC 9110, up to a sane length.
fn is_token(raw: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=256).contains(&raw.len()) && raw.bytes().all(legal)
}

/// Checks one text.
pub(super) fn check(raw: &str, at: &Path<'_>, problems: &mut Problems, check: Check) -> Option<Box<str>> {
    let fault = |wanted| problems.add(at, format!("must be {wanted}, got {}", quote(raw)));
    check(raw).map_err(fault).ok()
}

/// Checks a field that may be left out.
pub(super) fn optional(
    field: &Field<String>,
    at: &Path<'_>,
    problems: &mut Problems,
    verdict: Check,
) -> Option<Box<str>> {
    field.given().and_then(|raw| check(raw, at, problems, verdict))
}

/// Checks a field that must be there.
pub(super) fn required(
    field: &Field<String>,
    parent: &Path<'_>,
    key: &str,
    problems: &mut Problems,
    verdict: Check,
) -> Option<Box<str>> {
    let raw = field.required(parent, key, problems)?;
    check(raw, &parent.key(key), problems, verdict)
}

/// Checks a list of texts, which may be left out, but not be empty or hold one twice.
pub(super) fn list(
    list: &List<String>,
    at: &Path<'_>,
    problems: &mut Problems,
    verdict: Check,
) -> Option<Vec<Box<str>>> {
    not_empty(list, at, problems);
    let mut seen = BytesSet::default();
    let mut values = Vec::new();
    for (index, raw) in entries(list) {
        let at = at.index(index);
        let Some(value) = check(raw, &at, problems, verdict) else { continue };
        if seen.insert(value.as_bytes().into()) {
            values.push(value);
        } else {
            problems.add(&at, format!("duplicate {}", quote(raw)));
        }
    }
    list.given().map(|_| values)
}

/// Reports a list that is there and empty: leaving it out says what is meant.
pub(super) fn not_empty<T>(list: &List<T>, at: &Path<'_>, problems: &mut Problems) {
    if list.given().is_some_and(Vec::is_empty) {
        problems.add(at, "must not be empty; leave it out instead");
    }
}
