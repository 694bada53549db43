//! The binary `canaryctl` as users and scripts meet it: exit codes, outputs, keys.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

mod demo;
mod drill;
mod explain;
mod render;
mod schema;
mod status;
mod timeline;
mod token;
mod validate;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A policy with everything in it that `validate` lists.
const FULL: &str = r#"{
  "version": 1,
  "revision": "2026-12-01.1",
  "identity": [{"header": "x-user-id"}, {"cookie": "uid"}, {"jwt_claim": "sub"}, {"query": "uid"}, {"source_address": true}],
  "geo": [{"header": "x-geo-country"}],
  "rollouts": [{
    "name": "checkout",
    "release": "v2",
    "match": {"path_prefixes": ["/checkout"]},
    "baseline": {"name": "stable", "cluster": "checkout-v1"},
    "variants": [{"name": "canary", "cluster": "checkout-v2", "weight": 25}],
    "rules": [
      {"name": "employees", "when": {"header": {"name": "x-employee", "equals": "true"}}, "variant": "canary"},
      {"name": "dach", "when": {"geo": ["DE", "AT", "CH"]}, "weights": {"canary": 50}}
    ]
  }]
}"#;

/// What a run of `canaryctl` left behind.
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs `canaryctl` in the repository's root with this on stdin.
fn canaryctl(arguments: &[&str], stdin: &str) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_canaryctl"))
        .args(arguments)
        .current_dir(root())
        .env_remove("ENVOY")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its stdin may be gone by now.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    Run {
        code: status.code().unwrap(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The policies that are shipped as examples.
fn examples() -> Vec<PathBuf> {
    let files = std::fs::read_dir(root().join("envoy/policies")).unwrap().map(|entry| entry.unwrap().path());
    let examples: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    assert!(examples.len() >= 5, "{examples:?}");
    examples
}

#[test]
fn help_shows_examples_and_exit_codes() {
    for command in [
        &["--help"][..],
        &["validate", "--help"],
        &["explain", "--help"],
        &["render", "--help"],
        &["timeline", "--help"],
        &["token", "mint", "--help"],
        &["hash-ids", "--help"],
        &["drill", "--help"],
    ] {
        let help = canaryctl(command, "");
        assert_eq!(help.code, 0);
        assert!(help.stdout.contains("Example") && help.stdout.contains("Exit codes"), "{command:?}");
        // Wrapped by hand: a terminal of 80 columns must not wrap it again.
        assert!(help.stdout.lines().all(|line| line.len() < 100), "{command:?}");
    }
}

#[test]
fn wrong_usage_is_told_apart_from_a_bad_policy() {
    for arguments in
        [&["validate"][..], &["no-such-command"], &["render", "-"], &["render", "-", "--to", "toast"]]
    {
        assert_eq!(canaryctl(arguments, FULL).code, 2, "{arguments:?}");
    }
    for command in ["validate", "explain"] {
        let missing = canaryctl(&[command, "no/such/policy.json"], "");
        assert_eq!(missing.code, 2);
        assert!(missing.stderr.contains("no/such/policy.json"), "{}", missing.stderr);
    }
}
