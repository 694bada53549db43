//! Tests that need something which a machine may lack: they say so, and in CI they fail.

use std::io::Write;
use std::path::PathBuf;

/// The path in this environment variable (`ENVOY`, `CANARY_WASM`); without one the test is skipped
/// as by [`skip`], and returns.
pub fn needs(variable: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).filter(|value| !value.is_empty());
    if path.is_none() {
        skip(&format!("{variable} is not set (make test sets it)"));
    }
    path.map(PathBuf::from)
}

/// Says that this test is skipped and why, where `make test` finds it.
///
/// # Panics
/// With `CI=true`, where nothing may be skipped.
pub fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Not eprintln!, which the test harness would keep to itself.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
    let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!in_ci, "skipped with CI=true: {why}");
}
