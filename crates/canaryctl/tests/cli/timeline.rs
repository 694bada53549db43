//! `canaryctl timeline`. Schedules are in 2090, so that today's date is before all of them.

use std::io::Write;
use std::process::{Command, Stdio};

use canary_core::policy::Policy;
use canaryctl::clock;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{FULL, Run, canaryctl, root};

/// Two variants of which one follows a schedule; the 2nd of June 2090 is a Friday.
const SMALL: &str = r#"{
  "version": 1,
  "geo": [{"header": "x-geo-country"}],
  "rollouts": [{
    "name": "checkout",
    "release": "v2",
    "baseline": {"name": "stable"},
    "variants": [{"name": "fast", "weight": 12.5}, {"name": "canary"}],
    "schedule": {
      "steps": [
        {"from": "2090-05-31T09:00:00+02:00", "weights": {"canary": 1}},
        {"from": "2090-06-02T09:00:00+02:00", "weights": {"canary": 5}},
        {"from": "2090-06-08T17:00:00+02:00", "weights": {"canary": 50}}
      ],
      "windows": [{"days": ["mon", "tue", "wed", "thu"], "from": "09:00", "to": "16:00", "timezone": "Europe/Berlin"}],
      "freezes": [{"from": "2090-06-09T00:00:00+02:00", "to": "2090-06-20T12:00:00+02:00", "reason": "fair"}]
    },
    "rules": [
      {"name": "pinned", "when": {"geo": ["AT"]}, "variant": "canary"},
      {"name": "flat", "when": {"geo": ["CH"]}, "weights": {"canary": 2}},
      {"name": "nz-first", "when": {"geo": ["NZ"]}, "schedule": {"steps": [{"from": "2090-05-01T00:00:00Z", "weights": {"canary": 80}}]}}
    ]
  }]
}"#;

/// Runs `canaryctl timeline -` in a locale.
fn timeline(policy: &str, options: &[&str], locale: &str) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_canaryctl"))
        .args(["timeline", "-"])
        .args(options)
        .current_dir(root())
        .env("LC_ALL", locale)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(policy.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// What is printed in plain ASCII.
fn text(policy: &str, options: &[&str]) -> String {
    let run = timeline(policy, options, "C");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.is_ascii());
    run.stdout
}

/// A policy whose one variant has these weights from these instants on.
fn steps(steps: &[(&str, f64)]) -> String {
    let steps: Vec<_> =
        steps.iter().map(|(from, weight)| json!({"from": from, "weights": {"canary": weight}})).collect();
    json!({
        "version": 1,
        "rollouts": [{
            "name": "checkout",
            "baseline": {"name": "stable"},
            "variants": [{"name": "canary"}],
            "schedule": {"steps": steps},
        }],
    })
    .to_string()
}

/// The rows of a chart's only band, from the top, without what stands on their left.
fn cells(chart: &str, side: char) -> Vec<Vec<char>> {
    let rows = chart.lines().filter_map(|line| line.split_once(side));
    rows.map(|(_, cells)| cells.chars().collect()).collect()
}

#[test]
fn each_instant_at_which_weights_change_is_a_line_of_a_table() {
    // Friday's step waits for Monday, and Thursday's, an hour late, for Monday's window and
    // then for the freeze to end.
    let table = "\
checkout (release v2)
  from                   stable    fast  canary
  before the first step  87.5 %  12.5 %     0 %  <- now
  2090-05-31T07:00:00Z   86.5 %  12.5 %     1 %  to come
  2090-06-05T07:00:00Z   82.5 %  12.5 %     5 %  to come
  2090-06-20T10:00:00Z   37.5 %  12.5 %    50 %  to come

  rule nz-first
  from                   stable    fast  canary
  before the first step  87.5 %  12.5 %     0 %  <- now
  2090-05-01T00:00:00Z    7.5 %  12.5 %    80 %  to come

";
    let text = text(SMALL, &["--from", "2090-04-30T00:00:00Z"]);
    assert!(text.starts_with(table), "{text}");
    assert!(!text.contains("rule pinned") && !text.contains("rule flat"), "{text}");
}

#[test]
fn past_and_future_meet_in_one_marked_line() {
    let at = |days: i64| Timestamp::from_second(clock::now() + days * 86_400).unwrap().to_string();
    let instants = [-9, -1, 1, 9].map(at);
    let policy: Vec<_> = instants.iter().map(String::as_str).zip([1.0, 5.0, 10.0, 50.0]).collect();
    let text = text(&steps(&policy), &[]);
    let whens: Vec<_> = text.lines().skip(2).take(5).map(|line| line.rsplit("%  ").next().unwrap()).collect();
    assert_eq!(whens, ["past", "past", "<- now", "to come", "to come"], "{text}");
    assert_eq!(text.lines().last(), Some("          ^ now"), "the chart begins now: {text}");
    // In the middle of the 60 columns, a moment later.
    let from = &instants[0];
    let text = self::text(&steps(&policy), &["--from", from, "--days", "18"]);
    let (before, _) = text.lines().last().unwrap().split_once("^ now").unwrap();
    assert_eq!(before.len(), 10 + 30, "{text}");
}

