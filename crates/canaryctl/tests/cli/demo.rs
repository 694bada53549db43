//! `canaryctl demo`: what can go wrong before it starts, and the whole of it in a real Envoy.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use canary_lab::{Client, Port, wait_until};

use crate::{Run, canaryctl, root};

const PATIENCE: Duration = Duration::from_secs(30);

/// An Envoy and the filter, as `make test` names them.
fn tools() -> Option<(String, String)> {
    let named = |variable| std::env::var(variable).ok().filter(|path| !path.is_empty());
    let tools = named("ENVOY").zip(named("CANARY_WASM"));
    if tools.is_none() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "CI needs ENVOY and CANARY_WASM");
        eprintln!("SKIPPED demo: ENVOY or CANARY_WASM is not set (make test sets both)");
    }
    tools
}

/// Runs a demo that has a filter, if a false one.
fn demo(options: &[&str]) -> Run {
    let arguments = [&["demo", "--wasm", "Cargo.toml"], options].concat();
    canaryctl(&arguments, "")
}

#[test]
fn a_port_in_use_is_named_with_the_way_out() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let taken = taken.local_addr().unwrap().port().to_string();
    for [main, admin] in [["1", &*taken], [&taken, "1"]] {
        let run = demo(&["--port", main, "--admin-port", admin]);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{}", run.stderr);
        assert!(run.stderr.contains("PORT=") && run.stderr.contains("ADMIN_PORT="), "{}", run.stderr);
    }
}

#[test]
fn what_is_missing_is_named_with_the_way_out() {
    let run = canaryctl(&["demo", "--wasm", "no/such.wasm"], "");
    assert!(run.code == 2 && run.stderr.contains("make build"), "{}", run.stderr);
    let run = demo(&["--envoy-config", "no/such.yaml"]);
    assert!(run.code == 2 && run.stderr.contains("no/such.yaml"), "{}", run.stderr);
    let (port, admin) = (Port::free().unwrap(), Port::free().unwrap());
    let [port, admin] = [port, admin].map(|port| port.number().to_string());
    let run = demo(&["--envoy", "no/such/envoy", "--port", &port, "--admin-port", &admin]);
    assert!(run.code == 2 && run.stderr.contains("no/such/envoy"), "{}", run.stderr);
}

#[test]
fn a_bad_policy_is_reported_and_nothing_is_started() {
    let run = canaryctl(&["demo", "--policy", "-"], "{\"version\": 3}");
    assert_eq!((run.code, run.stdout.as_str()), (1, ""));
    assert!(run.stderr.starts_with("version: "), "{}", run.stderr);
}

#[test]
fn the_demo_holds_and_ends_by_itself() {
    let Some((envoy, wasm)) = tools() else { return };
    // Held until the end, or the test beside this one takes them too.
    let held = [Port::free().unwrap(), Port::free().unwrap()];
    let [port, admin] = held.each_ref().map(|port| port.number().to_string());
    let options =
        ["--port", &port, "--admin-port", &admin, "--envoy", &envoy, "--wasm", &wasm, "--users", "700"];
    let run = canaryctl(&[&["demo"], &options[..]].concat(), "");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    let rows = run.stdout.lines().filter(|line| line.ends_with("s.e.  ok"));
    // Three countries before the change and one after it.
    assert_eq!(rows.count(), 4, "{}", run.stdout);
    assert!(run.stdout.contains(" 0 were not answered with 2xx") && run.stdout.ends_with("All held.\n"));
}

#[cfg(unix)]
#[test]
fn a_served_policy_is_loaded_whenever_it_is_saved() {
    let Some((envoy, wasm)) = tools() else { return };
    // A repository of its own, so that nobody's dist/ is touched.
    let directory = tempfile::tempdir().unwrap();
    let within = |path: &str| directory.path().join(path);
    fs::create_dir_all(within("envoy/policies")).unwrap();
    fs::create_dir(within("dist")).unwrap();
    fs::copy(&wasm, within("dist/canary_filter.wasm")).unwrap();
    for file in ["envoy/envoy.yaml", "envoy/policies/demo.json"] {
        fs::copy(root().join(file), within(file)).unwrap();
    }
    let policy = within("envoy/policies/demo.json");
    let (port, admin) = (Port::free().unwrap(), Port::free().unwrap());
    let mut child = Command::new(env!("CARGO_BIN_EXE_canaryctl"))
        .args(["demo", "--serve", "--envoy", &envoy])
        .args(["--port", &port.number().to_string(), "--admin-port", &admin.number().to_string()])
        .current_dir(directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut until = |end: &str| said.find(|line| line.as_ref().unwrap().contains(end)).unwrap().unwrap();
    until("Ctrl-C ends it.");

    let mut client = Client::new(port.number());
    let mut canary = |users: std::ops::Range<u32>| {
        let mut side = |user| {
            let headers = [("x-user-id", &*format!("user-{user}")), ("x-geo-country", "US")];
            client.get("/", &headers).unwrap().header("x-deployment-variant").unwrap()
        };
        users.filter(|user| side(*user) == "canary").count()
    };
    assert!(canary(0..200) < 60);
    let text = fs::read_to_string(&policy).unwrap();
    save(&policy, &text.replace("\"weight\": 10", "\"weight\": 100"));
    assert!(until("loaded").contains("checkout (stable 0 %, canary 100 %; 2 rules)"));
    wait_until(PATIENCE, "everyone to be on canary", || Ok((canary(0..50) == 50).then_some(()))).unwrap();

    // A bad one is not pushed; one that is renamed in by hand, as `make apply` does, is served.
    save(&policy, &text.replace("\"weight\": 10", "\"weight\": 1000"));
    let mut complaints = BufReader::new(child.stderr.take().unwrap()).lines();
    let complaint = complaints.next().unwrap().unwrap();
    assert_eq!(complaint, "rollouts[0].variants[0].weight: must be between 0 and 100, got 1000");
    assert_eq!(canary(0..50), 50);
    let none = text.replace("\"weight\": 10", "\"weight\": 0");
    let ecds = canaryctl::render::ecds(&none, &canaryctl::render::Options::default());
    fs::write(within("dist/ecds/next"), ecds.to_string()).unwrap();
    fs::rename(within("dist/ecds/next"), within("dist/ecds/canary.json")).unwrap();
    wait_until(PATIENCE, "nobody to be on canary", || Ok((canary(0..50) == 0).then_some(()))).unwrap();

    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success() && child.wait().unwrap().success());
    assert!(client_refused(port.number()), "Envoy is still there");
}

/// Saves as some editors do: the old text goes before the new one comes.
fn save(path: &Path, text: &str) {
    fs::write(path, "").unwrap();
    fs::write(path, text).unwrap();
}

fn client_refused(port: u16) -> bool {
    Client::new(port).connect().is_err()
}
