//! `canaryctl status` against answers of a real Envoy 1.40: what its admin says in JSON, and what
//! it shows Prometheus, of the same requests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

use serde_json::{Value, json};

use crate::canaryctl;

const ADMIN: &str = include_str!("status/admin.json");
const PAGE: &str = include_str!("status/prometheus.txt");

/// Answers every GET, the first with 0, on a port of its own; the address is what it returns.
fn serve(answer: impl Fn(u64, &str) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for (number, stream) in (0..).zip(listener.incoming()) {
            // Whoever asks may be gone already.
            let _ = reply(stream.unwrap(), |path| answer(number, path));
        }
    });
    url
}

fn reply(mut stream: TcpStream, answer: impl FnOnce(&str) -> String) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap();
    let body = answer(request.split(' ').nth(1).unwrap());
    let status = if body.is_empty() { "404 Not Found" } else { "200 OK" };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

/// An Envoy, as far as this command asks it.
fn envoy() -> String {
    serve(|_, path| match path {
        "/stats?format=json&filter=canary_%7Cserver.uptime&histogram_buckets=cumulative" => ADMIN.to_owned(),
        "/stats/prometheus" => PAGE.to_owned(),
        _ => String::new(),
    })
}

/// An address at which nobody listens: a free port could be another test's by the time it is asked.
const NOBODY: &str = "http://127.0.0.1:1";

fn json(arguments: &[&str]) -> Value {
    let run = canaryctl(&[&["status", "--format", "json"], arguments].concat(), "");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn each_side_has_a_row_and_its_verdicts() {
    let url = envoy();
    let run = canaryctl(&["status", "--admin", &url], "");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let expected = "\
Totals since Envoy started, from URL

checkout
  side    weight   share     expected  requests  errors         95 %    p50    p90     p99
  stable    70 %  70.1 %  68.6-71.5 %    15,338  0.41 %  0.32-0.53 %  16 ms  40 ms   78 ms
  blue      20 %  20.1 %  18.7-21.3 %     4,365  0.39 %  0.24-0.62 %  16 ms  40 ms   84 ms
  canary    10 %  9.87 %  9.02-10.9 %     2,121  3.87 %  3.13-4.77 %  28 ms  76 ms  145 ms

  events    stable    blue  canary
  purchase  3.04 %  3.21 %  3.30 %

  all     split as expected, p = 0.97
  blue    errors 0.39 % vs 0.41 %: no difference seen, p = 0.62
  blue    p90 40 ms vs 40 ms: not much slower
  canary  errors 3.87 % vs 0.41 %: worse, p < 0.0001
  canary  p90 76 ms vs 40 ms: slower
";
    assert_eq!(run.stdout.replace(&url, "URL"), expected);
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 100));
}

/// What an Envoy says whose canary is watched: its guardrail's state, and thousandths of the
/// evidence's logarithm.
fn guarded(state: u64, milli: u64) -> String {
    serve(move |_, _| {
        let mut answer: Value = serde_json::from_str(ADMIN).unwrap();
        let all = answer["stats"].as_array_mut().unwrap();
        let mut add = |name: &str, value| all.push(json!({"name": name, "value": value}));
        for (variant, state, milli) in [("blue", 2, 0), ("canary", state, milli)] {
            let labels = format!("wasmcustom.rollout=.=checkout;.;variant=.={variant};.;");
            add(&format!("{labels}canary_guardrail_state"), state);
            for metric in ["all", "errors"] {
                add(&format!("{labels}metric=.={metric};.;canary_guardrail_log10_e_milli"), milli);
            }
        }
        add("server.uptime", 100);
        answer.to_string()
    })
}

