//! Every metric that rules and dashboard read is one that Envoy exports.

use std::collections::BTreeSet;

use canary_lab::{Request, wait_until};
use serde_json::{Value, json};

use super::metric_names::metric_names;
use super::{flushing, server};
use crate::scene::{
    Head, PATIENCE, Scene, Upstream, bootstrap, envoy_with, rendered, repository, rollout, routed_to, user,
};

const DASHBOARDS: &str = "envoy/grafana/dashboards";

/// What Prometheus itself says.
const OF_PROMETHEUS: [&str; 2] = ["ALERTS", "up"];

const USERS: usize = 40;

pub(super) fn every_metric_that_is_read_is_exported() {
    let recorded = server::recorded();
    let mut wanted = BTreeSet::new();
    for expression in of_rules().iter().chain(&of_dashboards()) {
        wanted.append(&mut metric_names(expression));
    }
    wanted.retain(|name| !recorded.contains(name) && !OF_PROMETHEUS.contains(&name.as_str()));
    assert!(wanted.len() > 20 && wanted.contains("envoy_server_concurrency"), "{wanted:?}");

    let upstream = Upstream::answering(answer);
    let bootstrap = misrouting(&retrying(&routed_to(&flushing(&bootstrap()), upstream.port())));
    let scene = Scene::boot(envoy_with(bootstrap).ecds(rendered(&policy()).to_string()));
    scene.answers(USERS, |number| {
        // A token without a key to check it with.
        Request::get("/").header("x-user-id", user(number)).header("x-override", "1.2.3")
    });
    for number in 0..USERS {
        scene.ask(&Request::get("/bad").header("x-user-id", user(number)));
    }
    scene.load_bad("no JSON at all");

    let mut missing = wanted.clone();
    wait_until(PATIENCE, "all metrics", || {
        let text = scene.admin().prometheus()?;
        let exported: BTreeSet<_> = text.lines().filter_map(|line| line.split(['{', ' ']).next()).collect();
        missing.retain(|name| !exported.contains(name.as_str()));
        Ok(missing.is_empty().then_some(()))
    })
    .unwrap_or_else(|error| panic!("{error}: {missing:?} of {wanted:?}"));
}

fn of_rules() -> Vec<String> {
    server::shipped().iter().map(|rule| rule["expr"].as_str().unwrap().to_owned()).collect()
}

/// Every query: of panels, of annotations and of variables.
fn of_dashboards() -> Vec<String> {
    let mut expressions = Vec::new();
    for entry in std::fs::read_dir(repository(DASHBOARDS)).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        collect(&dashboard, &mut expressions);
        for variable in dashboard["templating"]["list"].as_array().unwrap() {
            // `label_values(expression, label)` is Grafana's.
            let query = variable["query"]["query"].as_str();
            let inner = query.and_then(|query| query.strip_prefix("label_values(")?.rsplit_once(','));
            expressions.extend(inner.map(|(expression, _)| expression.to_owned()));
        }
    }
    assert!(expressions.len() > 20);
    expressions
}

/// What stands under `expr`, anywhere.
fn collect(value: &Value, expressions: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            expressions.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|inner| collect(inner, expressions));
        }
        Value::Array(entries) => entries.iter().for_each(|inner| collect(inner, expressions)),
        _ => {}
    }
}

/// With all that has metrics of its own.
fn policy() -> String {
    let mut policy = rollout(
        50.0,
        &json!({
            "bucket_by": ["identity"],
            "load_reports": true,
            "events": [{"name": "signup", "response_header": "x-canary-event"}],
            "override": {"header": "x-override", "key_env": "NOBODY_SET_THIS_KEY"},
            "guardrail": {"errors": {}},
        }),
    );
    policy["geo"] = json!([{"header": "x-geo-country"}]);
    policy["segments"] = json!({"told-apart": {"geo": ["DE"]}});
    policy.to_string()
}

/// A load report and an event, or an error with a report that says nothing.
fn answer(head: &Head) -> String {
    let (status, headers) = match head.path() {
        "/bad" => ("599 Bad", "endpoint-load-metrics: nonsense\r\n"),
        _ => (
            "200 OK",
            "x-canary-event: signup\r\nendpoint-load-metrics: TEXT cpu_utilization=0.2,mem_utilization=0.3\r\n",
        ),
    };
    format!("HTTP/1.1 {status}\r\n{headers}content-length: 0\r\n\r\n")
}

/// A bootstrap that tries a 599 again.
fn retrying(bootstrap: &str) -> String {
    const STABLE: &str = "route: {cluster: checkout-v1}";
    assert!(bootstrap.contains(STABLE));
    let retry = "retry_policy: {retry_on: retriable-status-codes, retriable_status_codes: [599]}";
    bootstrap.replace(STABLE, &format!("route: {{cluster: checkout-v1, {retry}}}"))
}

/// A bootstrap whose route for the canary does not match what is stamped.
fn misrouting(bootstrap: &str) -> String {
    const CANARY: &str = "string_match: {exact: canary}";
    assert!(bootstrap.contains(CANARY));
    bootstrap.replace(CANARY, "string_match: {exact: canray}")
}
