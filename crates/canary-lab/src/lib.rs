//! A real Envoy on this machine, for the demo, the tests, the drills and the benches.
//!
//! [`EnvoyBuilder`] lays out a directory in which the relative paths of
//! `envoy/envoy.yaml` hold, starts Envoy there on ports of its own, and hands
//! back a [`Lab`]: push a policy into it, send it traffic ([`Client`], [`Load`],
//! [`raw`]), read its stats ([`Admin`]) and what it costs ([`Usage`]). Dropping
//! the lab ends Envoy.
//!
//! It is no part of the product: nothing here runs in front of users. All its
//! traffic goes to 127.0.0.1.
#![allow(clippy::disallowed_methods, reason = "a laboratory polls and measures, so it reads the clock")]
#![allow(
    clippy::missing_errors_doc,
    reason = "whatever goes wrong, the one thing to do is to show the error"
)]

mod admin;
mod builder;
mod client;
mod http;
mod lab;
mod load;
mod poll;
mod ports;
mod process;
mod skip;
mod stats;
mod usage;

pub use admin::Admin;
pub use builder::EnvoyBuilder;
pub use client::{Client, raw};
pub use http::{Request, Response};
pub use lab::{Lab, Verdict};
pub use load::{Load, Tally};
pub use poll::wait_until;
pub use ports::{Port, Ports};
pub use process::Process;
pub use skip::{needs, skip};
pub use stats::{Series, Stats};
pub use usage::Usage;
