//! What the filter asks of a request. Values are raw bytes, whatever a client sent.

mod cookie;
mod host;
pub(crate) mod jwt;
mod query;
pub(crate) mod source;

use std::borrow::Cow;

pub(crate) use cookie::{cookie_of, readable_cookie, without_cookies};
pub(crate) use host::{HostBuffer, fold_host, host};
pub(crate) use query::{query, without_queries};
pub use source::{Source, SourceKind};

/// The one port through which a request is read.
pub trait RequestView {
    /// The value of a header, of a repeated one the first in arrival order; names are
    /// lower case, pseudo-headers (`:path`) among them.
    fn header(&self, name: &str) -> Option<&[u8]>;

    /// All values of a header whose values are lists, with `separator` between them.
    fn joined(&self, name: &str, separator: &[u8]) -> Option<Cow<'_, [u8]>>;

    /// Envoy's downstream remote address, with its port or without.
    fn source_address(&self) -> Option<Cow<'_, [u8]>>;
}

/// What `cut` leaves of a text when it has taken each of these names out; `None` where it has
/// none of them.
fn without(names: &[Box<str>], text: &[u8], cut: impl Fn(&[u8], &str) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    names.iter().fold(None, |left: Option<Vec<u8>>, name| cut(left.as_deref().unwrap_or(text), name).or(left))
}

/// The path without query and fragment.
pub(crate) fn path(target: &[u8]) -> &[u8] {
    target.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default()
}