#[test]
fn what_guardrails_say_stands_beside_what_the_figures_say() {
    let run = canaryctl(&["status", "--admin", &guarded(3, 1_300)], "");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let said: Vec<_> = run.stdout.lines().filter(|line| line.contains("guardrail: ")).collect();
    assert_eq!(
        [said[0], said[2]],
        ["  blue    guardrail: healthy", "  canary  guardrail: suspicious, E = 10^1.3, most from errors"]
    );
    for (line, end) in [(said[1], " min at 197/s (defaults)"), (said[3], " min at 175/s (defaults)")] {
        assert!(
            line.contains("  guardrail: finds a rise of errors from 1 % to 2 % in about ")
                && line.ends_with(end),
            "{line}"
        );
    }
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn a_canary_that_looks_bad_is_not_called_healthy() {
    let run = canaryctl(&["status", "--admin", &guarded(2, 400)], "");
    assert!(run.stdout.contains("  canary  errors 3.87 % vs 0.41 %: worse"), "{}", run.stdout);
    assert!(run.stdout.contains("  canary  guardrail: nothing proven, E = 10^0.4"), "{}", run.stdout);
}

#[test]
fn with_the_policy_what_is_needed_is_known() {
    let policy = json!({
        "version": 1,
        "identity": [{"header": "x-user-id"}],
        "rollouts": [{
            "name": "checkout",
            "baseline": {"name": "stable"},
            "variants": [{"name": "canary", "weight": 10}, {"name": "blue", "weight": 20}],
            "guardrail": {"errors": {}, "alpha": 0.01, "fleet_size": 10},
        }],
    });
    let url = guarded(3, 1_300);
    let with = |format: &str| {
        let arguments = ["status", "--admin", &url, "--policy", "-", "--format", format];
        canaryctl(&arguments, &policy.to_string())
    };
    let text = with("text").stdout;
    assert!(text.contains("E = 10^1.3 of 10^3.0 needed, most from errors"), "{text}");
    assert!(text.contains("--policy is not the policy that Envoy has"), "{text}");
    let report: Value = serde_json::from_str(&with("json").stdout).unwrap();
    let sides = report["rollouts"][0]["sides"].as_array().unwrap();
    let canary = sides.iter().find(|side| side["variant"] == "canary").unwrap();
    let stable = sides.iter().find(|side| side["variant"] == "stable").unwrap();
    assert!(stable["guardrail"].is_null());
    assert_eq!(canary["guardrail"]["state"], "suspicious");
    assert_eq!(
        (&canary["guardrail"]["log10_needed"], &canary["guardrail"]["log10_evidence"]["all"]),
        (&json!(3.0), &json!(1.3))
    );
    assert!(canary["guardrail"]["from_1_to_2_percent"]["seconds"].as_f64().unwrap() > 60.0, "{canary}");
}

#[test]
fn a_page_for_prometheus_says_the_same_as_the_admin() {
    let url = envoy();
    let [admin, page] = [json(&["--admin", &url]), json(&["--admin", &format!("{url}/stats/prometheus")])];
    assert_eq!(admin["rollouts"], page["rollouts"]);
    assert!(admin["rollouts"][0]["sides"][0]["latency_ms"]["p90"].as_f64().is_some());
}

#[test]
fn json_has_numbers_and_no_texts_for_them() {
    let report = json(&["--admin", &envoy()]);
    assert_eq!((report["figures_of"].as_str(), report["seconds"].is_null()), (Some("totals"), true));
    let rollout = &report["rollouts"][0];
    let canary = rollout["sides"].as_array().unwrap().iter().find(|it| it["variant"] == "canary").unwrap();
    assert_eq!((canary["requests"].as_u64(), canary["weight"].as_f64()), (Some(2_121), Some(0.1)));
    assert_eq!(canary["errors"]["count"], 82);
    assert!((canary["errors"]["ratio"].as_f64().unwrap() - 82.0 / 2_121.0).abs() < 1e-12);
    let findings = rollout["findings"].as_array().unwrap();
    let errors = findings.iter().find(|it| it["about"] == "errors" && it["variant"] == "canary").unwrap();
    assert!(errors["verdict"] == "worse" && errors["p"].as_f64().unwrap() < 1e-6, "{errors}");
}

#[test]
fn several_proxies_are_summed() {
    let [one, other] = [envoy(), envoy()];
    let run = canaryctl(&["status", "--admin", &one, "--admin", &other], "");
    let head = format!("Totals since Envoy started, from 2 proxies:\n  {one}, {other}\n");
    assert!(run.stdout.starts_with(&head), "{}", run.stdout);
    // Counters add up, weights do not.
    assert!(run.stdout.contains("  canary    10 %  9.87 %  9.30-10.7 %     4,242  3.87 %"), "{}", run.stdout);
}

#[test]
fn proxies_that_disagree_are_told() {
    let other = serve(|_, _| {
        ADMIN.replace("canary_weight_ppm\",\"value\":100000", "canary_weight_ppm\",\"value\":50000")
    });
    let run = canaryctl(&["status", "--admin", &envoy(), "--admin", &other], "");
    assert!(run.stdout.contains("  canary  proxies disagree: weight 5 to 10 %\n"), "{}", run.stdout);
}

#[test]
fn what_cannot_be_read_is_named_and_the_others_are_shown() {
    let one = envoy();
    let run = canaryctl(&["status", "--admin", &one, "--admin", NOBODY], "");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.starts_with(&format!("Totals since Envoy started, from 1 of 2 proxies:\n  {one}\n")));
    assert!(run.stdout.contains(&format!("\ncannot read {NOBODY}: connection refused")), "{}", run.stdout);
    assert!(run.stdout.contains("2,121"));
}

