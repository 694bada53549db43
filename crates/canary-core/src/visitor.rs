//! The cookie by which an anonymous visitor stays on one side.

use crate::request::{RequestView, readable_cookie};

/// A cookie for those who have no identity, as a policy wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisitorCookie {
    /// Its name.
    pub name: Box<str>,
    /// What stands behind the value: `; Path=/; Max-Age=2592000; Secure; HttpOnly; SameSite=Lax`.
    pub attributes: Box<str>,
}

/// A visitor's id: 128 random bits, as 32 hexadecimal digits in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VisitorId([u8; VisitorId::LEN]);

impl VisitorId {
    const LEN: usize = 32;

    /// The id with these bits.
    pub fn new(bits: u128) -> Self {
        let mut text = [0; Self::LEN];
        for (at, digit) in text.iter_mut().rev().enumerate() {
            let nibble = bits >> (4 * at) & 0xf;
            *digit = u8::try_from(nibble)
                .map_or(0, |nibble| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
        }
        Self(text)
    }

    /// What a client sent; `None` where it is nothing that was ever issued.
    pub fn parse(raw: &[u8]) -> Option<Self> {
        let digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        raw.try_into().ok().filter(|text: &[u8; Self::LEN]| text.iter().all(digit)).map(Self)
    }

    /// The bytes that are hashed.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl VisitorCookie {
    /// The id that a request brings.
    pub fn read(&self, view: &impl RequestView) -> Option<VisitorId> {
        readable_cookie(view, &self.name, VisitorId::parse)
    }

    /// A `set-cookie` header.
    pub fn issue(&self, id: VisitorId) -> Vec<u8> {
        [self.name.as_bytes(), b"=", id.as_bytes(), self.attributes.as_bytes()].concat()
    }
}

/// Whether a request is one of a page, for which an id is worth issuing: thirty requests for
/// the parts of one page, sent at once, would get thirty ids.
pub fn asks_for_a_page(view: &impl RequestView) -> bool {
    const PAGE: &[u8] = b"text/html";
    let accept = view.header("accept").unwrap_or_default();
    accept.split(|byte| *byte == b',').any(|range| {
        let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let is_page = parts.next().is_some_and(|media| media.eq_ignore_ascii_case(PAGE));
        // What has the quality 0 is what a client does not take.
        is_page && !parts.any(|part| matches!(part, b"q=0" | b"Q=0" | b"q=0.0" | b"q=0.00" | b"q=0.000"))
    })
}

/// The `cache-control` that must stand beside an id, so that no cache gives it to others;
/// `None` where the one that is there does.
pub fn private_cache_control(given: Option<&[u8]>) -> Option<Vec<u8>> {
    let directives = || given.unwrap_or_default().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let is = |directive: &[u8], name: &str| directive.eq_ignore_ascii_case(name.as_bytes());
    if directives().any(|directive| is(directive, "private") || is(directive, "no-store")) {
        return None;
    }
    let for_caches = |directive: &[u8]| {
        let name = directive.split(|byte| *byte == b'=').next().unwrap_or_default();
        is(name, "public") || is(name, "s-maxage")
    };
    let kept = directives().filter(|directive| !directive.is_empty() && !for_caches(directive));
    Some([&b"private"[..]].into_iter().chain(kept).collect::<Vec<_>>().join(&b", "[..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_written_and_nothing_else_is_one() {
        let id = VisitorId::new(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
        assert_eq!(id.as_bytes(), b"0123456789abcdef0011223344556677");
        assert_eq!(VisitorId::parse(id.as_bytes()), Some(id));
        for raw in [
            "",
            "0123456789abcdef001122334455667",
            "0123456789ABCDEF0011223344556677",
            "g123456789abcdef0011223344556677",
            "\"0123456789abcdef001122334455667",
        ] {
            assert_eq!(VisitorId::parse(raw.as_bytes()), None, "{raw}");
        }
    }

    #[test]
    fn no_cache_may_share_a_response_with_an_id() {
        let header = |given: Option<&str>| {
            private_cache_control(given.map(str::as_bytes)).map(|value| String::from_utf8(value).unwrap())
        };
        assert_eq!(header(None).as_deref(), Some("private"));
        assert_eq!(header(Some("public, max-age=60, s-maxage=600")).as_deref(), Some("private, max-age=60"));
        assert_eq!(header(Some("no-cache")).as_deref(), Some("private, no-cache"));
        assert_eq!(header(Some("max-age=60, Private")), None);
        assert_eq!(header(Some("no-store")), None);
    }
}
