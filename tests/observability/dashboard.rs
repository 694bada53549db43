//! The dashboard: each query parses, and asks for something that there is.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::exported::Exported;
use crate::metric_names::metric_names;
use crate::promtool::Promtool;
use crate::{list, repository, rules, string, yaml};

const FILE: &str = "envoy/grafana/dashboards/canary.json";

/// What Grafana puts in for a variable, for one value.
const VARIABLES: [(&str, &str); 4] =
    [("$__rate_interval", "1m"), ("$__range", "1h"), ("$rollout", "shop.web"), ("$geo", "DE")];

/// Not asked of any proxy: what Prometheus says of its alerts.
const OF_PROMETHEUS: &str = "ALERTS";

/// Every query: of panels, of annotations and of variables.
fn queries() -> Vec<String> {
    let dashboard = yaml(FILE);
    let panels = list(&dashboard["panels"]).iter();
    let targets = panels.flat_map(|panel| list(&panel["targets"])).map(|target| string(&target["expr"]));
    let annotations = list(&dashboard["annotations"]["list"]).iter().map(|one| string(&one["expr"]));
    let variables = list(&dashboard["templating"]["list"]).iter();
    let variables = variables.filter_map(|variable| variable["query"]["query"].as_str());
    // `label_values(expression, label)` is Grafana's.
    let variables = variables.map(|query| {
        let inner = query.strip_prefix("label_values(").unwrap_or_else(|| panic!("{query}"));
        inner.rsplit_once(',').unwrap().0
    });
    let queries = targets.chain(annotations).chain(variables).map(substituted);
    let queries: Vec<_> = queries.collect();
    assert!(queries.len() > 20);
    queries
}

fn substituted(query: &str) -> String {
    let put_in = |query: String, (name, value): (&str, &str)| query.replace(name, value);
    let query = VARIABLES.into_iter().fold(query.to_owned(), put_in);
    assert!(!query.contains('$'), "an unknown variable: {query}");
    query
}

/// Every series that the dashboard reads.
pub(crate) fn metrics() -> BTreeSet<String> {
    queries().iter().flat_map(|query| metric_names(query)).collect()
}

pub(crate) fn every_query_parses(promtool: &Promtool) {
    let rules: Vec<_> = queries()
        .iter()
        .enumerate()
        .map(|(number, query)| json!({"record": format!("query:{number}"), "expr": query}))
        .collect();
    let count = format!("{} rules found", rules.len());
    // JSON is YAML.
    let file = json!({"groups": [{"name": "dashboard", "rules": rules}]});
    let printed = promtool.check_rules(&file.to_string()).unwrap();
    assert!(printed.contains(&count), "{printed}");
}

pub(crate) fn every_metric_in_a_query_is_exported_or_recorded() {
    let (exported, recorded) = (Exported::read(), rules::recorded());
    for name in metrics().iter().filter(|name| *name != OF_PROMETHEUS) {
        assert!(exported.has(name) || recorded.contains(name), "{name}");
    }
}

/// Itself, or in a rule that the dashboard or an alert reads.
pub(crate) fn every_exported_metric_is_on_the_dashboard() {
    let mut seen = metrics();
    seen.extend(rules::all().iter().flat_map(|rule| metric_names(string(&rule["expr"]))));
    // What a feature does to users is a matter of the services that ask for it.
    let left_out = ["canary_flag_evaluations_total"];
    assert_eq!(Exported::read().without(&seen), left_out);
}

pub(crate) fn every_panel_says_what_it_shows() {
    let dashboard = yaml(FILE);
    for panel in list(&dashboard["panels"]).iter().filter(|panel| panel["type"] != "row") {
        let title = string(&panel["title"]);
        assert!(string(&panel["description"]).len() > 10, "{title}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let unit = |part: &Value| part.to_string().contains("\"unit\"");
        assert!(unit(&panel["fieldConfig"]), "{title}");
    }
}

pub(crate) fn rollout_and_geo_are_variables_and_panels_are_apart() {
    let dashboard = yaml(FILE);
    let names: Vec<_> =
        list(&dashboard["templating"]["list"]).iter().map(|variable| string(&variable["name"])).collect();
    assert_eq!(names, ["datasource", "rollout", "geo"]);
    let mut taken = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in list(&dashboard["panels"]) {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24);
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "{} lies over another", panel["title"]);
            }
        }
    }
}

pub(crate) fn the_provisioning_finds_the_dashboard() {
    let provider = yaml("envoy/grafana/provisioning/dashboards/canary.yml");
    let path = string(&provider["providers"][0]["options"]["path"]);
    let readme = std::fs::read_to_string(repository("envoy/grafana/README.md")).unwrap();
    assert!(readme.contains(&format!("/envoy/grafana/dashboards:{path}")));
    let source = yaml("envoy/grafana/provisioning/datasources/prometheus.yml");
    let source = &source["datasources"][0];
    assert_eq!(source["type"], "prometheus");
    let scraped = yaml("envoy/prometheus/prometheus.yml");
    assert_eq!(source["jsonData"]["timeInterval"], scraped["global"]["scrape_interval"]);
}
