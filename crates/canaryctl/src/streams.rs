//! Where commands write: results to stdout, what is wrong to stderr.
//!
//! A reader that has seen enough (`| head`) is no error.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use anyhow::{Context, Result};

/// The process's two outputs.
#[derive(Debug)]
pub(crate) struct Streams {
    reader_left: bool,
}

impl Streams {
    pub(crate) fn new() -> Self {
        Self { reader_left: false }
    }

    /// Writes a line of the result, at once.
    ///
    /// # Errors
    /// Where stdout cannot be written to; [`Streams::reader_left`] tells the harmless reason.
    pub(crate) fn say(&mut self, line: impl Display) -> Result<()> {
        let mut stdout = std::io::stdout().lock();
        let written = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
        if let Err(error) = &written {
            self.reader_left |= error.kind() == ErrorKind::BrokenPipe;
        }
        written.context("writing to stdout")
    }

    /// Writes a line about what is wrong; where stderr is gone there is nobody to tell.
    #[expect(clippy::unused_self, reason = "the counterpart of say")]
    pub(crate) fn warn(&mut self, line: impl Display) {
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }

    /// Whether stdout was closed by its reader.
    pub(crate) fn reader_left(&self) -> bool {
        self.reader_left
    }
}
