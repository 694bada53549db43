//! Cookies. A client may send them on several lines; they are read as one.

use std::borrow::Cow;

use super::RequestView;

const HEADER: &str = "cookie";
const SEPARATOR: &[u8] = b"; ";

/// The value of a request's first cookie of this name; the bytes as they stand, quotes too.
pub(crate) fn cookie_of<'v>(view: &'v impl RequestView, name: &str) -> Option<Cow<'v, [u8]>> {
    match view.joined(HEADER, SEPARATOR)? {
        Cow::Borrowed(header) => cookie(header, name).map(Cow::Borrowed),
        Cow::Owned(header) => cookie(&header, name).map(|value| Cow::Owned(value.to_vec())),
    }
}

/// What the first of a request's cookies of this name reads as that reads as anything: with
/// another path in front of it a good one may come second.
pub(crate) fn readable_cookie<T>(
    view: &impl RequestView,
    name: &str,
    read: impl Fn(&[u8]) -> Option<T>,
) -> Option<T> {
    cookies(&view.joined(HEADER, SEPARATOR)?, name).find_map(read)
}

/// A request's cookies without those of these names; `None` where it has none of them.
pub(crate) fn without_cookies(view: &impl RequestView, names: &[Box<str>]) -> Option<Vec<u8>> {
    let header = if names.is_empty() { None } else { view.joined(HEADER, SEPARATOR) }?;
    super::without(names, &header, without_cookie)
}

fn cookie<'a>(header: &'a [u8], name: &str) -> Option<&'a [u8]> {
    cookies(header, name).next()
}

fn cookies<'a>(header: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
    header.split(|byte| *byte == b';').filter_map(move |pair| {
        let value = pair.trim_ascii_start().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(value.trim_ascii_end())
    })
}

/// A `cookie` header without the cookies of this name; `None` where it has none.
fn without_cookie(header: &[u8], name: &str) -> Option<Vec<u8>> {
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
