//! What each feature and each figure adds to a request of the bare policy, in counts that no noise touches.

use anyhow::Result;
use serde_json::{Value, json};

use crate::calls::{Counts, REQUESTS, count};
use crate::contender::{ALL_FEATURES, BARE};
use crate::settings::Settings;

/// Prints one line for each feature.
pub(crate) fn print(settings: &Settings) -> Result<()> {
    let bare = count(&settings.filter, BARE)?;
    println!("\nwhat each adds to the basic policy without figures, per request");
    println!("{:<38}{:>14}{:>12}{:>12}", "", "instructions", "host calls", "VM entries");
    for (name, policy) in policies()? {
        let counts = count(&settings.filter, &policy)?;
        let [fuel, calls, entries] =
            [(counts.fuel, bare.fuel), (calls(&counts), calls(&bare)), (counts.entries, bare.entries)]
                .map(|(with, without)| per_request(with) - per_request(without));
        println!("{name:<38}{fuel:>+14.0}{calls:>+12.2}{entries:>+12.2}");
    }
    Ok(())
}

fn calls(counts: &Counts) -> u64 {
    counts.calls.values().sum()
}

fn per_request(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::NAN, f64::from) / f64::from(REQUESTS)
}

/// The bare policy with one feature each, and the policy that has all of them.
fn policies() -> Result<Vec<(&'static str, String)>> {
    let steps = json!([{"from": "2026-01-01T09:00:00+01:00", "weights": {"canary": 5}},
        {"from": "2036-01-01T09:00:00+01:00", "weights": {"canary": 10}}]);
    let pinned =
        |segment: &str| json!({"rules": [{"name": "x", "when": {"segment": segment}, "variant": "canary"}]});
    let ids: Vec<String> = (0..10_000).map(|id| format!("id-{id}")).collect();
    let hashes: Vec<String> = (0..10_000).map(|id| format!("{id:016x}")).collect();
    let features = [
        ("a segment of 10,000 identities", json!({"segments": {"s": {"identity": ids}}}), pinned("s")),
        ("a segment of 10,000 hashes", json!({"segments": {"s": {"identity_hashes": hashes}}}), pinned("s")),
        ("a segment by source address", json!({"segments": {"s": {"source": ["10.0.0.0/8"]}}}), pinned("s")),
        (
            "four ignored identities",
            json!({"ignore_identities": ["null", "undefined", "-", "anonymous"]}),
            json!({}),
        ),
        ("a schedule", json!({}), json!({"schedule": {"steps": steps}})),
        (
            "an override, no token",
            json!({}),
            json!({"override": {"header": "x-deployment-override",
            "cookie": "deployment-override", "query": "__variant", "key_env": "KEY"}}),
        ),
        ("a visitor's cookie, not needed", json!({}), json!({"anonymous": {"cookie": {}}})),
        (
            "a flag",
            json!({}),
            json!({"flags": [{"name": "f", "variants": ["stable", "canary"], "percent": 20}]}),
        ),
        ("observe", json!({}), json!({"observe": true})),
        ("an exclusion by path", json!({"exclude": {"path_prefixes": ["/healthz"]}}), json!({})),
        ("baggage", json!({"stamp": {"baggage": true}}), json!({})),
        ("the decision's parts in the log", json!({"stamp": {"filter_state_fields": true}}), json!({})),
        ("a guardrail", json!({}), json!({"guardrail": {"errors": {}, "latency": {}}})),
        ("figure: durations", json!({"stats": only("durations")}), json!({})),
        ("figure: retries", json!({"stats": only("retries")}), json!({})),
        ("figure: routes", json!({"stats": only("routes")}), json!({})),
        ("figure: splits", json!({"stats": only("splits")}), json!({})),
        ("figure: streams", json!({"stats": only("streams")}), json!({})),
        (
            "figure: geos",
            json!({"stats": only("geos"), "geo": [{"header": "x-geo-country"}], "segments": {"s": {"geo": ["DE", "FR", "US"]}}}),
            json!({"bucket_by": ["identity"]}),
        ),
        (
            "an event by request and status",
            json!({}),
            json!({"events": [{"name": "e", "when": {"methods": ["GET"], "path_prefixes": ["/"], "status": ["2xx"]}}]}),
        ),
        (
            "events by header, none named",
            json!({}),
            json!({"events": [{"name": "e", "response_header": "x-canary-event"}]}),
        ),
        ("load reports, none sent", json!({}), json!({"load_reports": true})),
    ];
    let mut policies = Vec::new();
    for (name, top, rollout) in features {
        let mut policy: Value = serde_json::from_str(BARE)?;
        merge(&mut policy, top);
        if let Some(first) = policy.pointer_mut("/rollouts/0") {
            merge(first, rollout);
        }
        policies.push((name, policy.to_string()));
    }
    policies.push(("all of them, and geo", ALL_FEATURES.to_owned()));
    Ok(policies)
}

/// The bare policy's switches, but for this one.
fn only(figure: &str) -> Value {
    let off = ["durations", "geos", "retries", "routes", "splits", "streams"];
    let switches = off.into_iter().filter(|name| *name != figure).map(|name| (name.to_owned(), json!(false)));
    Value::Object(switches.collect())
}

fn merge(into: &mut Value, fields: Value) {
    if let (Some(into), Value::Object(fields)) = (into.as_object_mut(), fields) {
        into.extend(fields);
    }
}
