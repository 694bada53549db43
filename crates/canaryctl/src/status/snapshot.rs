//! The filter's metrics at one moment, of one Envoy or the sum over several.
//!
//! Both of Envoy's formats lead here. Only what is shown is kept, so that a long watch stays
//! small.

use std::collections::BTreeMap;

use super::histogram::Histogram;

/// The metrics that are shown; what else begins with `canary_` is passed over.
const SHOWN: [&str; 19] = [
    "canary_active_streams",
    "canary_baseline",
    "canary_events_total",
    "canary_expected_requests_total",
    "canary_guardrail_breaches_total",
    "canary_guardrail_log10_e_milli",
    "canary_guardrail_state",
    "canary_misrouted_total",
    "canary_observed_requests_total",
    "canary_policy_errors_total",
    "canary_policy_info",
    "canary_policy_loads_total",
    "canary_request_duration_ms",
    "canary_requests_total",
    "canary_responses_total",
    "canary_retried_total",
    "canary_rolled_back",
    "canary_route_checks_total",
    "canary_weight_ppm",
];

/// The labels that are shown; series that differ in others (a pod's name) are summed.
const LABELS: [&str; 5] = ["rollout", "variant", "code_class", "event", "metric"];

/// A series' labels.
pub(super) type Labels = BTreeMap<String, String>;

/// All series of a metric, for each metric.
type Metrics<T> = BTreeMap<String, BTreeMap<Labels, T>>;

/// Everything that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Snapshot {
    counters: Metrics<u64>,
    gauges: Metrics<Gauge>,
    histograms: Metrics<Histogram>,
    /// How many seconds each Envoy has run, where it says so.
    uptime: Option<Gauge>,
}

/// What several proxies say of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gauge {
    pub(super) least: u64,
    pub(super) most: u64,
    pub(super) sum: u64,
}

impl Gauge {
    /// The value, where all agree.
    pub(super) fn agreed(self) -> Option<u64> {
        (self.least == self.most).then_some(self.most)
    }

    /// What these and others say.
    fn and(self, other: Self) -> Self {
        let (least, most) = (self.least.min(other.least), self.most.max(other.most));
        Self { least, most, sum: self.sum.saturating_add(other.sum) }
    }
}

/// Whether a metric is to be read.
pub(super) fn is_shown(metric: &str) -> bool {
    SHOWN.contains(&metric)
}

impl Snapshot {
    /// Adds a number to what is known: Envoy's JSON does not say what is a counter, names do.
    pub(super) fn add(&mut self, metric: &str, labels: Labels, value: u64) {
        let labels = known(labels);
        if metric.ends_with("_total") {
            *self.counters.entry(metric.to_owned()).or_default().entry(labels).or_default() += value;
        } else {
            self.add_gauge(metric, labels, Gauge { least: value, most: value, sum: value });
        }
    }

    /// Adds a histogram to what is known.
    pub(super) fn add_histogram(&mut self, metric: &str, labels: Labels, histogram: &Histogram) {
        let series = self.histograms.entry(metric.to_owned()).or_default();
        series.entry(known(labels)).or_default().add(histogram);
    }

    /// Adds how many seconds an Envoy has run.
    pub(super) fn add_uptime(&mut self, seconds: u64) {
        self.merge_uptime(Some(Gauge { least: seconds, most: seconds, sum: seconds }));
    }

    fn merge_uptime(&mut self, other: Option<Gauge>) {
        self.uptime = match (self.uptime, other) {
            (Some(own), Some(other)) => Some(own.and(other)),
            (own, other) => own.or(other),
        };
    }

    /// How many seconds the Envoys have run that say so, all together.
    pub(super) fn uptime(&self) -> Option<u64> {
        self.uptime.map(|uptime| uptime.sum)
    }

    /// Adds all that another Envoy has.
    pub(super) fn add_all(&mut self, other: &Self) {
        self.add_counts(other);
        self.merge_uptime(other.uptime);
        for (metric, labels, gauge) in flat(&other.gauges) {
            self.add_gauge(metric, labels.clone(), *gauge);
        }
    }

    /// Adds the counters and histograms of another; gauges are of the moment.
    pub(super) fn add_counts(&mut self, other: &Self) {
        for (metric, labels, value) in flat(&other.counters) {
            self.add(metric, labels.clone(), *value);
        }
        for (metric, labels, histogram) in flat(&other.histograms) {
            self.add_histogram(metric, labels.clone(), histogram);
        }
    }

    /// Its counts, with the gauges of another.
    pub(super) fn with_gauges_of(self, other: &Self) -> Self {
        Self { gauges: other.gauges.clone(), ..self }
    }

    fn add_gauge(&mut self, metric: &str, labels: Labels, gauge: Gauge) {
        let series = self.gauges.entry(metric.to_owned()).or_default();
        let all = series.entry(labels).or_insert(Gauge { sum: 0, ..gauge });
        *all = all.and(gauge);
    }

    /// What was counted since, with the gauges of now; `None` where a count has gone back, as
    /// after a restart.
    pub(super) fn since(&self, earlier: &Self) -> Option<Self> {
        let mut since = Self { gauges: self.gauges.clone(), ..Self::default() };
        for (metric, labels, value) in flat(&self.counters) {
            let before = of(&earlier.counters, metric, labels).copied().unwrap_or_default();
            since.add(metric, labels.clone(), value.checked_sub(before)?);
        }
        for (metric, labels, histogram) in flat(&self.histograms) {
            let before = of(&earlier.histograms, metric, labels).cloned().unwrap_or_default();
            since.add_histogram(metric, labels.clone(), &histogram.since(&before)?);
        }
        Some(since)
    }