#[test]
fn a_step_is_drawn_from_its_column_on() {
    // 60 columns of a day each.
    let span = ["--from", "2090-01-01T00:00:00Z", "--days", "60"];
    for (first, column) in
        [("2090-02-15T00:00:00Z", 45), ("2090-02-14T23:59:59Z", 44), ("2090-02-15T23:59:59Z", 45)]
    {
        let text = text(&steps(&[(first, 50.0)]), &span);
        let cells = cells(&text, '|');
        assert_eq!(cells.len(), 10, "{text}");
        for row in &cells {
            let expected = format!("{}{}", " ".repeat(column), "#".repeat(60 - column));
            assert_eq!(row.iter().collect::<String>(), expected, "{first}\n{text}");
        }
    }
    let text = text(&steps(&[("2090-02-15T00:00:00Z", 50.0)]), &span);
    let ends = "          2090-01-01T00:00:00Z                    2090-03-02T00:00:00Z";
    assert_eq!(text.lines().last(), Some(ends), "now is not in it");
    assert!(text.lines().all(|line| line.len() <= 72), "{text}");
    let scale = |end: &str| text.lines().any(|line| line.starts_with(end));
    assert!(scale("    50 % |") && scale("    25 % |") && scale("     0 % +"), "{text}");
}

#[test]
fn heights_go_by_weight_in_eighths_of_a_row_where_the_terminal_can_show_them() {
    let policy = steps(&[
        ("2090-01-11T00:00:00Z", 0.01),
        ("2090-01-21T00:00:00Z", 5.0),
        ("2090-01-31T00:00:00Z", 25.0),
        ("2090-02-10T00:00:00Z", 100.0),
    ]);
    let options = ["--from", "2090-01-01T00:00:00Z", "--days", "60"];
    let run = timeline(&policy, &options, "de_DE.UTF-8");
    let cells = cells(&run.stdout, '│');
    assert_eq!(cells.len(), 10, "{}", run.stdout);
    let column = |place: usize| -> String {
        cells.iter().rev().map(|row| row.get(place).copied().unwrap_or(' ')).collect()
    };
    assert_eq!(column(9).trim_end(), "");
    assert_eq!(column(10).trim_end(), "▁", "whoever has some users is seen");
    assert_eq!(column(20).trim_end(), "▄");
    assert_eq!(column(30).trim_end(), "██▄");
    assert_eq!(column(40), "█".repeat(10));
}

#[test]
fn each_variant_that_changes_has_a_band_under_its_name() {
    let text = text(SMALL, &["--from", "2090-04-30T00:00:00Z"]);
    let legends: Vec<_> = text.lines().filter(|line| line.starts_with("          c")).collect();
    assert_eq!(legends, ["          canary", "          canary, rule nz-first"], "{text}");
    // The last change, and a twentieth of the time until then.
    assert!(text.trim_end().ends_with("2090-06-22T23:42:00Z"), "{text}");
}

#[test]
fn a_variant_that_is_rolled_back_is_marked() {
    let state = "\"state\": {\"checkout\": {\"rolled_back\": [\"canary\"]}}, \"rollouts\"";
    let text = text(&SMALL.replace("\"rollouts\"", state), &["--from", "2090-04-30T00:00:00Z"]);
    assert!(text.contains("stable    fast  canary (rolled back)\n"), "{text}");
    assert!(text.contains("\n          canary (rolled back)\n"), "{text}");
}

#[test]
fn where_nothing_changes_a_sentence_stands_in_place_of_the_chart() {
    let one = steps(&[("2090-02-15T00:00:00Z", 50.0)]);
    let replaced = "\"state\": {\"checkout\": {\"weights\": {\"canary\": 3}}}, \"rollouts\"";
    let replaced = one.replace("\"rollouts\"", replaced);
    for (policy, options, sentence) in [
        (
            &one,
            &["--from", "2090-02-15T00:00:00Z"][..],
            "No weight changes after 2090-02-15T00:00:00Z, so there is no chart.",
        ),
        (
            &one,
            &["--from", "2090-02-13T00:00:00Z", "--days", "2"],
            "No weight changes from 2090-02-13T00:00:00Z to 2090-02-15T00:00:00Z, so there is no chart; \
             the next change is at 2090-02-15T00:00:00Z.",
        ),
        (&replaced, &[], "No weight changes, so there is no chart."),
    ] {
        let text = text(policy, options);
        assert_eq!(text.lines().last(), Some(sentence), "{text}");
        assert_eq!(text.lines().filter(|line| line.ends_with("<- now")).count(), 1, "{text}");
    }
    assert!(text(&replaced, &[]).contains("\n  always    97 %     3 %  <- now\n"));
}

