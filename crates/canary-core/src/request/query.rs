//! One parameter of a request target's query.

/// The raw value of the first parameter of this name; nothing is decoded.
pub(crate) fn query<'a>(target: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let target = target.split(|byte| *byte == b'#').next()?;
    let mark = target.iter().position(|byte| *byte == b'?')?;
    let pairs = target.get(mark + 1..)?;
    pairs.split(|byte| *byte == b'&').find_map(|pair| {
        let rest = pair.strip_prefix(name.as_bytes())?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b"=") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_parameter_of_the_name_wins() {
        assert_eq!(query(b"/p?a=1&uid=alice&uid=bob", "uid"), Some(&b"alice"[..]));
        assert_eq!(query(b"/p?xuid=1", "uid"), None);
        assert_eq!(query(b"/p?uid", "uid"), Some(&b""[..]));
    }

    #[test]
    fn the_query_begins_at_the_first_mark_and_ends_at_the_fragment() {
        assert_eq!(query(b"/p?a=?uid=1", "uid"), None);
        assert_eq!(query(b"/p?uid=a?b#uid=c", "uid"), Some(&b"a?b"[..]));
        assert_eq!(query(b"/uid=1", "uid"), None);
    }
}
