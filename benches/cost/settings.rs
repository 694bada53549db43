//! What is measured, with what, how long.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// The files, and the bounds of the measurement.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) envoy: PathBuf,
    /// The filter, the empty SDK filter, and the floor.
    pub(crate) filter: PathBuf,
    pub(crate) empty: PathBuf,
    pub(crate) floor: PathBuf,
    /// In each round every contender gets one slice.
    pub(crate) rounds: u32,
    /// Requests in a slice.
    pub(crate) slice: u32,
    /// No round begins after this.
    pub(crate) budget: Duration,
}

impl Settings {
    /// `ENVOY`, `CANARY_WASM`, `BENCH_WASM_DIR`, `BENCH_ROUNDS`, `BENCH_SLICE` and
    /// `BENCH_SECONDS`; each has a default.
    pub(crate) fn from_environment() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let path = |name: &str, default: PathBuf| env::var_os(name).map_or(default, PathBuf::from);
        let modules = path("BENCH_WASM_DIR", root.join("target/wasm32-wasip1/wasm"));
        let settings = Self {
            envoy: path("ENVOY", PathBuf::from("envoy")),
            filter: path("CANARY_WASM", root.join("dist/canary_filter.wasm")),
            empty: modules.join("bench_empty.wasm"),
            floor: modules.join("bench_floor.wasm"),
            rounds: number("BENCH_ROUNDS", 400)?,
            slice: number("BENCH_SLICE", 200)?,
            budget: Duration::from_secs(number("BENCH_SECONDS", 240)?.into()),
        };
        for module in [&settings.filter, &settings.empty, &settings.floor] {
            ensure!(module.is_file(), "{} is not built: use `make bench`", module.display());
        }
        Ok(settings)
    }
}

fn number(name: &str, default: u32) -> Result<u32> {
    let Ok(text) = env::var(name) else {
        return Ok(default);
    };
    let number = text.parse().with_context(|| format!("{name}={text}"))?;
    ensure!(number > 0, "{name} must be at least 1");
    Ok(number)
}
