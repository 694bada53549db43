//! Where an identity or a geo is read from.

use std::borrow::Cow;

use super::{RequestView, cookie_of, host::without_port, jwt, query};

/// One place to look for a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What kind of place.
    pub kind: SourceKind,
    /// Its name there; empty for the source address.
    pub name: Box<str>,
}

/// The kinds of places. All of them are believed: see what `canaryctl validate` lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A request header.
    Header,
    /// A cookie.
    Cookie,
    /// A claim of the bearer token, not verified.
    JwtClaim,
    /// A parameter of the query.
    Query,
    /// The downstream remote address without port.
    SourceAddress,
}

impl Source {
    /// The value there; an empty one is none.
    pub fn read<'v>(&self, view: &'v impl RequestView) -> Option<Cow<'v, [u8]>> {
        let value = match self.kind {
            SourceKind::Header => view.header(&self.name).map(Cow::Borrowed),
            SourceKind::Cookie => cookie_of(view, &self.name),
            SourceKind::Query => {
                view.header(":path").and_then(|target| query(target, &self.name)).map(Cow::Borrowed)
            }
            SourceKind::JwtClaim => {
                view.header("authorization").and_then(|all| jwt::claim(all, &self.name)).map(Cow::Owned)
            }
            SourceKind::SourceAddress => view.source_address().map(address),
        };
        value.filter(|value| !value.is_empty())
    }
}

/// An address without port, and an IPv6 one without brackets.
pub(crate) fn address(with_port: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    fn bare(raw: &[u8]) -> &[u8] {
        // An IPv6 address without brackets has no port to cut.
        let bare_ipv6 = raw.first() != Some(&b'[') && raw.split(|byte| *byte == b':').nth(2).is_some();
        let host = if bare_ipv6 { raw } else { without_port(raw) };
        host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host)
    }
    match with_port {
        Cow::Borrowed(raw) => Cow::Borrowed(bare(raw)),
        Cow::Owned(raw) => Cow::Owned(bare(&raw).to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_compared_without_port_and_brackets() {
        for (raw, bare) in [
            ("10.0.0.1:5000", "10.0.0.1"),
            ("10.0.0.1", "10.0.0.1"),
            ("[2001:db8::1]:5000", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(address(Cow::Borrowed(raw.as_bytes())).as_ref(), bare.as_bytes());
        }
    }
}
