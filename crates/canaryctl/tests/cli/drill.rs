//! `canaryctl drill`: what cannot be drilled, and drills in a real Envoy.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use canary_lab::needs;
use serde_json::{Value, json};

use crate::{Run, canaryctl, root};

/// An Envoy and the filter, as `make test` names them.
fn tools() -> Option<[String; 4]> {
    let [envoy, wasm] = [needs("ENVOY")?, needs("CANARY_WASM")?].map(|path| path.display().to_string());
    Some(["--envoy".to_owned(), envoy, "--wasm".to_owned(), wasm])
}

/// A tenth canary, watched like this.
fn policy(guardrail: &Value) -> Value {
    json!({
        "version": 1,
        "identity": [{"header": "x-user-id"}],
        "rollouts": [{
            "name": "checkout",
            "baseline": {"name": "stable", "cluster": "checkout-v1"},
            "variants": [{"name": "canary", "cluster": "checkout-v2", "weight": 10}],
            "guardrail": guardrail,
        }],
    })
}

fn errors() -> Value {
    policy(&json!({"errors": {}}))
}

/// Runs a drill of a policy on stdin.
fn drill(policy: &Value, options: &[&str]) -> Run {
    canaryctl(&[&["drill", "-"], options].concat(), &policy.to_string())
}

/// Runs a drill with Envoy, and reads what it says to programs.
fn drilled(policy: &Value, options: &[&str]) -> Option<(i32, Value)> {
    let tools = tools()?;
    let tools: Vec<_> = tools.iter().map(String::as_str).collect();
    let run = drill(
        policy,
        &[&tools, options, &["--format", "json", "--seconds", "3", "--users", "2000"]].concat(),
    );
    let report = serde_json::from_str(&run.stdout);
    Some((run.code, report.unwrap_or_else(|_| panic!("{}", run.stderr))))
}

#[test]
fn a_canary_that_fails_is_caught_and_nobody_else_notices() {
    let Some(tools) = tools() else { return };
    let tools: Vec<_> = tools.iter().map(String::as_str).collect();
    let run = drill(&errors(), &[&tools[..], &["--seconds", "5"]].concat());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    for said in [
        "canary is healthy, for 5 s",
        "canary answers 50 % of its requests with 503 from now on",
        "\nCaught ",
        "fails more often: ",
        "no error, and nobody was moved",
        "false alarms  none",
    ] {
        assert!(run.stdout.contains(said), "{said}: {}", run.stdout);
    }
    assert!(run.stdout.contains(" are on stable; ") && run.stdout.contains("rollback      all "));
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 100), "{}", run.stdout);
}

#[test]
fn a_canary_that_only_becomes_slow_is_caught_too() {
    let policy = policy(&json!({"latency": {}}));
    let Some((code, report)) = drilled(&policy, &["--weight", "30", "--fail", "latency=300"]) else { return };
    assert_eq!((code, &report["caught"], &report["weight"]), (0, &json!(true), &json!(0.3)), "{report}");
    assert!(report["why"].as_str().unwrap().starts_with("is slower: "), "{report}");
    assert_eq!(report["back_on_baseline"], report["users"]["variant"]);
}

#[test]
fn a_canary_that_does_not_fail_is_not_caught() {
    let Some((code, report)) = drilled(&errors(), &["--fail", "errors=0", "--deadline", "3"]) else { return };
    assert_eq!(
        (code, &report["caught"], &report["back_on_baseline"]),
        (1, &json!(false), &json!(0)),
        "{report}"
    );
    let failures = report["failures"].as_array().unwrap();
    assert!(
        failures.len() == 1 && failures[0].as_str().unwrap().starts_with("not caught within 3 s"),
        "{report}"
    );
    assert_eq!((&report["others"]["errors"], &report["others"]["moved_users"]), (&json!(0), &json!(0)));
}

#[test]
fn where_a_breach_is_only_told_nobody_is_moved() {
    let policy = policy(&json!({"errors": {}, "on_breach": "alert"}));
    let Some((code, report)) = drilled(&policy, &["--fail", "errors=100"]) else { return };
    assert_eq!(
        (code, &report["caught"], &report["back_on_baseline"]),
        (0, &json!(true), &json!(0)),
        "{report}"
    );
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_nothing_behind() {
    let Some(tools) = tools() else { return };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, errors().to_string()).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_canaryctl"))
        .arg("drill")
        .arg(file.path())
        .args(tools)
        .current_dir(root())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = said.next().unwrap().unwrap();
    let port = first.rsplit(':').next().unwrap().trim_end_matches('.').parse().unwrap();
    said.find(|line| line.as_ref().unwrap().contains("is healthy")).unwrap().unwrap();
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success() && child.wait().unwrap().code() == Some(2));
    assert!(canary_lab::Client::new(port).connect().is_err(), "Envoy is still there");
}

#[test]
fn what_cannot_be_drilled_is_told_and_nothing_is_started() {
    let mut unguarded = errors();
    unguarded["rollouts"][0].as_object_mut().unwrap().remove("guardrail");
    let mut idle = errors();
    idle["rollouts"][0]["variants"][0]["weight"] = json!(0);
    let mut rolled_back = errors();
    rolled_back["state"] = json!({"checkout": {"rolled_back": ["canary"]}});
    let mut nobody = errors();
    nobody["identity"] = json!([{"jwt_claim": "sub"}]);
    for (policy, options, why) in [
        (&unguarded, &[][..], "no rollout of the policy has a `guardrail`"),
        (&unguarded, &["--rollout", "checkout"], "checkout has no `guardrail`"),
        (&errors(), &["--rollout", "search"], "no rollout \"search\": the policy has checkout"),
        (&errors(), &["--variant", "blue"], "no variant \"blue\": it has canary"),
        (&errors(), &["--fail", "latency=100"], "lacks `latency`"),
        (&errors(), &["--weight", "120"], "must be between 0 and 100"),
        (&errors(), &["--weight", "0.01"], "more --users"),
        (&idle, &[], "--weight 10"),
        (&rolled_back, &[], "nobody to save"),
        (&nobody, &[], "a jwt_claim or a source_address alone will not do"),
    ] {
        let run = drill(policy, options);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{why}: {}", run.stderr);
        assert!(run.stderr.contains(why), "{why}: {}", run.stderr);
    }
}

#[test]
fn a_policy_with_problems_is_no_drill_that_failed() {
    let run = canaryctl(&["drill", "-"], "{\"version\": 3}");
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.starts_with("version: "), "{}", run.stderr);
}
