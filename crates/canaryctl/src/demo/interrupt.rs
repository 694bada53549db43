//! Ctrl-C as something to look at, so that Envoy and its directory go in good order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

/// Whether the user wants it to end.
#[derive(Clone, Debug)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on Ctrl-C, and a request to terminate, is noted and does nothing else.
    pub(super) fn watch() -> Result<Self> {
        let came = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&came);
        ctrlc::set_handler(move || noted.store(true, Ordering::Relaxed)).context("watching for Ctrl-C")?;
        Ok(Self(came))
    }

    /// Whether it came.
    pub(super) fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// For those who stop by a flag.
    pub(super) fn flag(&self) -> &AtomicBool {
        &self.0
    }
}
