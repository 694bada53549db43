//! What the filter costs in a real Envoy: the CPU time that each contender adds
//! to a request over no filter, in many short slices taken in turn, since the
//! machine is noisy. How to read the output stands in `benches/README.md`.
//!
//! `make bench` runs it; by hand: `cargo bench --bench cost`, with `ENVOY`,
//! `CANARY_WASM` and `BENCH_WASM_DIR` where they are not in their usual places.
#![allow(clippy::disallowed_methods, reason = "a bench measures, so it reads the clock")]

mod bootstrap;
mod calls;
mod contender;
mod features;
#[path = "../../tests/wasm_host/fixture.rs"]
#[allow(dead_code, clippy::panic, clippy::unwrap_used, reason = "shared with the tests, which use all of it")]
mod fixture;
mod guardrail;
#[path = "../../tests/wasm_host/harness/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests, which use all of it")]
mod harness;
mod measure;
mod memory;
mod report;
mod settings;

use anyhow::Result;

use contender::ALL;
use settings::Settings;

fn main() -> Result<()> {
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("a bench, not a test: run it with `cargo bench --bench cost`");
        return Ok(());
    }
    let settings = Settings::from_environment()?;
    calls::print(&settings)?;
    features::print(&settings)?;
    memory::print(&settings)?;
    guardrail::print(&settings)?;
    report::print(&measure::run(&settings, &ALL)?);
    report::print_calls(&measure::run(&settings, &contender::call_by_call())?);
    Ok(())
}
