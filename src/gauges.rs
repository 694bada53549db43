//! The gauges of a policy: each side's effective weight and whether it is rolled back.
//!
//! They are set on ticks, never while a policy is being tried, and a bounded number at a
//! time. Gauges outlive the policy that set them, so the names of the sides are kept in
//! shared data, and those that have left the policy are set to 0. Every VM does the same,
//! and doing it twice changes nothing.

use std::cell::RefCell;
use std::collections::BTreeSet;

use canary_core::policy::Policy;
use fnv::FnvHashMap;

use crate::host::{self, MetricKind};
use crate::stats::Name;

/// Defining and recording this many takes a few milliseconds.
const PER_TICK: usize = 500;

/// Gauges that wait to be set, the last one first.
#[derive(Default)]
pub(crate) struct Gauges {
    waiting: RefCell<Vec<(String, u64)>>,
}

impl Gauges {
    /// Queues all gauges of a policy, and those of the sides that have left it since `plugin`
    /// last had one.
    pub(crate) fn of(policy: &Policy, plugin: &str) -> Self {
        let key = format!("canary.sides/{plugin}");
        let before = host::shared_data(&key).unwrap_or_default();
        let before = String::from_utf8_lossy(&before);
        let mut gone: BTreeSet<&str> = before.lines().collect();
        let mut sides = String::new();
        let mut waiting = Vec::new();
        for rollout in &policy.rollouts {
            for (variant, ppm) in rollout.effective_weights() {
                let side = format!("{} {}", rollout.name, variant.name);
                gone.remove(side.as_str());
                waiting.extend(side_gauges(&rollout.name, &variant.name, ppm, variant.rolled_back));
                sides.push_str(&side);
                sides.push('\n');
            }
        }
        for (rollout, variant) in gone.iter().filter_map(|side| side.split_once(' ')) {
            waiting.extend(side_gauges(rollout, variant, 0, false));
        }
        waiting.push(("canary_policy_info".to_owned(), policy.digest));
        if sides != before {
            host::set_shared_data(&key, sides.as_bytes());
        }
        Self { waiting: RefCell::new(waiting) }
    }

    /// Sets some of those that wait.
    pub(crate) fn tick(&self, ids: &GaugeIds) {
        let mut waiting = self.waiting.borrow_mut();
        for _ in 0..PER_TICK {
            let Some((name, value)) = waiting.pop() else { return };
            ids.set(name, value);
        }
    }
}

fn side_gauges(rollout: &str, variant: &str, ppm: u32, rolled_back: bool) -> [(String, u64); 2] {
    let labels = [("rollout", rollout), ("variant", variant)];
    [("canary_weight_ppm", u64::from(ppm)), ("canary_rolled_back", u64::from(rolled_back))]
        .map(|(metric, value)| (Name { labels: &labels, metric }.to_string(), value))
}

/// The ids of the gauges of one VM, by name.
#[derive(Default)]
pub(crate) struct GaugeIds(RefCell<FnvHashMap<String, u32>>);

impl GaugeIds {
    fn set(&self, name: String, value: u64) {
        let mut ids = self.0.borrow_mut();
        let id = match ids.get(&name) {
            Some(id) => *id,
            None => match host::define_metric(MetricKind::Gauge, &name) {
                Ok(id) => *ids.entry(name).or_insert(id),
                Err(host::Refused) => return,
            },
        };
        // A refused call has been logged; the next policy sets the gauge again.
        let _logged = host::record_metric(id, value);
    }
}
