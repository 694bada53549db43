//! Where a request comes from, as a header says it.

use std::fmt;

/// A known place: 1 to 32 of `[A-Z0-9-]`, folded to upper case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Geo {
    len: u8,
    bytes: [u8; Geo::MAX],
}

/// What providers write when they do not know: the same as no geo.
const UNKNOWN: [&[u8]; 4] = [b"-", b"XX", b"ZZ", b"T1"];

/// A geo as stats tell them apart: by its place among those that the policy names. All others,
/// the unknown one too, are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeoId(pub(crate) u32);

impl GeoId {
    /// Its place in [`Policy::geos`](crate::policy::Policy::geos), or the place behind them.
    pub fn place(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Geo {
    /// The longest geo, in bytes.
    pub const MAX: usize = 32;

    /// Reads a geo; `None` where the bytes are none, or say that it is not known.
    pub fn parse(raw: &[u8]) -> Option<Self> {
        let len = u8::try_from(raw.len()).ok().filter(|len| (1..=32).contains(len))?;
        let mut bytes = [0; Self::MAX];
        for (to, from) in bytes.iter_mut().zip(raw) {
            *to = from.to_ascii_uppercase();
            if !matches!(to, b'A'..=b'Z' | b'0'..=b'9' | b'-') {
                return None;
            }
        }
        let geo = Self { len, bytes };
        (!UNKNOWN.contains(&geo.as_bytes())).then_some(geo)
    }

    /// The folded bytes: what is hashed and compared.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Display for Geo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{}", char::from(*byte)))
    }
}

impl fmt::Debug for Geo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Geo({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_folded() {
        assert_eq!(Geo::parse(b"us-ca"), Geo::parse(b"US-CA"));
        assert_eq!(Geo::parse(b"de").unwrap().to_string(), "DE");
    }

    #[test]
    fn what_providers_write_for_unknown_is_no_geo() {
        for raw in ["-", "XX", "xx", "ZZ", "T1", "t1", "", "D E", "D\u{e9}", "D_E"] {
            assert_eq!(Geo::parse(raw.as_bytes()), None, "{raw:?}");
        }
        assert_eq!(Geo::parse(&[b'A'; 33]), None);
        assert!(Geo::parse(&[b'A'; 32]).is_some());
    }
}
