//! The policy language, from the text of a policy to what is done to a request: one file, one
//! part of it; one test, one rule.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::type_complexity,
    reason = "a test may panic"
)]

mod coherence;
mod decide;
mod event_problems;
mod exchange;
mod flags;
mod golden;
mod guardrail_problems;
mod latches;
mod outcomes;
mod people;
mod phased_problems;
mod problems;
mod properties;
mod rollbacks;
mod schedules;
mod support;
mod tokens;
mod visitors;