#[test]
fn with_nothing_read_there_is_nothing_to_show() {
    for watch in [&[][..], &["--watch"]] {
        let run = canaryctl(&[&["status", "--admin", NOBODY], watch].concat(), "");
        assert_eq!((run.code, run.stdout.as_str()), (2, ""));
        assert!(run.stderr.contains(&format!("cannot read {NOBODY}: connection refused")), "{}", run.stderr);
    }
    for (answer, why) in [("", "404"), ("<html>", "no JSON"), ("{}", "no `stats`")] {
        let url = serve(|_, _| answer.to_owned());
        let run = canaryctl(&["status", "--admin", &url], "");
        assert!(run.code == 2 && run.stderr.contains(why), "{answer}: {}", run.stderr);
    }
}

#[test]
fn an_envoy_without_the_filter_is_told() {
    let run = canaryctl(&["status", "--admin", &serve(|_, _| "{\"stats\":[]}".to_owned())], "");
    assert!(run.code == 0 && run.stdout.contains("no metrics of the filter"), "{}", run.stdout);
}

#[test]
fn one_rollout_can_be_asked_for() {
    let url = envoy();
    let run = canaryctl(&["status", "--admin", &url, "--rollout", "checkout"], "");
    assert!(run.code == 0 && run.stdout.contains("\ncheckout\n"), "{}", run.stdout);
    let run = canaryctl(&["status", "--admin", &url, "--rollout", "search"], "");
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert_eq!(run.stderr, "canaryctl: no rollout \"search\": Envoy has checkout\n");
}

#[test]
fn wrong_usage_is_told_before_anything_is_read() {
    for arguments in [
        &["--admin", "https://127.0.0.1:1"][..],
        &["--admin", "127.0.0.1:1"],
        &["--admin", "http://127.0.0.1:1", "--admin", "http://127.0.0.1:1/"],
        &["--admin", "http://127.0.0.1:1", "--interval", "2s"],
        &["--admin", "http://127.0.0.1:1", "--watch", "--interval", "100ms"],
    ] {
        let run = canaryctl(&[&["status"], arguments].concat(), "");
        assert!(run.code == 2 && !run.stderr.contains("cannot read"), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn help_has_examples_and_exit_codes() {
    let help = canaryctl(&["status", "--help"], "");
    assert!(help.stdout.contains("Examples") && help.stdout.contains("Exit codes"));
    assert!(help.stdout.lines().all(|line| line.len() < 100));
}

/// An Envoy whose every counter is higher by 1,000 each time, and that restarts before the third.
fn busy() -> String {
    serve(|number, _| {
        let mut answer: Value = serde_json::from_str(ADMIN).unwrap();
        for stat in answer["stats"].as_array_mut().unwrap() {
            if stat["name"].as_str().is_some_and(|name| name.ends_with("_total")) {
                let value = if number < 2 { stat["value"].as_u64().unwrap() } else { 0 };
                stat["value"] = (value + 1_000 * number).into();
            }
        }
        answer.to_string()
    })
}

/// A watch with a pipe at its end.
fn watch(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_canaryctl"))
        .args(["status", "--watch", "--interval", "500ms"])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[cfg(unix)]
#[test]
fn a_piped_watch_prints_block_after_block_until_it_is_interrupted() {
    let mut child = watch(&["--admin", &busy()]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut blocks = Vec::<String>::new();
    while blocks.len() < 5 {
        match lines.next().unwrap() {
            line if line.starts_with("--- ") => blocks.push(String::new()),
            line => blocks.last_mut().unwrap().extend([&*line, "\n"]),
        }
    }
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success() && child.wait().unwrap().success());
    assert!(!blocks.concat().contains('\u{1b}'));
    assert!(blocks[0].starts_with("Totals since Envoy started"));
    assert!(blocks[1].starts_with("Since the watch began") && blocks[1].contains(" 1,000 "), "{}", blocks[1]);
    // A restart adds nothing, and takes nothing away; then counting goes on.
    assert!(blocks[2].contains("restarted while watched") && blocks[2].contains(" 1,000 "), "{}", blocks[2]);
    assert!(blocks[3].contains(" 2,000 ") && blocks[3].contains("errors by interval"), "{}", blocks[3]);
}

#[test]
fn a_watch_for_programs_is_an_object_in_each_line() {
    let mut child = watch(&["--format", "json", "--admin", &busy()]);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().take(2);
    let objects: Vec<Value> = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!((&objects[0]["figures_of"], &objects[1]["figures_of"]), (&"totals".into(), &"window".into()));
    assert_eq!(objects[1]["rollouts"][0]["sides"][0]["requests"], 1_000);
}
