//! `envoy/prometheus/tests`: what makes each alert fire, and what does not.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::promtool::Promtool;
use crate::{list, repository, rules, string, yaml};

const FOLDER: &str = "envoy/prometheus/tests";

fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(repository(FOLDER)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yml"));
    files.sort();
    assert!(files.len() > 5, "{files:?}");
    files
}

fn parsed() -> Vec<serde_json::Value> {
    let names = files();
    let names = names.iter().map(|file| file.file_name().unwrap().to_str().unwrap());
    names.map(|name| yaml(&format!("{FOLDER}/{name}"))).collect()
}

pub(crate) fn the_rules_fire_and_do_not_fire_as_their_tests_say(promtool: &Promtool) {
    for file in files() {
        promtool.run(&["test", "rules"], &file).unwrap_or_else(|printed| panic!("{printed}"));
    }
}

pub(crate) fn every_alert_is_tested_for_firing_and_for_not_firing() {
    let files = parsed();
    let tests = files.iter().flat_map(|file| list(&file["tests"]));
    let cases: Vec<_> = tests.flat_map(|test| list(&test["alert_rule_test"])).collect();
    for alert in rules::alerts() {
        let of_it = cases.iter().filter(|case| string(&case["alertname"]) == alert);
        let outcomes: BTreeSet<bool> = of_it.map(|case| !list(&case["exp_alerts"]).is_empty()).collect();
        assert_eq!(outcomes, BTreeSet::from([false, true]), "whether {alert} fires, in its tests");
    }
    for case in cases {
        // A misspelt name would never fire.
        assert!(rules::alerts().contains(&string(&case["alertname"]).to_owned()), "{case}");
    }
}

pub(crate) fn all_files_of_rules_are_tested() {
    for file in parsed() {
        let files: Vec<_> = list(&file["rule_files"]).iter().map(string).collect();
        assert_eq!(files, ["../rules/recording.yml", "../rules/alerts.yml"]);
        // Recording rules before the alerts that read them, and every group.
        let groups = rules::FILES.map(yaml);
        let groups = groups.iter().flat_map(|file| list(&file["groups"])).map(|group| &group["name"]);
        assert!(groups.eq(list(&file["group_eval_order"])));
    }
}
