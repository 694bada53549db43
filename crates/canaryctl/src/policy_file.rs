//! A policy as a file or from stdin, and the one way in which its problems are printed.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result};
use canary_core::policy::{MAX_BYTES, Policy};

use crate::streams::Streams;

/// The text of a policy, not checked yet.
#[derive(Clone, Debug)]
pub(crate) struct PolicyFile {
    name: String,
    text: Vec<u8>,
}

impl PolicyFile {
    /// Reads a policy; `-` is stdin.
    ///
    /// # Errors
    /// Names the file that cannot be read.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let stdin = path.as_os_str() == "-";
        let name = if stdin { "stdin".to_owned() } else { path.display().to_string() };
        let read = if stdin { read_some(io::stdin().lock()) } else { File::open(path).and_then(read_some) };
        let text = read.with_context(|| format!("cannot read {name}"))?;
        Ok(Self { name, text })
    }

    /// What people call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its bytes as they stand.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.text
    }

    /// Its text; after a successful [`PolicyFile::parse`] nothing in it is replaced.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }

    /// The checked policy; every problem of a bad one goes to stderr, one line each, with a
    /// last line that counts them.
    pub(crate) fn parse(&self, streams: &mut Streams) -> Option<Policy> {
        let problems = match Policy::parse(&self.text) {
            Ok(policy) => return Some(policy),
            Err(problems) => problems,
        };
        for problem in &problems {
            streams.warn(problem);
        }
        streams.warn(format_args!("{}: {}", self.name, count(problems.len(), "problem")));
        None
    }
}

/// `1 rule`, `2 rules`.
pub(crate) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Reads to the end, but not for ever: what is far too large is refused by its size anyway.
fn read_some(reader: impl Read) -> io::Result<Vec<u8>> {
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_mul(64);
    let mut text = Vec::new();
    reader.take(most).read_to_end(&mut text)?;
    Ok(text)
}
