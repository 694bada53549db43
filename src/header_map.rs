//! A request's header map as the host serialises it, read in place.
//!
//! `u32 count`, then for each header `u32 name length, u32 value length`, then for each
//! `name NUL value NUL`; numbers are little-endian.

use std::borrow::Cow;

use canary_core::request::RequestView;

use crate::host;

/// The bytes of one header map, all of whose headers are there.
pub(crate) struct HeaderMap(Vec<u8>);

impl HeaderMap {
    /// Takes what the host gave; `None` where it does not add up.
    pub(crate) fn parse(bytes: Vec<u8>) -> Option<Self> {
        let (count, _) = bytes.split_first_chunk()?;
        let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
        let map = Self(bytes);
        (map.iter().count() == count).then_some(map)
    }

    /// Each header in arrival order.
    fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let (count, sizes) = self.0.split_first_chunk().map_or((0, &[][..]), |(count, rest)| {
            (usize::try_from(u32::from_le_bytes(*count)).unwrap_or(usize::MAX), rest)
        });
        let (sizes, _) = sizes.as_chunks::<8>();
        let mut rest =
            count.checked_mul(8).and_then(|len| self.0.get(len.checked_add(4)?..)).unwrap_or_default();
        sizes.iter().take(count).map_while(move |size| {
            let [n0, n1, n2, n3, v0, v1, v2, v3] = *size;
            let name = take(&mut rest, u32::from_le_bytes([n0, n1, n2, n3]))?;
            let value = take(&mut rest, u32::from_le_bytes([v0, v1, v2, v3]))?;
            Some((name, value))
        })
    }
}

/// Cuts a text and the NUL behind it.
fn take<'a>(rest: &mut &'a [u8], len: u32) -> Option<&'a [u8]> {
    let (text, after) = rest.split_at_checked(usize::try_from(len).ok()?)?;
    *rest = after.get(1..)?;
    Some(text)
}

impl RequestView for HeaderMap {
    fn header(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(other, _)| *other == name.as_bytes()).map(|(_, value)| value)
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
