//! Path prefixes of a policy, by whole segments; a look-up costs no more steps than the
//! longest prefix has segments, however long the path and however many the prefixes.

use crate::bytes::BytesMap;

/// A prefix has at most this many segments: each is a step of a look-up and a node in memory.
const MAX_SEGMENTS: usize = 32;

/// What belongs to the prefixes of paths.
#[derive(Clone, Debug)]
pub struct PathTrie<T> {
    children: BytesMap<PathTrie<T>>,
    /// Of the prefix that ends with this segment: `/a` covers `/a` and `/a/b`, not `/ab`.
    whole: Option<T>,
    /// Of the prefix that ends with the slash after it: `/a/` covers `/a/b`, not `/a`.
    below: Option<T>,
}

/// Whether a text can be a path prefix.
///
/// # Errors
/// What it must be.
pub(crate) fn check_prefix(raw: &str) -> Result<(), &'static str> {
    if !raw.starts_with('/') {
        Err("a path that begins with `/`")
    } else if raw.len() > 1024 {
        Err("at most 1,024 characters")
    } else if depth(raw) > MAX_SEGMENTS {
        Err("at most 32 segments")
    } else if !raw.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#')) {
        Err("visible ASCII without `?` and `#`: the query is no part of the path")
    } else {
        Ok(())
    }
}

impl<T> PathTrie<T> {
    /// What belongs to this prefix, put in where there was nothing.
    pub fn entry(&mut self, prefix: &str) -> &mut T
    where
        T: Default,
    {
        let (path, below) = match prefix.strip_suffix('/') {
            Some(path) => (path, true),
            None => (prefix, false),
        };
        let node = segments(path.as_bytes())
            .fold(self, |node, segment| node.children.entry(segment.into()).or_default());
        let place = if below { &mut node.below } else { &mut node.whole };
        place.get_or_insert_default()
    }

    /// What belongs to the prefix `/`, which covers every path.
    pub fn root(&self) -> Option<&T> {
        self.below.as_ref()
    }

    /// Of all that covers a path, what `accept` takes of the longest prefix.
    pub fn longest<R>(&self, path: &[u8], accept: impl Fn(&T) -> Option<R>) -> Option<R> {
        let mut best = None;
        let mut node = self;
        // `below` needs a slash after the node: there is one where a segment follows.
        for segment in segments(path) {
            best = node.below.as_ref().and_then(&accept).or(best);
            match node.children.get(segment) {
                Some(child) => node = child,
                None => return best,
            }
            best = node.whole.as_ref().and_then(&accept).or(best);
        }
        best
    }
}

/// How many nodes a prefix takes at most in a trie.
pub(crate) fn depth(prefix: &str) -> usize {
    segments(prefix.as_bytes()).count()
}

/// What stands behind each slash; nothing where the path does not begin with one.
fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let rest = path.strip_prefix(b"/");
    rest.into_iter().flat_map(|rest| rest.split(|byte| *byte == b'/'))
}

impl<T> Default for PathTrie<T> {
    fn default() -> Self {
        Self { children: BytesMap::default(), whole: None, below: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn longest(prefixes: &[&str], path: &str) -> Option<String> {
        let mut trie = PathTrie::<String>::default();
        for prefix in prefixes {
            *trie.entry(prefix) = (*prefix).to_owned();
        }
        trie.longest(path.as_bytes(), |prefix| Some(prefix.clone()))
    }

    /// The rule of the policy language, written down once more in the plainest way.
    fn covers(prefix: &str, path: &str) -> bool {
        match path.strip_prefix(prefix) {
            Some(rest) => prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }

    #[test]
    fn a_prefix_covers_whole_segments() {
        assert_eq!(longest(&["/checkout"], "/checkout").as_deref(), Some("/checkout"));
        assert_eq!(longest(&["/checkout"], "/checkout/").as_deref(), Some("/checkout"));
        assert_eq!(longest(&["/checkout"], "/checkout-admin"), None);
        assert_eq!(longest(&["/checkout/"], "/checkout"), None);
        assert_eq!(longest(&["/"], "*"), None);
    }

    #[test]
    fn the_longest_prefix_wins_and_every_pair_agrees_with_the_rule() {
        let paths = ["/", "/a", "/a/", "/a//", "/a/b", "/a/b/", "/ab", "/a//b", "//", "//a", "/a/b/c"];
        for path in paths {
            for prefix in paths {
                assert_eq!(longest(&[prefix], path).is_some(), covers(prefix, path), "{prefix} on {path}");
            }
            let best = paths.iter().filter(|prefix| covers(prefix, path)).max_by_key(|prefix| prefix.len());
            assert_eq!(longest(&paths, path).as_deref(), best.copied(), "{path}");
        }
    }

    #[test]
    fn what_is_not_accepted_leaves_the_shorter_prefix() {
        let mut trie = PathTrie::<u8>::default();
        *trie.entry("/a") = 1;
        *trie.entry("/a/b") = 2;
        assert_eq!(trie.longest(b"/a/b", |value| (*value == 1).then_some(1)), Some(1));
    }
}
