//! Envoy's counters and gauges at one moment, and the filter's among them by name and labels.

use std::collections::BTreeMap;

/// Where Envoy keeps the metrics that a Wasm module defines.
const PREFIX: &str = "wasmcustom.";

/// All counters and gauges by their full names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats(BTreeMap<String, u64>);

/// One time series of one of the filter's metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// The metric, as `canary_requests_total`.
    pub metric: String,
    /// Its labels, read out of the name.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: u64,
}

impl Stats {
    /// Reads the text of `/stats`; lines that are no whole number (histograms, texts) are passed over.
    pub fn parse(text: &str) -> Self {
        let numbers = text.lines().filter_map(|line| {
            let (name, value) = line.rsplit_once(": ")?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Self(numbers.collect())
    }

    /// The value under this full name.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.0.get(name).copied()
    }

    /// All names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// Every series of one of the filter's metrics.
    pub fn series<'a>(&'a self, metric: &'a str) -> impl Iterator<Item = Series> + 'a {
        self.iter()
            .filter_map(|(name, value)| Series::read(name, value))
            .filter(move |series| series.metric == metric)
    }

    /// The sum over the series of one of the filter's metrics that have all these labels; 0 where
    /// there is none, since the filter defines a metric when it first counts.
    pub fn canary(&self, metric: &str, labels: &[(&str, &str)]) -> u64 {
        self.series(metric)
            .filter(|series| labels.iter().all(|(key, value)| series.label(key) == Some(value)))
            .map(|series| series.value)
            .sum()
    }
}

impl Series {
    /// The value of this label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }

    fn read(name: &str, value: u64) -> Option<Self> {
        let mut pieces: Vec<_> = name.strip_prefix(PREFIX)?.split(";.;").collect();
        let metric = pieces.pop()?.to_owned();
        let labels = pieces
            .into_iter()
            .map(|piece| piece.split_once("=.="))
            .map(|pair| pair.map(|(key, value)| (key.to_owned(), value.to_owned())))
            .collect::<Option<_>>()?;
        Some(Self { metric, labels, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "server.live: 1
listener.[::1]_80.x: 2
version_text: \"a: 7\"
cluster.a.time: P0(nan,1.0) P25(nan,1.0)
wasmcustom.rollout=.=checkout;.;variant=.=canary;.;canary_requests_total: 10
wasmcustom.rollout=.=checkout;.;variant=.=stable;.;canary_requests_total: 90
wasmcustom.rollout=.=search;.;variant=.=canary;.;canary_requests_total: 5
wasmcustom.canary_policy_loads_total: 4
";

    #[test]
    fn whole_numbers_are_kept() {
        let stats = Stats::parse(TEXT);
        assert_eq!(stats.get("server.live"), Some(1));
        assert_eq!(stats.get("listener.[::1]_80.x"), Some(2));
        assert_eq!(stats.iter().count(), 6);
    }

    #[test]
    fn metrics_are_found_by_some_or_all_of_their_labels() {
        let stats = Stats::parse(TEXT);
        let requests = |labels: &[_]| stats.canary("canary_requests_total", labels);
        assert_eq!(requests(&[]), 105);
        assert_eq!(requests(&[("rollout", "checkout")]), 100);
        assert_eq!(requests(&[("rollout", "checkout"), ("variant", "canary")]), 10);
        assert_eq!(requests(&[("geo", "DE")]), 0);
        assert_eq!(stats.canary("canary_policy_loads_total", &[]), 4);
    }
}
