//! The built filter under a host that counts, fails and lies: what a request
//! costs in host calls, and that nothing makes it trap.
//!
//! The artefact is named by `CANARY_WASM` (`make test` sets it). Without it every
//! test here says that it is skipped; with `CI=true` that is a failure.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod configuration;
mod cost;
mod faults;
mod fixture;
mod guardrail;
mod harness;
mod hostile;
mod memory;
mod random;
