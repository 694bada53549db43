//! `canaryctl validate`.

use canary_core::policy::Policy;

use crate::{FULL, canaryctl, examples};

#[test]
fn a_valid_policy_says_its_size_and_digest_on_one_line() {
    let run = canaryctl(&["validate", "-"], FULL);
    let digest = Policy::parse(FULL.as_bytes()).unwrap().digest;
    assert_eq!(run.code, 0);
    assert_eq!(
        run.stdout.lines().next().unwrap(),
        format!("stdin: valid: 1 rollout, 2 rules, digest {digest}")
    );
    assert_eq!(run.stderr, "");
}

#[test]
fn everything_that_is_believed_is_listed_with_its_use() {
    let run = canaryctl(&["validate", "-"], FULL);
    for line in [
        "  header x-user-id: identity",
        "  header x-geo-country: geo",
        "  header x-employee: rule checkout/employees",
        "  cookie uid: identity",
        "  query parameter uid: identity",
        "  jwt claim (not verified here) sub: identity",
        "  source address: identity",
    ] {
        assert!(run.stdout.lines().any(|printed| printed == line), "{line} in\n{}", run.stdout);
    }
    assert!(
        run.stdout.contains("in front of Envoy must remove these from what clients send and set them itself")
    );
}

#[test]
fn every_example_is_valid_and_named_as_it_was_given() {
    for path in examples() {
        let path = path.to_str().unwrap();
        let run = canaryctl(&["validate", path], "");
        assert_eq!(run.code, 0, "{path}: {}", run.stderr);
        assert!(run.stdout.starts_with(&format!("{path}: valid: ")));
    }
}

#[test]
fn an_empty_policy_is_valid_with_a_warning() {
    for nothing in ["", " \n\t "] {
        let run = canaryctl(&["validate", "-"], nothing);
        assert_eq!((run.code, run.stdout.as_str()), (0, "stdin: valid: 0 rollouts, 0 rules, digest 0\n"));
        assert!(run.stderr.contains("warning"), "{}", run.stderr);
    }
}

#[test]
fn every_problem_of_a_bad_policy_is_a_line_of_stderr_in_the_words_of_the_core() {
    let bad = FULL
        .replace("\"weight\": 25", "\"weight\": 120, \"wieght\": 1")
        .replace("\"variant\": \"canary\"", "\"variant\": \"canaries\"")
        .replace("\"version\": 1", "\"version\": 2")
        .replace("[\"DE\", \"AT\", \"CH\"]", "[\"DE\", \"Germany!\", \"DE\"]");
    let problems = Policy::parse(bad.as_bytes()).unwrap_err();
    let mut expected: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(expected.len() >= 6, "{expected:#?}");
    expected.push(format!("stdin: {} problems", problems.len()));
    for command in [&["validate", "-"][..], &["explain", "-"], &["render", "-", "--to", "ecds"]] {
        let run = canaryctl(command, &bad);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{command:?}");
        assert_eq!(run.stderr.lines().collect::<Vec<_>>(), expected, "{command:?}");
    }
    let weight = "rollouts[0].variants[0].weight: must be between 0 and 100, got 120";
    assert!(expected.iter().any(|line| line == weight), "{expected:#?}");
}

#[test]
fn what_is_no_json_is_a_problem_and_no_crash() {
    for text in ["{", "[]", "null", "\u{feff}{}", "{\"version\": 1e999}", &"[".repeat(100_000)] {
        let run = canaryctl(&["validate", "-"], text);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{}", run.stderr);
        assert_eq!(run.stderr.lines().last(), Some("stdin: 1 problem"), "{}", run.stderr);
    }
}
