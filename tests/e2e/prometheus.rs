//! A real Prometheus with the shipped rules, scraping a real Envoy.

mod exported;
#[path = "../observability/metric_names.rs"]
#[allow(dead_code, reason = "its other half is for tests/observability")]
mod metric_names;
mod server;
mod traffic;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;

use crate::scene::{Scene, bootstrap, envoy_with, rendered, rollout};

pub(crate) use self::server::binary;
use self::server::{Prometheus, recorded, shipped};
use self::traffic::{Fate, Fates, Traffic};

/// The longest window of a rule, and the longest `for` behind it.
const ALL_WINDOWS: &str = "45s";

/// How long an alert fires before the others are looked at: all would have had a window and a
/// `for` since its cause began.
const A_WHILE: &str = "10s";

/// Longer than anything takes on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_mins(2);

/// Of 1,000 requests without anything being wrong.
const USUAL_ERRORS: u64 = 5;

/// Of 1,000 requests with a bad canary.
const MANY_ERRORS: u64 = 50;

/// Series that there are only when something is wrong.
const NOT_RECORDED: [&str; 1] = ["rollout_variant:canary_misrouted_ratio:rate10m"];

pub(crate) fn errors_of_the_canary_fire_their_alert_alone_and_an_a_a_run_none() {
    let fates = Arc::new(Fates {
        stable: Fate::new(USUAL_ERRORS, Duration::ZERO),
        canary: Fate::new(USUAL_ERRORS, Duration::ZERO),
    });
    let watched = Watched::begin(Arc::clone(&fates));

    watched.wait_for("all windows to be full", &format!("up{{job=\"envoy\"}} offset {ALL_WINDOWS} == 1"));
    watched.has_fired(&[]);
    watched.every_rule_is_evaluated();

    fates.canary.errors_permille.store(MANY_ERRORS, Ordering::Relaxed);
    watched.fires_alone("CanaryErrorRatio");
}

pub(crate) fn a_slower_canary_fires_its_alert_alone() {
    exported::every_metric_that_is_read_is_exported();

    // As far from the ends of the histogram's buckets as it takes for a busy machine: with up to
    // 50 ms more on both sides the one is still 1.5 times the other.
    let fates = Arc::new(Fates {
        stable: Fate::new(USUAL_ERRORS, Duration::from_millis(100)),
        canary: Fate::new(USUAL_ERRORS, Duration::from_millis(180)),
    });
    Watched::begin(fates).fires_alone("CanaryLatency");
}

/// A rollout with traffic, and who watches it.
struct Watched {
    // In this order they end.
    traffic: Traffic,
    prometheus: Prometheus,
    _scene: Scene,
}

impl Watched {
    /// A canary for every second user, so that samples come fast; purchases are counted.
    fn begin(fates: Arc<Fates>) -> Self {
        let purchase =
            json!({"name": "purchase", "when": {"methods": ["POST"], "path_prefixes": ["/order"]}});
        let policy = rollout(50.0, &json!({"events": [purchase]})).to_string();
        let scene = Scene::boot(envoy_with(flushing(&bootstrap())).ecds(rendered(&policy).to_string()));
        let prometheus = Prometheus::scraping(scene.lab.ports().admin());
        let traffic = Traffic::begin(&scene, &policy, fates);
        Self { traffic, prometheus, _scene: scene }
    }

    /// Waits until an alert fires for the canary and has done so for a while, and no other has.
    fn fires_alone(self, alert: &str) {
        let firing = format!(
            "ALERTS{{alertname=\"{alert}\",alertstate=\"firing\",rollout=\"checkout\",variant=\"canary\"}}"
        );
        self.wait_for(&format!("{alert} to fire"), &firing);
        self.wait_for(&format!("{alert} to have fired {A_WHILE}"), &format!("{firing} offset {A_WHILE}"));
        self.has_fired(&[alert]);
        self.traffic.end();
    }

    fn wait_for(&self, what: &str, expression: &str) {
        self.prometheus.wait_for(PATIENCE, what, expression);
    }

    /// That these alerts have fired since the beginning, and no others.
    fn has_fired(&self, alerts: &[&str]) {
        let series = self.prometheus.query("last_over_time(ALERTS{alertstate=\"firing\"}[1h])").unwrap();
        let fired: Vec<_> = series.iter().map(|labels| labels["alertname"].as_str()).collect();
        assert_eq!(fired, alerts, "{series:?}");
        for alert in self.prometheus.alerts().unwrap() {
            let name = alert["labels"]["alertname"].as_str().unwrap();
            if alert["state"] == "firing" {
                assert!(alerts.contains(&name), "{alert}");
            } else {
                eprintln!("not firing: {alert}");
            }
        }
    }

    /// That each of the shipped rules is there and well, and that those that record have something
    /// to record.
    fn every_rule_is_evaluated(&self) {
        let rules = self.prometheus.rules().unwrap();
        assert_eq!(rules.len(), shipped().len());
        for rule in rules {
            assert_eq!(rule["health"], "ok", "{rule}");
        }
        let empty: Vec<_> =
            recorded().into_iter().filter(|name| self.prometheus.query(name).unwrap().is_empty()).collect();
        assert_eq!(empty, NOT_RECORDED);
    }
}

/// A bootstrap whose histograms are as fresh as its counters: by default they are added up every
/// five seconds, which is a third of a window here.
fn flushing(bootstrap: &str) -> String {
    format!("stats_flush_interval: 1s\n{bootstrap}")
}