    /// The sum over a counter's series that have all these labels.
    pub(super) fn count(&self, metric: &str, labels: &[(&str, &str)]) -> u64 {
        self.counts(metric, labels).map(|(_, value)| value).sum()
    }

    /// A counter's series that have all these labels.
    pub(super) fn counts<'s>(
        &'s self,
        metric: &str,
        labels: &'s [(&str, &str)],
    ) -> impl Iterator<Item = (&'s Labels, u64)> {
        let series = self.counters.get(metric).into_iter().flatten();
        series.filter(|(own, _)| has(own, labels)).map(|(own, value)| (own, *value))
    }

    /// A gauge's series that have all these labels.
    pub(super) fn gauges<'s>(
        &'s self,
        metric: &str,
        labels: &'s [(&str, &str)],
    ) -> impl Iterator<Item = (&'s Labels, Gauge)> {
        let series = self.gauges.get(metric).into_iter().flatten();
        series.filter(|(own, _)| has(own, labels)).map(|(own, gauge)| (own, *gauge))
    }

    /// The gauge with these labels.
    pub(super) fn gauge(&self, metric: &str, labels: &[(&str, &str)]) -> Option<Gauge> {
        self.gauges.get(metric)?.iter().find(|(own, _)| has(own, labels)).map(|(_, gauge)| *gauge)
    }

    /// The histogram with these labels.
    pub(super) fn histogram(&self, metric: &str, labels: &[(&str, &str)]) -> Option<&Histogram> {
        self.histograms.get(metric)?.iter().find(|(own, _)| has(own, labels)).map(|(_, it)| it)
    }

    /// Every side that some metric names, by rollout.
    pub(super) fn rollouts(&self) -> BTreeMap<&str, Vec<&str>> {
        let counters = flat(&self.counters).map(|(_, labels, _)| labels);
        let labels = counters.chain(flat(&self.gauges).map(|(_, labels, _)| labels));
        let mut rollouts = BTreeMap::<&str, Vec<&str>>::new();
        for (rollout, variant) in labels.filter_map(|own| own.get("rollout").zip(own.get("variant"))) {
            let sides = rollouts.entry(rollout).or_default();
            if !sides.contains(&variant.as_str()) {
                sides.push(variant);
            }
        }
        rollouts
    }

    /// Whether there is anything of the filter's.
    pub(super) fn is_empty(&self) -> bool {
        self.counters.is_empty() && self.gauges.is_empty() && self.histograms.is_empty()
    }
}

fn known(mut labels: Labels) -> Labels {
    labels.retain(|name, _| LABELS.contains(&name.as_str()));
    labels
}

fn has(own: &Labels, labels: &[(&str, &str)]) -> bool {
    labels.iter().all(|(name, value)| own.get(*name).is_some_and(|own| own == value))
}

fn of<'s, T>(metrics: &'s Metrics<T>, metric: &str, labels: &Labels) -> Option<&'s T> {
    metrics.get(metric)?.get(labels)
}

fn flat<T>(metrics: &Metrics<T>) -> impl Iterator<Item = (&str, &Labels, &T)> {
    let each = metrics.iter().map(|(metric, series)| (metric.as_str(), series));
    each.flat_map(|(metric, series)| series.iter().map(move |(labels, value)| (metric, labels, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn canary(requests: u64, weight: u64) -> Snapshot {
        let mut snapshot = Snapshot::default();
        let own = labels(&[("rollout", "checkout"), ("variant", "canary"), ("pod", "a")]);
        snapshot.add("canary_requests_total", own.clone(), requests);
        snapshot.add("canary_weight_ppm", own.clone(), weight);
        snapshot.add_histogram(
            "canary_request_duration_ms",
            own,
            &Histogram::new(vec![(5.0, requests)], requests),
        );
        snapshot
    }

    #[test]
    fn counts_add_up_and_gauges_must_agree() {
        let mut all = canary(10, 50_000);
        all.add_all(&canary(5, 50_000));
        assert_eq!(all.count("canary_requests_total", &[("variant", "canary")]), 15);
        assert_eq!(all.histogram("canary_request_duration_ms", &[]).unwrap().count(), 15);
        assert_eq!(all.gauge("canary_weight_ppm", &[]).unwrap().agreed(), Some(50_000));
        all.add_all(&canary(5, 100_000));
        let gauge = all.gauge("canary_weight_ppm", &[]).unwrap();
        assert_eq!((gauge.agreed(), gauge.least, gauge.most, gauge.sum), (None, 50_000, 100_000, 200_000));
    }

    #[test]
    fn a_difference_has_the_gauges_of_now() {
        let since = canary(15, 100_000).since(&canary(10, 50_000)).unwrap();
        assert_eq!(since, canary(5, 100_000));
        assert_eq!(canary(3, 0).since(&Snapshot::default()), Some(canary(3, 0)));
    }

    #[test]
    fn counts_that_went_back_make_no_difference() {
        assert_eq!(canary(3, 50_000).since(&canary(10, 50_000)), None);
    }

    #[test]
    fn sides_are_found_by_rollout() {
        let mut all = canary(1, 1);
        all.add("canary_weight_ppm", labels(&[("rollout", "checkout"), ("variant", "stable")]), 9);
        all.add("canary_decisions_total", labels(&[("rollout", "none")]), 9);
        assert_eq!(all.rollouts(), BTreeMap::from([("checkout", vec!["canary", "stable"])]));
    }
}
