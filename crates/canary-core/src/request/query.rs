//! One parameter of a request target's query.

use super::RequestView;

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

/// A request target without the parameters of these names; `None` where it has none of them.
pub(crate) fn without_queries(view: &impl RequestView, names: &[Box<str>]) -> Option<Vec<u8>> {
    let target = if names.is_empty() { None } else { view.header(":path") }?;
    super::without(names, target, without_query)
}

/// A request target without the parameters of this name; `None` where it has none. It is
/// never empty.
fn without_query(target: &[u8], name: &str) -> Option<Vec<u8>> {
    query(target, name)?;
    let (target, fragment) =
        target.split_at(target.iter().position(|byte| *byte == b'#').unwrap_or(target.len()));
    let (path, pairs) = target.split_at(target.iter().position(|byte| *byte == b'?')?);
    let pairs = pairs.get(1..)?.split(|byte| *byte == b'&');
    let others = pairs.filter(|pair| pair.split(|byte| *byte == b'=').next() != Some(name.as_bytes()));
    let others = others.collect::<Vec<_>>().join(&b"&"[..]);
    let mark: &[u8] = if others.is_empty() { b"" } else { b"?" };
    let path = if path.is_empty() { b"/" } else { path };
    Some([path, mark, &others, fragment].concat())
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
    fn a_parameter_is_taken_out_however_often_it_stands_there() {
        let without = |target: &str| {
            without_query(target.as_bytes(), "t").map(|target| String::from_utf8(target).unwrap())
        };
        assert_eq!(without("/p?t=1&a=2&t&b=%26").as_deref(), Some("/p?a=2&b=%26"));
        assert_eq!(without("/p?t=1#f").as_deref(), Some("/p#f"));
        assert_eq!(without("/p?a=1&tt=2"), None);
        assert_eq!(without("/t=1"), None);
    }

    #[test]
    fn the_query_begins_at_the_first_mark_and_ends_at_the_fragment() {
        assert_eq!(query(b"/p?a=?uid=1", "uid"), None);
        assert_eq!(query(b"/p?uid=a?b#uid=c", "uid"), Some(&b"a?b"[..]));
        assert_eq!(query(b"/uid=1", "uid"), None);
    }
}