#[test]
fn without_a_schedule_there_is_nothing_to_show() {
    for policy in [FULL, ""] {
        assert_eq!(text(policy, &[]), "no rollout has a schedule\n");
        assert_eq!(text(policy, &["--format", "json"]), "{\"rollouts\":[]}\n");
    }
    assert_eq!(text(FULL, &["--rollout", "checkout"]), "rollout checkout has no schedule\n");
}

#[test]
fn one_rollout_can_be_asked_for_and_must_be_there() {
    let mut both: Value = serde_json::from_str(SMALL).unwrap();
    let mut other = both["rollouts"][0].clone();
    other["name"] = "search".into();
    other["match"] = json!({"path_prefixes": ["/search"]});
    both["rollouts"].as_array_mut().unwrap().push(other);
    let both = both.to_string();
    let heads = |text: String| {
        text.lines().filter(|line| line.ends_with("(release v2)")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(heads(text(&both, &[])), ["checkout (release v2)", "search (release v2)"]);
    assert_eq!(heads(text(&both, &["--rollout", "search"])), ["search (release v2)"]);
    for format in ["text", "json"] {
        let run = timeline(&both, &["--rollout", "serach", "--format", format], "C");
        assert_eq!((run.code, run.stdout.as_str()), (2, ""));
        assert_eq!(run.stderr, "canaryctl: no rollout \"serach\": the policy has checkout, search\n");
    }
}

#[test]
fn json_has_all_changes_whatever_the_chart_shows() {
    let run = timeline(SMALL, &["--format", "json", "--from", "2095-01-01T00:00:00Z"], "C");
    let change = |from: Option<&str>, stable: f64, canary: f64| {
        let weights = json!({"stable": stable, "fast": 12.5, "canary": canary});
        json!({"from": from, "weights": weights})
    };
    let expected = json!({"rollouts": [{
        "rollout": "checkout",
        "release": "v2",
        "changes": [
            change(None, 87.5, 0.0),
            change(Some("2090-05-31T07:00:00Z"), 86.5, 1.0),
            change(Some("2090-06-05T07:00:00Z"), 82.5, 5.0),
            change(Some("2090-06-20T10:00:00Z"), 37.5, 50.0),
        ],
        "rules": [{
            "rule": "nz-first",
            "changes": [change(None, 87.5, 0.0), change(Some("2090-05-01T00:00:00Z"), 7.5, 80.0)],
        }],
    }]});
    assert_eq!(serde_json::from_str::<Value>(&run.stdout).unwrap(), expected);
    let run = timeline(&steps(&[("2090-02-15T00:00:00Z", 50.0)]), &["--format", "json"], "C");
    let bare: Value = serde_json::from_str(&run.stdout).unwrap();
    let bare = &bare["rollouts"][0];
    assert_eq!((&bare["release"], &bare["rules"]), (&Value::Null, &json!([])));
}

#[test]
fn the_problems_of_a_bad_policy_are_those_that_validate_prints() {
    let bad = SMALL.replace("\"canary\": 50", "\"canary\": 90");
    let problems = Policy::parse(bad.as_bytes()).unwrap_err();
    let run = timeline(&bad, &[], "C");
    assert_eq!((run.code, run.stdout.as_str()), (1, ""));
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(run.stderr, format!("{}\nstdin: 1 problem\n", lines.join("\n")));
    assert_eq!(canaryctl(&["timeline", "no/such/policy.json"], "").code, 2);
}

#[test]
fn a_reader_who_has_left_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_canaryctl"))
        .args(["timeline", "envoy/policies/phased.json"])
        .current_dir(root())
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn the_example_is_whole_before_its_freeze_with_one_country_ahead() {
    let run = canaryctl(&["timeline", "envoy/policies/phased.json", "--format", "json"], "");
    let json: Value = serde_json::from_str(&run.stdout).unwrap();
    let rollout = &json["rollouts"][0];
    let changes = |value: &Value| -> Vec<(String, f64)> {
        let changes = value["changes"].as_array().unwrap().iter().skip(1);
        let change = |change: &Value| {
            let from = change["from"].as_str().unwrap().to_owned();
            (from, change["weights"]["canary"].as_f64().unwrap())
        };
        changes.map(change).collect()
    };
    let all = changes(rollout);
    let weights: Vec<_> = all.iter().map(|(_, weight)| *weight).collect();
    assert_eq!(weights, [1.0, 5.0, 10.0, 25.0, 50.0, 100.0], "no step is lost to another");
    assert_eq!(all[3].0, "2026-12-07T08:00:00Z", "Friday's waits for Monday");
    assert!(all[5].0.as_str() < "2026-12-17T23:00:00Z", "{all:?}");
    let ahead = changes(&rollout["rules"][0]);
    assert!(ahead.last().unwrap().0 < all[0].0, "{ahead:?}");
}
