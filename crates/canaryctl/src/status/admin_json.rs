//! The answer of Envoy's admin to `/stats?format=json&histogram_buckets=cumulative`.
//!
//! Labels stand in the names there:
//! `wasmcustom.rollout=.=checkout;.;variant=.=canary;.;canary_requests_total`.

use anyhow::{Context, Result};
use serde_json::Value;

use super::histogram::Histogram;
use super::snapshot::{Labels, Snapshot, is_shown};

/// Where Envoy keeps the metrics that a Wasm module defines.
const PREFIX: &str = "wasmcustom.";

/// How long Envoy has run, in seconds.
const UPTIME: &str = "server.uptime";

/// Reads what the filter counted; everything else is passed over.
pub(super) fn parse(text: &str) -> Result<Snapshot> {
    let answer: Value = serde_json::from_str(text).context("its stats are no JSON: is it Envoy's admin?")?;
    let stats = answer.get("stats").and_then(Value::as_array).context("there are no `stats` in the JSON")?;
    let mut snapshot = Snapshot::default();
    for stat in stats {
        if stat.get("name").and_then(Value::as_str) == Some(UPTIME) {
            stat.get("value")
                .and_then(Value::as_u64)
                .into_iter()
                .for_each(|seconds| snapshot.add_uptime(seconds));
        }
        if let Some((metric, labels)) = name(stat) {
            let value = stat.get("value").and_then(Value::as_u64);
            snapshot.add(metric, labels, value.with_context(|| format!("{metric} has no whole number"))?);
        }
        // All histograms stand in one entry, which has no name.
        let histograms = stat.get("histograms").and_then(Value::as_array);
        for histogram in histograms.into_iter().flatten() {
            if let Some((metric, labels)) = name(histogram) {
                let buckets = buckets(histogram).with_context(|| format!("{metric} has no buckets"))?;
                snapshot.add_histogram(metric, labels, &buckets);
            }
        }
    }
    Ok(snapshot)
}

/// A metric of the filter's and its labels.
fn name(stat: &Value) -> Option<(&str, Labels)> {
    let mut pieces: Vec<_> = stat.get("name")?.as_str()?.strip_prefix(PREFIX)?.split(";.;").collect();
    let metric = pieces.pop().filter(|metric| is_shown(metric))?;
    let pairs = pieces.into_iter().map(|piece| piece.split_once("=.="));
    let labels = pairs.map(|pair| pair.map(|(name, value)| (name.to_owned(), value.to_owned())));
    Some((metric, labels.collect::<Option<_>>()?))
}

/// Envoy does not say how many lie above the last bound, which is an hour.
fn buckets(histogram: &Value) -> Option<Histogram> {
    let buckets = histogram.get("buckets")?.as_array()?.iter().map(|bucket| {
        let bound = bucket.get("upper_bound")?.as_f64()?;
        Some((bound, bucket.get("cumulative")?.as_u64()?))
    });
    Some(Histogram::new(buckets.collect::<Option<_>>()?, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From Envoy 1.40.
    const ANSWER: &str = r#"{"stats":[
        {"name":"server.live","value":1},
        {"name":"wasmcustom.canary_policy_info","value":4041979505122018},
        {"name":"wasmcustom.rollout=.=checkout;.;reason=.=SPLIT;.;canary_decisions_total","value":12},
        {"name":"wasmcustom.rollout=.=checkout;.;variant=.=canary;.;code_class=.=2xx;.;canary_responses_total","value":3},
        {"histograms":[
            {"name":"cluster.v1.upstream_rq_time","buckets":[]},
            {"name":"wasmcustom.rollout=.=checkout;.;variant=.=canary;.;canary_request_duration_ms","buckets":[
                {"upper_bound":0.5,"interval":1,"cumulative":2},
                {"upper_bound":3e+05,"interval":1,"cumulative":3}]}]}]}"#;

    #[test]
    fn labels_are_read_out_of_names() {
        let snapshot = parse(ANSWER).unwrap();
        let labels = [("rollout", "checkout"), ("variant", "canary"), ("code_class", "2xx")];
        assert_eq!(snapshot.count("canary_responses_total", &labels), 3);
        assert_eq!(snapshot.gauge("canary_policy_info", &[]).unwrap().most, 4_041_979_505_122_018);
        let histogram = snapshot.histogram("canary_request_duration_ms", &labels[..2]).unwrap();
        assert_eq!(*histogram, Histogram::new(vec![(0.5, 2), (300_000.0, 3)], 3));
    }

    #[test]
    fn what_is_not_from_an_admin_is_told() {
        for text in ["<html>", "{}", r#"{"stats":[{"name":"wasmcustom.canary_weight_ppm","value":-1}]}"#] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
