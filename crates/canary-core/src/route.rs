//! Which rollout a request belongs to: the most specific match, found by look-ups, not
//! by walking a list.
//!
//! Hosts come before paths, and paths before methods, as in the Gateway API: exact host,
//! longest suffix, any host; then the longest path prefix; then with methods before
//! without.

use std::fmt;

use crate::bytes::BytesMap;
use crate::facts::Facts;
use crate::host_set::{HostMap, HostPattern};
use crate::path_trie::{PathTrie, depth};
use crate::request::RequestView;
use crate::rollout::RolloutId;

/// What a rollout is for; an absent list matches everything.
#[derive(Clone, Debug, Default)]
pub struct Match {
    /// Host patterns.
    pub hosts: Option<Vec<HostPattern>>,
    /// Path prefixes.
    pub path_prefixes: Option<Vec<Box<str>>>,
    /// Methods.
    pub methods: Option<Vec<Box<str>>>,
}

/// All matches of a policy.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    hosts: HostMap<Paths>,
    any_host: Paths,
}

/// Two rollouts match one request equally well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tie {
    /// The one that was there first.
    pub with: RolloutId,
    /// Where they meet, in words.
    pub on: String,
}

#[derive(Clone, Debug, Default)]
struct Paths {
    prefixes: PathTrie<Methods>,
    any_path: Methods,
}

#[derive(Clone, Debug, Default)]
struct Methods {
    named: BytesMap<RolloutId>,
    any: Option<RolloutId>,
}

// impl Match

impl Match {
    /// How much room the match takes in [`Routes`]: for each host, the segments of each
    /// prefix and, behind each prefix, the methods.
    pub fn size(&self) -> usize {
        let hosts = self.hosts.as_ref().map_or(1, Vec::len);
        let methods = self.methods.as_ref().map_or(1, Vec::len);
        let prefixes = each_text(self.path_prefixes.as_deref());
        let paths: usize = prefixes.map(|prefix| prefix.map_or(0, depth) + methods).sum();
        hosts.saturating_mul(paths)
    }

    fn each_host(&self) -> impl Iterator<Item = Option<&HostPattern>> {
        each(self.hosts.as_deref())
    }
}

/// Each entry of a list, or once nothing where there is no list.
fn each<T>(list: Option<&[T]>) -> impl Iterator<Item = Option<&T>> {
    let absent = list.is_none().then_some(None);
    list.into_iter().flatten().map(Some).chain(absent)
}

fn each_text(list: Option<&[Box<str>]>) -> impl Iterator<Item = Option<&str>> {
    each(list).map(|entry| entry.map(|text| &**text))
}

// impl Routes

impl Routes {
    /// Adds a rollout.
    ///
    /// # Errors
    /// A [`Tie`] with another; the rest of the match is in nevertheless.
    pub fn insert(&mut self, rollout: RolloutId, wanted: &Match) -> Result<(), Tie> {
        let mut result = Ok(());
        for host in wanted.each_host() {
            let paths = match host {
                Some(host) => self.hosts.entry(host.clone()),
                None => &mut self.any_host,
            };
            for prefix in each_text(wanted.path_prefixes.as_deref()) {
                let methods = match prefix {
                    Some(prefix) => paths.prefixes.entry(prefix),
                    None => &mut paths.any_path,
                };
                for method in each_text(wanted.methods.as_deref()) {
                    if let (Some(with), true) = (methods.insert(method, rollout), result.is_ok()) {
                        result = Err(Tie { with, on: describe(host, prefix, method) });
                    }
                }
            }
        }
        result
    }

    /// Who takes every request of a rollout before it, where that is so.
    ///
    /// A prefix is never covered whole by longer ones, nor a host by others; but `/`
    /// covers every path, so it leaves nothing to a match without prefixes (but `OPTIONS *`,
    /// which nobody releases).
    pub fn shadowed_by(&self, wanted: &Match) -> Option<RolloutId> {
        if wanted.path_prefixes.is_some() {
            return None;
        }
        let mut by = None;
        for host in wanted.each_host() {
            let paths = host.map_or(Some(&self.any_host), |host| self.hosts.get(host))?;
            let root = paths.prefixes.root()?;
            for method in each_text(wanted.methods.as_deref()) {
                by = by.or(Some(root.find_for(method)?));
            }
        }
        by
    }

    /// The rollout of a request.
    pub fn find<V: RequestView>(&self, facts: &Facts<'_, V>) -> Option<RolloutId> {
        let host = if self.hosts.is_empty() { &[] } else { facts.host() };
        let mut candidates = self.hosts.matches(host).chain([&self.any_host]);
        candidates.find_map(|paths| paths.find(facts))
    }
}

impl Paths {
    fn find<V: RequestView>(&self, facts: &Facts<'_, V>) -> Option<RolloutId> {
        let longest = self.prefixes.longest(facts.path(), |methods| methods.find(facts));
        longest.or_else(|| self.any_path.find(facts))
    }
}

impl Methods {
    /// Puts a rollout in; returns another that is there already.
    fn insert(&mut self, method: Option<&str>, rollout: RolloutId) -> Option<RolloutId> {
        let there = match method {
            Some(method) => *self.named.entry(method.as_bytes().into()).or_insert(rollout),
            None => *self.any.get_or_insert(rollout),
        };
        (there != rollout).then_some(there)
    }

    fn find<V: RequestView>(&self, facts: &Facts<'_, V>) -> Option<RolloutId> {
        let named = || self.named.get(facts.method()).copied();
        (!self.named.is_empty()).then(named).flatten().or(self.any)
    }

    fn find_for(&self, method: Option<&str>) -> Option<RolloutId> {
        let named = method.and_then(|method| self.named.get(method.as_bytes()).copied());
        named.or(self.any)
    }
}

fn describe(host: Option<&HostPattern>, prefix: Option<&str>, method: Option<&str>) -> String {
    struct Host<'a>(&'a HostPattern);
    impl fmt::Display for Host<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self.0 {
                HostPattern::Exact(host) => write!(f, "host {}", String::from_utf8_lossy(host)),
                HostPattern::Suffix(host) => write!(f, "host *{}", String::from_utf8_lossy(host)),
            }
        }
    }
    let host = host.map_or("any host".to_owned(), |host| Host(host).to_string());
    let prefix = prefix.map_or("any path".to_owned(), |prefix| format!("path {prefix}"));
    let method = method.map_or("any method".to_owned(), |method| format!("method {method}"));
    format!("{host}, {prefix}, {method}")
}
