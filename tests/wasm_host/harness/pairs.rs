//! Header maps and their serialised form.

/// A header map in arrival order; names and values are bytes.
pub(crate) type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// A header map from text.
pub(crate) fn pairs(from: &[(&str, &str)]) -> Pairs {
    let bytes = |(name, value): &(&str, &str)| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    from.iter().map(bytes).collect()
}

/// ABI 0.2.1: the count, every pair of lengths, then the names and values, each
/// ended by NUL; all numbers u32, little-endian. An empty map is no bytes at all.
pub(crate) fn serialise(map: &Pairs) -> Vec<u8> {
    if map.is_empty() {
        return Vec::new();
    }
    let payload: usize = map.iter().map(|(name, value)| name.len() + value.len() + 10).sum();
    let mut out = Vec::with_capacity(4 + payload);
    put_length(&mut out, map.len());
    for (name, value) in map {
        put_length(&mut out, name.len());
        put_length(&mut out, value.len());
    }
    for (name, value) in map {
        for part in [name, value] {
            out.extend_from_slice(part);
            out.push(0);
        }
    }
    out
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}
