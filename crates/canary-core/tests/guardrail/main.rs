//! The guardrail's statistics: one file, one part; one test, one rule.
//!
//! Simulations go through the real path, from a worker's observations over the pool to the
//! judgement. Those that take long are ignored: `cargo test --release -p canary-core --test
//! guardrail -- --ignored --nocapture`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may panic"
)]

mod absolute;
mod bytes;
mod detection;
mod evidence;
mod extremes;
mod false_alarms;
mod golden;
mod latency;
mod plans;
mod support;
mod users;
