//! The configuration, the recording rules and the alerts.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::exported::Exported;
use crate::metric_names::metric_names;
use crate::promtool::Promtool;
use crate::{list, repository, string, text, yaml};

/// The files of rules.
pub(crate) const FILES: [&str; 2] =
    ["envoy/prometheus/rules/recording.yml", "envoy/prometheus/rules/alerts.yml"];

const RUNBOOK: &str = "docs/runbook.md";

/// Every rule of all files.
pub(crate) fn all() -> Vec<Value> {
    let files = FILES.map(yaml);
    let groups = files.iter().flat_map(|file| list(&file["groups"]));
    let rules: Vec<_> = groups.flat_map(|group| list(&group["rules"])).cloned().collect();
    assert!(rules.len() > 20);
    rules
}

/// The names of all alerts.
pub(crate) fn alerts() -> Vec<String> {
    let rules = all();
    let alerts = rules.iter().filter_map(|rule| rule["alert"].as_str());
    alerts.map(str::to_owned).collect()
}

/// The names of all series that rules record.
pub(crate) fn recorded() -> BTreeSet<String> {
    all().iter().filter_map(|rule| rule["record"].as_str()).map(str::to_owned).collect()
}

/// The sections of the runbook, as what stands behind the `#` of a link.
fn anchors() -> BTreeSet<String> {
    text(RUNBOOK).lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_lowercase).collect()
}

pub(crate) fn promtool_accepts_the_configuration(promtool: &Promtool) {
    // With the files of rules that it names.
    let configuration = repository("envoy/prometheus/prometheus.yml");
    let printed = promtool.run(&["check", "config"], &configuration).unwrap();
    let files = format!("{} rule files found", FILES.len());
    assert!(printed.contains(&files), "{printed}");
    for file in FILES {
        promtool.run(&["check", "rules"], &repository(file)).unwrap();
    }
}

/// The README says how to shorten windows, for a try.
pub(crate) fn promtool_accepts_the_rules_with_other_windows(promtool: &Promtool) {
    for file in FILES {
        let rules = text(file).replace("[5m]", "[15s]").replace("offset 5m", "offset 15s");
        promtool.check_rules(&rules.replace("for: 5m", "for: 15s")).unwrap();
    }
}

pub(crate) fn promtool_refuses_a_rule_that_does_not_parse(promtool: &Promtool) {
    for file in FILES {
        let printed = promtool.check_rules(&text(file).replacen("[5m]", "[5m", 1)).unwrap_err();
        assert!(printed.contains("could not parse expression"), "{printed}");
    }
}

pub(crate) fn every_alert_has_a_severity_a_summary_and_a_section_in_the_runbook() {
    let anchors = anchors();
    for rule in all().iter().filter(|rule| rule["alert"].is_string()) {
        let name = string(&rule["alert"]);
        assert!(["page", "ticket", "info"].contains(&string(&rule["labels"]["severity"])), "{name}");
        assert!(string(&rule["annotations"]["summary"]).len() > 20, "{name}");
        let anchor = name.to_lowercase();
        assert_eq!(string(&rule["annotations"]["runbook_url"]), format!("{RUNBOOK}#{anchor}"));
        assert!(anchors.contains(&anchor), "{RUNBOOK} has no section {name}");
    }
}

pub(crate) fn the_runbook_has_no_section_for_an_alert_that_is_gone() {
    let alerts: Vec<_> = alerts().iter().map(|alert| alert.to_lowercase()).collect();
    for anchor in anchors().iter().filter(|anchor| anchor.starts_with("canary")) {
        assert!(alerts.contains(anchor), "{anchor}");
    }
}

pub(crate) fn every_metric_in_a_rule_is_exported_or_recorded() {
    let (exported, recorded) = (Exported::read(), recorded());
    for rule in all() {
        for name in metric_names(string(&rule["expr"])) {
            assert!(exported.has(&name) || recorded.contains(&name), "{name} in {rule}");
        }
    }
}

/// By another rule or on the dashboard; what nobody reads only costs.
pub(crate) fn every_recorded_series_is_read() {
    let mut read = crate::dashboard::metrics();
    for rule in all() {
        let own = rule["record"].as_str().unwrap_or_default();
        read.extend(metric_names(string(&rule["expr"])).into_iter().filter(|name| name != own));
    }
    for name in recorded() {
        assert!(read.contains(&name), "{name}");
    }
}

/// A baseline is a side whose `canary_baseline` is 1, whatever it is called.
pub(crate) fn no_rule_knows_a_name() {
    for rule in all() {
        let expression: String = string(&rule["expr"]).split_whitespace().collect();
        for label in ["rollout", "variant", "instance", "job", "geo", "event", "plugin"] {
            for operator in ["=", "!=", "=~", "!~"] {
                assert!(!expression.contains(&format!("{label}{operator}\"")), "{rule}");
            }
        }
    }
}

pub(crate) fn the_readme_names_every_rule() {
    let readme = text("envoy/prometheus/README.md");
    for name in recorded().into_iter().chain(alerts()) {
        assert!(readme.contains(&format!("`{name}`")), "{name}");
    }
}

/// The command without what sends it to a cluster.
pub(crate) fn the_readmes_command_wraps_the_rules_for_the_operator() {
    let readme = text("envoy/prometheus/README.md");
    let block = readme.split("\n```\n").find(|block| block.contains("kind: PrometheusRule")).unwrap();
    let command = block.replace(" | kubectl apply -f -", "");
    assert_ne!(command, block);
    let output = Command::new("sh").args(["-ec", &command]).current_dir(repository(".")).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let resources: Vec<Value> = printed
        .split("\n---\n")
        .filter(|part| !part.is_empty())
        .map(|part| serde_saphyr::from_str(part).unwrap())
        .collect();
    assert_eq!(resources.len(), FILES.len());
    for (resource, file) in resources.iter().zip(FILES) {
        assert_eq!(resource["kind"], "PrometheusRule");
        assert_eq!(resource["spec"], yaml(file), "{file}");
    }
}
