//! What is wrong with a policy, and where: one line for each problem, the same text in
//! Envoy's log and from `canaryctl`.

use std::fmt;

/// A place in a JSON document; cheap to extend while walking it.
#[derive(Clone, Copy, Debug)]
pub enum Path<'a> {
    /// The document itself.
    Root,
    /// A member of an object.
    Key(&'a Path<'a>, &'a str),
    /// An entry of a list.
    Index(&'a Path<'a>, usize),
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: `rollouts[0].variants[1].weight`.
    pub path: String,
    /// What: `must be between 0 and 100, got 120`.
    pub message: String,
}

/// Everything that is wrong with one policy, in the order in which it was found. A policy
/// that is nothing but problems does not fill the memory: what is over a mebibyte of text is
/// only counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    told: Vec<Problem>,
    /// The length of all texts.
    bytes: usize,
    untold: usize,
}

/// The room for the texts of [`Problems`], in bytes.
const MAX_TEXT: usize = 1 << 20;

impl<'a> Path<'a> {
    /// A member of the object here.
    #[must_use]
    pub fn key(&'a self, key: &'a str) -> Path<'a> {
        Path::Key(self, key)
    }

    /// An entry of the list here.
    #[must_use]
    pub fn index(&'a self, index: usize) -> Path<'a> {
        Path::Index(self, index)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |key: &str| {
            let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$');
            (1..=LONGEST).contains(&key.len()) && key.bytes().all(legal)
        };
        match self {
            Path::Root => f.write_str("policy"),
            Path::Key(Path::Root, key) if plain(key) => f.write_str(key),
            Path::Key(Path::Root, key) => write!(f, "[{}]", quote(key)),
            Path::Key(parent, key) if plain(key) => write!(f, "{parent}.{key}"),
            Path::Key(parent, key) => write!(f, "{parent}[{}]", quote(key)),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

impl Problems {
    /// Notes a problem.
    pub fn add(&mut self, path: &Path<'_>, message: impl fmt::Display) {
        if self.bytes > MAX_TEXT {
            self.untold += 1;
            return;
        }
        let problem = Problem { path: path.to_string(), message: message.to_string() };
        self.bytes += problem.path.len() + problem.message.len();
        self.told.push(problem);
    }

    /// A policy that could not be read at all.
    pub fn unreadable() -> Self {
        let mut problems = Self::default();
        problems.add(&Path::Root, "could not be read");
        problems
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// How many things are wrong.
    pub fn len(&self) -> usize {
        self.told.len() + self.untold
    }

    /// Each of them that has a text: all but those over the limit.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.told.iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told.iter().try_for_each(|problem| writeln!(f, "{problem}"))?;
        if self.untold > 0 {
            writeln!(f, "and {} more", self.untold)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// A text from a policy is cut to this many characters in a message.
const LONGEST: usize = 64;

/// A text from a policy as it may stand in a message: quoted, escaped, and not too long.
pub(super) fn quote(text: &str) -> String {
    match text.char_indices().nth(LONGEST).and_then(|(at, _)| text.get(..at)) {
        Some(head) => format!("{head:?}…"),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_people_write_it() {
        let rollouts = Path::Root.key("rollouts");
        let first = rollouts.index(0);
        assert_eq!(first.key("weight").to_string(), "rollouts[0].weight");
        assert_eq!(Path::Root.key("state").key("a.b").key("weights").to_string(), "state[\"a.b\"].weights");
        assert_eq!(Path::Root.to_string(), "policy");
    }

    #[test]
    fn a_quoted_text_fits_on_a_line() {
        assert_eq!(quote("a\nb\"c"), r#""a\nb\"c""#);
        assert_eq!(quote(&"ü".repeat(100)).chars().count(), 64 + 3);
    }
}
