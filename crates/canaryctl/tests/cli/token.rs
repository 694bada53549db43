//! `canaryctl token` and `canaryctl hash-ids`.

use std::process::{Command, Output};

use crate::canaryctl;

const KEY: &str = "a-key-of-at-least-thirty-two-bytes";

/// Runs `canaryctl token …` with this key; the exit code, stdout, stderr.
fn token(key: Option<&str>, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_canaryctl"));
    command.arg("token").args(arguments).env_remove("CANARY_OVERRIDE_KEY");
    if let Some(key) = key {
        command.env("CANARY_OVERRIDE_KEY", key);
    }
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

const SIDE: [&str; 4] = ["--rollout", "check.out", "--variant", "canary"];

fn mint(key: &str) -> String {
    let (code, stdout, stderr) = token(Some(key), &[&["mint"], &SIDE[..], &["--expires-in", "1h"]].concat());
    assert_eq!((code, stderr.as_str()), (0, ""));
    stdout
}

#[test]
fn a_token_is_printed_alone_and_is_good_until_it_expires() {
    let minted = mint(KEY);
    let good = minted.strip_suffix('\n').unwrap();
    assert!(good.starts_with("v1.check.out.canary.") && !good.contains(char::is_whitespace), "{good}");
    let (code, stdout, _) = token(Some(KEY), &[&["check", good], &SIDE[..]].concat());
    assert!(code == 0 && stdout.starts_with("good for canary of check.out, for 3"), "{stdout}");
    // Without names every reading of the dots is tried.
    assert_eq!(token(Some(KEY), &["check", good]).0, 0);
    let (code, _, stderr) = token(Some(KEY), &["check", good, "--at", "2099-01-01T00:00:00Z"]);
    assert!(code == 1 && stderr.starts_with("expired "), "{stderr}");
}

#[test]
fn a_token_that_is_not_good_is_told_apart() {
    let minted = mint(KEY);
    let good = minted.trim();
    let other = "another-key-of-at-least-thirty-two-bytes";
    for (key, token_text, side, why) in [
        (other, good, &SIDE[..], "the MAC is not that of the key in CANARY_OVERRIDE_KEY"),
        (KEY, good, &["--rollout", "search", "--variant", "canary"], "it is for another rollout or variant"),
        (KEY, "v1.x", &[], "not a token: it must be v1.<rollout>.<variant>.<expiry>.<MAC>"),
    ] {
        let (code, stdout, stderr) = token(Some(key), &[&["check", token_text], side].concat());
        assert_eq!((code, stdout.as_str(), stderr.trim()), (1, "", why));
    }
}

#[test]
fn of_two_keys_the_first_mints_and_both_check() {
    let both = format!("{KEY},another-key-of-at-least-thirty-two-bytes");
    assert_eq!(token(Some(&both), &["check", mint(KEY).trim()]).0, 0);
    assert_eq!(token(Some(KEY), &["check", mint(&both).trim()]).0, 0);
}

#[test]
fn without_a_good_key_nothing_is_minted() {
    let arguments = [&["mint"], &SIDE[..], &["--expires-in", "1h"]].concat();
    for (key, why) in [
        (None, "canaryctl: CANARY_OVERRIDE_KEY is not set: it must hold the key, at least 32 bytes"),
        (Some("short"), "canaryctl: a key in CANARY_OVERRIDE_KEY is shorter than 32 bytes"),
    ] {
        let (code, stdout, stderr) = token(key, &arguments);
        assert_eq!((code, stdout.as_str(), stderr.trim()), (2, "", why));
    }
}

#[test]
fn bad_names_and_times_are_wrong_usage() {
    for arguments in [
        ["--rollout", "a b", "--variant", "canary", "--expires-in", "1h"],
        ["--rollout", "r", "--variant", "", "--expires-in", "1h"],
        ["--rollout", "r", "--variant", "canary", "--expires-in", "1w"],
        ["--rollout", "r", "--variant", "canary", "--expires-in", "0s"],
        ["--rollout", "r", "--variant", "canary", "--expires-in", "99999d"],
    ] {
        let (code, stdout, stderr) = token(Some(KEY), &[&["mint"], &arguments[..]].concat());
        assert!(code == 2 && stdout.is_empty() && stderr.contains("must be"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn identities_are_hashed_line_by_line_under_the_segments_name() {
    let run = canaryctl(&["hash-ids", "--segment", "beta"], "ann\r\nbob\n\nann");
    let hashes: Vec<&str> = run.stdout.lines().collect();
    assert_eq!((run.code, hashes.len(), hashes[0] == hashes[2]), (0, 3, true));
    let json = canaryctl(&["hash-ids", "--segment", "beta", "--format", "json"], "ann\nbob\n");
    let listed: Vec<String> = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(listed, hashes[..2]);
    // What it prints is what a policy takes, and it knows the user.
    let policy = format!(
        r#"{{"version": 1, "identity": [{{"header": "x-user-id"}}], "segments": {{"beta": {{"identity_hashes": {}}}}},
            "rollouts": [{{"name": "r", "baseline": {{"name": "stable"}}, "variants": [{{"name": "canary", "weight": 0}}],
            "rules": [{{"name": "beta", "when": {{"segment": "beta"}}, "variant": "canary"}}]}}]}}"#,
        json.stdout
    );
    for (user, variant) in [("ann", "canary"), ("bob", "canary"), ("eve", "stable")] {
        let header = format!("x-user-id: {user}");
        let run = canaryctl(&["explain", "-", "--format", "json", "--header", &header], &policy);
        let value: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(value["variant"], variant, "{user}");
    }
}
