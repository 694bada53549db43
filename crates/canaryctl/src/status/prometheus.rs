//! Prometheus' text format, as far as Envoy and Istio's agent write it.

use std::collections::BTreeMap;
use std::str::Chars;

use anyhow::{Context, Result, bail};

use super::histogram::Histogram;
use super::snapshot::{Labels, Snapshot, is_shown};

/// Every rollout has these: where they do not begin a line, labels stand before them.
const NAMED: [&str; 2] = ["canary_requests_total", "canary_weight_ppm"];
const NO_PAGE: &str = "this is no page for Prometheus: give the admin without a path";
const NO_LABELS: &str = "labels stand in the names: this Envoy lacks the stats_tags of envoy/envoy.yaml";

/// Buckets while they are gathered: each is a line of its own.
type Buckets = BTreeMap<(String, Labels), Vec<(f64, u64)>>;

/// Reads what the filter counted; everything else is passed over, unread.
pub(super) fn parse(text: &str) -> Result<Snapshot> {
    let mut snapshot = Snapshot::default();
    let mut histograms = Buckets::new();
    for line in text.lines() {
        if let Some(uptime) = line.strip_prefix("envoy_server_uptime") {
            // With labels or without.
            let value = uptime.rsplit('}').next().and_then(|rest| rest.split_whitespace().next());
            value.and_then(|value| count(value).ok()).into_iter().for_each(|it| snapshot.add_uptime(it));
        } else if line.starts_with("canary_") {
            read(line, &mut snapshot, &mut histograms).with_context(|| format!("cannot read {line:?}"))?;
        } else if !line.starts_with('#') && NAMED.iter().any(|metric| line.contains(metric)) {
            bail!(if line.contains("=.=") { NO_PAGE } else { NO_LABELS });
        }
    }
    for ((metric, labels), buckets) in histograms {
        let all = buckets.iter().find(|(bound, _)| bound.is_infinite()).map_or(0, |(_, count)| *count);
        snapshot.add_histogram(&metric, labels, &Histogram::new(buckets, all));
    }
    Ok(snapshot)
}

fn read(line: &str, snapshot: &mut Snapshot, histograms: &mut Buckets) -> Result<()> {
    let end = line.find(|it: char| it == '{' || it.is_whitespace()).context("there is no value")?;
    let (name, rest) = line.split_at(end);
    let bucket = name.strip_suffix("_bucket").filter(|metric| is_shown(metric));
    if bucket.is_none() && !is_shown(name) {
        return Ok(());
    }
    let (mut labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Labels::new(), rest),
    };
    // A timestamp may follow.
    let value = count(rest.split_whitespace().next().unwrap_or_default())?;
    if let Some(metric) = bucket {
        let bound = labels.remove("le").context("a bucket without `le`")?;
        let bound = bound.parse().context("`le` is no number")?;
        histograms.entry((metric.to_owned(), labels)).or_default().push((bound, value));
    } else {
        snapshot.add(name, labels, value);
    }
    Ok(())
}

/// What stands between braces, and what comes after them.
fn labels(text: &str) -> Result<(Labels, &str)> {
    let mut labels = Labels::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(rest) = rest.strip_prefix('}') {
            return Ok((labels, rest));
        }
        let (name, value) = rest.split_once('=').context("a label without a value")?;
        let mut value =
            value.trim_start().strip_prefix('"').context("a label's value without quotes")?.chars();
        labels.insert(name.trim().to_owned(), unescape(&mut value)?);
        rest = value.as_str().trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
}

/// Takes a value and the quote that ends it.
fn unescape(text: &mut Chars<'_>) -> Result<String> {
    let mut value = String::new();
    loop {
        match text.next().context("a label's value without an end")? {
            '"' => return Ok(value),
            '\\' => value.push(match text.next().context("a label's value without an end")? {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
}

/// A whole number, however it is written.
fn count(text: &str) -> Result<u64> {
    let number = text.parse::<f64>().with_context(|| format!("{text:?} is no number"))?;
    let whole = text.parse().or_else(|_| format!("{number:.0}").parse());
    whole.with_context(|| format!("{text:?} is no count"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
# TYPE canary_requests_total counter
canary_requests_total{rollout="checkout",variant="canary"} 10
canary_requests_total{rollout="checkout",variant="canary",pod="b"} 1.5e+01 1700000000000
canary_requests_total{ variant="a\\b\"c\nd}", rollout="odd", } 1
canary_policy_loads_total{} 4
canary_policy_info 7
canary_flag_evaluations_total{broken
envoy_server_live 1
# TYPE canary_request_duration_ms histogram
canary_request_duration_ms_bucket{rollout="checkout",variant="canary",le="0.5"} 2
canary_request_duration_ms_bucket{rollout="checkout",variant="canary",le="3600000"} 3
canary_request_duration_ms_bucket{rollout="checkout",variant="canary",le="+Inf"} 4
canary_request_duration_ms_sum{rollout="checkout",variant="canary"} 3600009.05
canary_request_duration_ms_count{rollout="checkout",variant="canary"} 4
"#;

    #[test]
    fn the_filter_s_lines_are_read() {
        let snapshot = parse(TEXT).unwrap();
        let canary = [("rollout", "checkout"), ("variant", "canary")];
        assert_eq!(snapshot.count("canary_requests_total", &canary), 25);
        assert_eq!(snapshot.count("canary_policy_loads_total", &[]), 4);
        assert_eq!(snapshot.gauge("canary_policy_info", &[]).unwrap().agreed(), Some(7));
        let histogram = snapshot.histogram("canary_request_duration_ms", &canary).unwrap();
        assert_eq!(*histogram, Histogram::new(vec![(0.5, 2), (3_600_000.0, 3)], 4));
    }

    #[test]
    fn escapes_in_a_label_are_undone() {
        let odd = [("rollout", "odd"), ("variant", "a\\b\"c\nd}")];
        assert_eq!(parse(TEXT).unwrap().count("canary_requests_total", &odd), 1);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        for line in [
            "canary_requests_total",
            "canary_requests_total{rollout=\"a\"",
            "canary_requests_total{rollout=a} 1",
            "canary_requests_total{rollout=\"a} 1",
            "canary_requests_total -1",
            "canary_requests_total NaN",
            "canary_request_duration_ms_bucket{rollout=\"a\"} 1",
        ] {
            assert!(format!("{:#}", parse(line).unwrap_err()).contains("canary_request"), "{line}");
        }
    }

    #[test]
    fn labels_in_names_are_told() {
        let line = "envoy_wasmcustom_rollout___checkout____variant___canary____canary_requests_total{} 1";
        assert!(parse(line).unwrap_err().to_string().contains("stats_tags"));
        let line = "wasmcustom.rollout=.=checkout;.;variant=.=canary;.;canary_requests_total: 1";
        assert!(parse(line).unwrap_err().to_string().contains("without a path"));
    }
}
