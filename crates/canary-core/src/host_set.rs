//! Host names of a policy: exact ones and `*.` suffixes.

use crate::bytes::BytesMap;

/// A host as a policy writes it, folded to lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// This host and no other.
    Exact(Box<[u8]>),
    /// Any host that ends in this, which begins with the dot of `*.example.com`.
    Suffix(Box<[u8]>),
}

/// What belongs to a host: an exact one before the longest suffix, and so on to the shortest.
#[derive(Clone, Debug)]
pub struct HostMap<T> {
    exact: BytesMap<T>,
    suffixes: BytesMap<T>,
}

impl HostPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(raw: &str) -> Result<Self, &'static str> {
        let (name, suffix) = match raw.strip_prefix('*') {
            Some(rest) => (rest.strip_prefix('.').unwrap_or_default(), true),
            None => (raw, false),
        };
        let ipv6 = !suffix && name.strip_prefix('[').is_some_and(|rest| rest.ends_with(']'));
        let legal = |byte: u8| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'.' | b'-' | b'_')
                || ipv6 && matches!(byte, b'[' | b']' | b':')
        };
        if name.is_empty() || raw.len() > 253 || name.starts_with('.') {
            Err("a host name of 1 to 253 characters, or `*.` and one")
        } else if !ipv6 && name.contains(':') {
            Err("a host without a port: hosts are compared without port")
        } else if !name.bytes().all(legal) {
            Err("a host name of `[A-Za-z0-9._-]`, or `*.` and one")
        } else if suffix {
            Ok(Self::Suffix(format!(".{name}").to_ascii_lowercase().into_bytes().into()))
        } else {
            Ok(Self::Exact(name.to_ascii_lowercase().into_bytes().into()))
        }
    }
}

impl<T> HostMap<T> {
    /// What belongs to this pattern, put in where there was nothing.
    pub fn entry(&mut self, pattern: HostPattern) -> &mut T
    where
        T: Default,
    {
        match pattern {
            HostPattern::Exact(host) => self.exact.entry(host).or_default(),
            HostPattern::Suffix(suffix) => self.suffixes.entry(suffix).or_default(),
        }
    }

    /// What belongs to exactly this pattern.
    pub fn get(&self, pattern: &HostPattern) -> Option<&T> {
        match pattern {
            HostPattern::Exact(host) => self.exact.get(host),
            HostPattern::Suffix(suffix) => self.suffixes.get(suffix),
        }
    }

    /// Whether no host belongs here, so that nobody needs to look at the request's.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.suffixes.is_empty()
    }

    /// All that a folded host belongs to, the most specific first.
    pub fn matches<'a>(&'a self, host: &'a [u8]) -> impl Iterator<Item = &'a T> {
        let dots = host.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'.');
        let suffixes = (!self.suffixes.is_empty()).then_some(dots).into_iter().flatten();
        let suffixes = suffixes.filter_map(|(at, _)| self.suffixes.get(host.get(at..)?));
        self.exact.get(host).into_iter().chain(suffixes)
    }
}

impl<T> Default for HostMap<T> {
    fn default() -> Self {
        Self { exact: BytesMap::default(), suffixes: BytesMap::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_host_comes_before_the_longest_suffix() {
        let mut hosts = HostMap::<&str>::default();
        for pattern in ["*.example.com", "*.shop.example.com", "a.shop.example.com"] {
            *hosts.entry(HostPattern::parse(pattern).unwrap()) = pattern;
        }
        let found = |host: &str| hosts.matches(host.as_bytes()).copied().collect::<Vec<_>>();
        assert_eq!(
            found("a.shop.example.com"),
            ["a.shop.example.com", "*.shop.example.com", "*.example.com"]
        );
        assert_eq!(found("b.a.shop.example.com"), ["*.shop.example.com", "*.example.com"]);
        assert_eq!(found("example.com"), Vec::<&str>::new());
        assert_eq!(found(".example.com"), Vec::<&str>::new());
    }

    #[test]
    fn ports_stars_inside_and_empty_names_are_refused() {
        for raw in ["", "*", "*.", "*.*.com", "a:80", "a b", "*..com", ".com", "b\u{fc}ro.de"] {
            assert!(HostPattern::parse(raw).is_err(), "{raw}");
        }
        assert!(HostPattern::parse("[::1]").is_ok());
        assert!(HostPattern::parse(&"a".repeat(254)).is_err());
    }
}
