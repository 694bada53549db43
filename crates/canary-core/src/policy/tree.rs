//! A policy's JSON as it stands, before it means anything: duplicate keys are kept to be
//! reported, and the limits on size, depth and length are checked.

use std::fmt;
use std::hash::Hasher;

use fnv::FnvHasher;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::bucket::{fmix64, write_prefixed};
use crate::bytes::BytesSet;

use super::problem::{Path, Problems, quote};
use crate::decimal::number;

/// The largest policy, in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// The deepest nesting of lists and objects, the outermost object being 1.
pub const MAX_DEPTH: usize = 16;
/// The longest list, and the largest object.
pub const MAX_ENTRIES: usize = 10_000;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number; the integers of the policy language are far below 2^53.
    Number(f64),
    /// A text.
    String(String),
    /// A list.
    List(Vec<Node>),
    /// An object, its members in the order of the text.
    Object(Vec<(String, Node)>),
}

impl Node {
    /// Reads a JSON text; notes what is wrong with it as a whole. What is over a limit is
    /// not looked into any further.
    pub(super) fn parse(text: &[u8], problems: &mut Problems) -> Option<Self> {
        if text.len() > MAX_BYTES {
            let message = format!("must be at most 1 MiB, got {} bytes", text.len());
            problems.add(&Path::Root, message);
            return None;
        }
        match serde_json::from_slice::<Self>(text) {
            Ok(mut node) => node.check(&Path::Root, 1, problems).then_some(node),
            Err(error) => {
                problems.add(&Path::Root, format!("must be JSON: {error}"));
                None
            }
        }
    }

    /// Reports duplicate keys and takes them out; reports what is over the limits, and says
    /// whether nothing is.
    fn check(&mut self, path: &Path<'_>, depth: usize, problems: &mut Problems) -> bool {
        let len = match self {
            Self::List(list) => list.len(),
            Self::Object(members) => members.len(),
            _ => return true,
        };
        if depth > MAX_DEPTH {
            problems.add(path, format!("must be nested at most {MAX_DEPTH} deep"));
            return false;
        }
        let mut fits = len <= MAX_ENTRIES;
        if !fits {
            problems.add(path, format!("must have at most {MAX_ENTRIES} entries, got {len}"));
        }
        match self {
            Self::List(list) => {
                for (index, node) in list.iter_mut().enumerate() {
                    fits &= node.check(&path.index(index), depth + 1, problems);
                }
            }
            Self::Object(members) => {
                let mut seen = BytesSet::default();
                members.retain_mut(|(key, node)| {
                    let path = path.key(key);
                    fits &= node.check(&path, depth + 1, problems);
                    let first = seen.insert(key.as_bytes().into());
                    if !first {
                        problems.add(&path, "duplicate key");
                    }
                    first
                });
            }
            _ => {}
        }
        fits
    }

    /// 52 bits that stand for the content: layout and the order of members do not matter.
    pub(super) fn digest(&self) -> u64 {
        let mut state = FnvHasher::default();
        self.write_to(&mut state);
        fmix64(state.finish()) >> 12
    }

    fn write_to(&self, state: &mut FnvHasher) {
        match self {
            Self::Null => state.write(b"0"),
            Self::Bool(value) => state.write(if *value { b"t" } else { b"f" }),
            Self::Number(value) => {
                state.write(b"n");
                state.write(&value.to_le_bytes());
            }
            Self::String(text) => {
                state.write(b"s");
                write_prefixed(state, text.as_bytes());
            }
            Self::List(list) => {
                state.write(b"[");
                for node in list {
                    node.write_to(state);
                }
                state.write(b"]");
            }
            Self::Object(members) => {
                // A sum, since the order of members means nothing.
                let hash = |(key, node): &(String, Self)| {
                    let mut state = FnvHasher::default();
                    write_prefixed(&mut state, key.as_bytes());
                    node.write_to(&mut state);
                    fmix64(state.finish())
                };
                let sum = members.iter().map(hash).fold(0, u64::wrapping_add);
                state.write(b"{");
                state.write(&sum.to_le_bytes());
            }
        }
    }
}

/// What was found, for messages of the form `must be …, got …`.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) => f.write_str(&number(*value)),
            Self::String(text) => f.write_str(&quote(text)),
            Self::List(_) => f.write_str("a list"),
            Self::Object(_) => f.write_str("an object"),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Build)
    }
}

struct Build;

impl<'de> Visitor<'de> for Build {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "no integer of the language is that large")]
    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "no integer of the language is that large")]
    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Number(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Node, E> {
        Ok(Node::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = seq.next_element()? {
            list.push(node);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Node::Object(members))
    }
}
