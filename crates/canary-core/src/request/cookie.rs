//! One cookie of a `cookie` header.

/// The value of the first cookie of this name; the bytes as they stand, quotes too.
pub(crate) fn cookie<'a>(header: &'a [u8], name: &str) -> Option<&'a [u8]> {
    header.split(|byte| *byte == b';').find_map(|pair| {
        let value = pair.trim_ascii_start().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(value.trim_ascii_end())
    })
}

/// A `cookie` header without the cookies of this name; `None` where it has none.
pub(crate) fn without_cookie(header: &[u8], name: &str) -> Option<Vec<u8>> {
    cookie(header, name)?;
    let pairs = header.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let others = pairs.filter(|pair| cookie(pair, name).is_none());
    Some(others.collect::<Vec<_>>().join(&b"; "[..]))
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
    fn a_cookie_is_taken_out_however_often_it_stands_there() {
        let header = b"a=1; t=x;b=2 ; t=y";
        assert_eq!(without_cookie(header, "t").as_deref(), Some(&b"a=1; b=2"[..]));
        assert_eq!(without_cookie(b"t=x", "t").as_deref(), Some(&b""[..]));
        assert_eq!(without_cookie(header, "c"), None);
    }

    #[test]
    fn an_empty_value_is_a_value_and_junk_is_none() {
        assert_eq!(cookie(b"uid=", "uid"), Some(&b""[..]));
        assert_eq!(cookie(b"uid", "uid"), None);
        assert_eq!(cookie(b";;=;uid =x; \xff=uid=1", "uid"), None);
    }
}
