//! A request's header map as the host serialises it, read in place.
//!
//! `u32 count`, then for each header `u32 name length, u32 value length`, then for each
//! `name NUL value NUL`; numbers are little-endian.

use std::borrow::Cow;

use canary_core::request::RequestView;

use crate::host;

/// The bytes of one header map, all of whose headers are there.
pub(crate) struct HeaderMap {
    bytes: Vec<u8>,
    count: usize,
}

impl HeaderMap {
    /// Takes what the host gave; `None` where it does not add up.
    pub(crate) fn parse(bytes: Vec<u8>) -> Option<Self> {
        let count = usize::try_from(u32::from_le_bytes(*bytes.first_chunk()?)).ok()?;
        let texts = count.checked_mul(8)?.checked_add(4)?;
        let (sizes, _) = bytes.get(4..texts)?.as_chunks::<8>();
        let end = sizes.iter().try_fold(texts, |at, size| {
            let (name, value) = lengths(*size)?;
            at.checked_add(name)?.checked_add(value)?.checked_add(2)
        })?;
        (end <= bytes.len()).then_some(Self { bytes, count })
    }

    /// The values of a header, in arrival order. Adds up lengths, and looks at the bytes of
    /// those names only that are as long.
    fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let mut at = self.count * 8 + 4;
        let (sizes, _) = self.bytes.get(4..at).unwrap_or_default().as_chunks::<8>();
        sizes.iter().filter_map(move |size| {
            let (name_len, value_len) = lengths(*size)?;
            let (begin, value) = (at, at + name_len + 1);
            at = value + value_len + 1;
            let is = name_len == name.len() && self.bytes.get(begin..begin + name_len)? == name.as_bytes();
            is.then(|| self.bytes.get(value..value + value_len)).flatten()
        })
    }
}

/// The lengths of a name and of its value: one load, since every header of a map is passed
/// again and again.
fn lengths(size: [u8; 8]) -> Option<(usize, usize)> {
    let both = u64::from_le_bytes(size);
    Some((usize::try_from(both & 0xffff_ffff).ok()?, usize::try_from(both >> 32).ok()?))
}

impl RequestView for HeaderMap {
    fn header(&self, name: &str) -> Option<&[u8]> {
        self.values(name).next()
    }

    fn joined(&self, name: &str, separator: &[u8]) -> Option<Cow<'_, [u8]>> {
        let mut values = self.values(name);
        let first = values.next()?;
        let mut joined = Cow::Borrowed(first);
        for value in values {
            let all = joined.to_mut();
            all.extend_from_slice(separator);
            all.extend_from_slice(value);
        }
        Some(joined)
    }

    fn source_address(&self) -> Option<Cow<'_, [u8]>> {
        host::property("source\0address").map(Cow::Owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serialise(headers: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut bytes = u32::try_from(headers.len()).unwrap().to_le_bytes().to_vec();
        for text in headers.iter().flat_map(|(name, value)| [name, value]) {
            bytes.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
        }
        for text in headers.iter().flat_map(|(name, value)| [name, value]) {
            bytes.extend_from_slice(text);
            bytes.push(0);
        }
        bytes
    }

    #[test]
    fn the_first_header_of_a_name_is_found_whatever_its_bytes() {
        let map = serialise(&[(b"a", b"1"), (b"b", b"\xff\0"), (b"b", b"3"), (b"c", b"")]);
        let map = HeaderMap::parse(map).unwrap();
        assert_eq!(map.header("b"), Some(&b"\xff\0"[..]));
        assert_eq!(map.header("c"), Some(&b""[..]));
        assert_eq!(map.header("d"), None);
    }

    #[test]
    fn a_map_cut_anywhere_is_none_and_one_with_any_byte_changed_reads_without_a_trap() {
        let whole = serialise(&[(b"name", b"value"), (b"other", b"x")]);
        for cut in 0..whole.len() {
            assert!(HeaderMap::parse(whole[..cut].to_vec()).is_none(), "{cut}");
        }
        for at in 0..whole.len() {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut bad = whole.clone();
                bad[at] = byte;
                let _ = HeaderMap::parse(bad).map(|map| map.header("other").is_some());
            }
        }
    }
}
