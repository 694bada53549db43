//! One cookie of a `cookie` header.

/// The value of the first cookie of this name; the bytes as they stand, quotes too.
pub(crate) fn cookie<'a>(header: &'a [u8], name: &str) -> Option<&'a [u8]> {
    header.split(|byte| *byte == b';').find_map(|pair| {
        let value = pair.trim_ascii_start().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(value.trim_ascii_end())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cookie_of_the_name_wins() {
        let header = b"a=1; uid=alice;uid=bob; xuid=eve";
        assert_eq!(cookie(header, "uid"), Some(&b"alice"[..]));
        assert_eq!(cookie(header, "xuid"), Some(&b"eve"[..]));
        assert_eq!(cookie(header, "id"), None);
        assert_eq!(cookie(b"", "uid"), None);
    }

    #[test]
    fn an_empty_value_is_a_value_and_junk_is_none() {
        assert_eq!(cookie(b"uid=", "uid"), Some(&b""[..]));
        assert_eq!(cookie(b"uid", "uid"), None);
        assert_eq!(cookie(b";;=;uid =x; \xff=uid=1", "uid"), None);
    }
}
