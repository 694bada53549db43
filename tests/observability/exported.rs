//! What a proxy with the filter exports, as far as it is written down: in the table of
//! `docs/observability.md`, or here while there is no such document.

use std::collections::{BTreeMap, BTreeSet};

use crate::metric_names::histogram;

/// The metrics, and which of them are histograms.
pub(crate) struct Exported(BTreeMap<String, bool>);

/// Envoy's own, of those that rules and dashboard read.
const OF_ENVOY: [&str; 1] = ["envoy_server_concurrency"];

const TABLE: &str = "
| `canary_requests_total` |
| `canary_responses_total` |
| `canary_decisions_total` |
| `canary_override_rejected_total` |
| `canary_flag_evaluations_total` |
| `canary_weight_ppm` |
| `canary_rolled_back` |
| `canary_policy_loads_total`, `canary_policy_errors_total` |
| `canary_policy_info` |
| `canary_baseline` |
| `canary_request_duration_ms` | histogram |
| `canary_geo_requests_total` |
| `canary_geo_errors_total` |
| `canary_events_total` |
| `canary_cpu_utilization_permille`, `canary_mem_utilization_permille` | histogram |
| `canary_load_report_errors_total` |
| `canary_observed_requests_total` |
| `canary_expected_requests_total` |
| `canary_route_checks_total` |
| `canary_misrouted_total` |
| `canary_retried_total` |
| `canary_active_streams` |
| `canary_vm_seconds_total` |
| `canary_guardrail_state` |
| `canary_guardrail_log10_e_milli` |
| `canary_guardrail_breaches_total` |
";

impl Exported {
    /// What the documentation says.
    pub(crate) fn read() -> Self {
        let document = std::fs::read_to_string(crate::repository("docs/observability.md"));
        let mut exported = Self::in_tables(document.as_deref().unwrap_or(TABLE));
        assert!(exported.0.len() > 10, "no table of metrics in docs/observability.md");
        exported.0.extend(OF_ENVOY.map(|name| (name.to_owned(), false)));
        exported
    }

    /// The metrics in the first cells of a document's tables.
    fn in_tables(document: &str) -> Self {
        let mut exported = BTreeMap::new();
        for line in document.lines().filter_map(|line| line.strip_prefix('|')) {
            let (first, others) = line.split_once('|').unwrap_or((line, ""));
            let code = first.split('`').skip(1).step_by(2);
            let names = code.map(|code| code.split('{').next().unwrap_or_default());
            for name in names.filter(|name| name.starts_with("canary_")) {
                let is_histogram = first.contains("histogram") || others.contains("histogram");
                *exported.entry(name.to_owned()).or_default() |= is_histogram;
            }
        }
        Self(exported)
    }

    /// Whether a proxy has series of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        let of_histogram = histogram(name).and_then(|base| self.0.get(base));
        self.0.get(name) == Some(&false) || of_histogram == Some(&true)
    }

    /// The metrics of the filter of which none of these series is one.
    pub(crate) fn without(&self, series: &BTreeSet<String>) -> Vec<&str> {
        let seen =
            |name: &str| series.contains(name) || series.iter().any(|one| histogram(one) == Some(name));
        self.0.keys().map(String::as_str).filter(|name| !seen(name)).collect()
    }
}

pub(crate) fn a_table_in_the_documentation_is_read() {
    let document =
        "`canary_no` | x |\n| `canary_a_total{rollout}`, `canary_b_ms` (histogram) | `canary_c` |\n";
    let exported = Exported::in_tables(document);
    assert!(exported.has("canary_b_ms_bucket") && !exported.has("canary_b_ms"));
    assert!(!exported.has("canary_no") && !exported.has("canary_c"));
    assert!(Exported::in_tables("| `canary_d` | gauge |").has("canary_d"));
}
