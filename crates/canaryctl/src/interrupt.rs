//! Ctrl-C as something to look at, so that whoever must tidy up before the end can.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

/// Whether the user wants it to end.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on Ctrl-C, and a request to terminate, is noted and does nothing else.
    pub(crate) fn watch() -> Result<Self> {
        let came = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&came);
        ctrlc::set_handler(move || noted.store(true, Ordering::Relaxed)).context("watching for Ctrl-C")?;
        Ok(Self(came))
    }

    /// Whether it came.
    pub(crate) fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// For those who stop by a flag.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.0
    }
}
