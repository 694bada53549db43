//! The floor plan holds: arrows only go down, and what must not spread has not.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names of a package's dependencies, those for tests left out.
fn dependencies(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|other| other["name"] == package).unwrap();
    let dependencies = package["dependencies"].as_array().unwrap().iter();
    let dependencies = dependencies.filter(|dependency| dependency["kind"].is_null());
    dependencies.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect()
}

/// The Rust files of a folder that contain a text, by their paths in it; tests at their ends
/// do not count.
fn files_with(folder: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(place) = folders.pop() {
        for entry in place.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read_to_string(&path)
                .unwrap()
                .split("#[cfg(test)]")
                .next()
                .unwrap()
                .contains(text)
            {
                found.push(path.strip_prefix(root().join(folder)).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_core_depends_on_nothing_of_ours_and_on_nothing_that_acts() {
    let allowed = ["base64", "fnv", "hmac", "schemars", "serde", "serde_json", "sha2"].map(str::to_owned);
    assert_eq!(dependencies("canary-core"), BTreeSet::from(allowed));
}

#[test]
fn the_filter_depends_on_the_core_and_the_prescribed_crates() {
    let allowed = ["canary-core", "fnv", "getrandom", "log", "proxy-wasm"].map(str::to_owned);
    assert_eq!(dependencies("canary-filter"), BTreeSet::from(allowed));
}

#[test]
fn the_lab_knows_nothing_of_policies_and_the_tool_nothing_of_the_filter() {
    for forbidden in ["canary-core", "canaryctl", "canary-filter", "proxy-wasm"] {
        assert!(!dependencies("canary-lab").contains(forbidden), "{forbidden}");
    }
    for forbidden in ["canary-filter", "proxy-wasm"] {
        assert!(!dependencies("canaryctl").contains(forbidden), "{forbidden}");
    }
}

#[test]
fn the_core_has_no_clock_no_randomness_and_no_io() {
    for text in [
        "std::time",
        "std::fs",
        "std::net",
        "std::env",
        "std::thread",
        "std::io",
        "std::process",
        "RandomState",
    ] {
        assert_eq!(files_with("crates/canary-core/src", text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn serde_stays_at_the_edge_of_the_core() {
    let places = files_with("crates/canary-core/src", "serde::");
    assert_eq!(places, ["policy/field.rs", "policy/reader.rs", "policy/tree.rs", "policy/wire.rs"]);
    let derived = files_with("crates/canary-core/src", "derive(Clone, Debug, Default, Deserialize)");
    assert_eq!(derived, ["policy/wire.rs"], "one place names the fields");
}

#[test]
fn unsafe_code_and_the_host_stay_in_one_file_of_the_filter() {
    assert_eq!(files_with("src", "unsafe {"), ["host.rs"]);
    assert_eq!(files_with("src", "proxy_wasm::hostcalls"), Vec::<String>::new(), "its calls panic");
    assert_eq!(files_with("src", "get_http_"), Vec::<String>::new(), "String getters die of a byte");
}
