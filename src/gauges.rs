//! The gauges of policies: each side's effective weight, whether it is rolled back, and whether
//! it is the baseline.
//!
//! They are set on ticks, never while a policy is being tried, and a bounded number at a
//! time. Gauges outlive the policy that set them, so the names of the sides are kept in
//! shared data until they have been set to 0. Every VM does the same, and doing it twice
//! changes nothing.

use std::cell::RefCell;
use std::collections::BTreeSet;

use canary_core::policy::Policy;
use canary_core::rollback::Rollbacks;
use canary_core::split::VariantId;
use canary_core::timeline::Instant;
use fnv::FnvHashMap;

use crate::host::{self, MetricKind};
use crate::plugin::Plugin;
use crate::stats::Name;

/// What the guardrail's gauges have in their names; they are set by whoever judges.
const JUDGED: &str = ";canary_guardrail_";

/// Defining and recording this many takes a few milliseconds.
const PER_TICK: usize = 500;

/// The gauges of one VM.
#[derive(Default)]
pub(crate) struct Gauges {
    ids: RefCell<FnvHashMap<String, u32>>,
    plugins: RefCell<FnvHashMap<Plugin, Queue>>,
}

/// What is left to do for one plugin; its next policy takes the place of this one, whichever
/// root context ticks.
#[derive(Default)]
struct Queue {
    /// The last one first.
    waiting: Vec<(String, u64)>,
    /// The sides of the policy that is being set, one on each line.
    sides: String,
    /// Whether shared data holds more than them.
    gone: bool,
}

impl Gauges {
    /// Queues all gauges of a policy as they are at an instant, and those of the sides that have left it.
    pub(crate) fn queue(&self, policy: &Policy, now: Instant, rollbacks: &Rollbacks, plugin: &Plugin) {
        let mut plugins = self.plugins.borrow_mut();
        let queue = plugins.entry(plugin.clone()).or_default();
        let shared = host::shared_data(&plugin.key("sides")).unwrap_or_default();
        let shared = String::from_utf8_lossy(&shared);
        let mine = std::mem::take(&mut queue.sides);
        let mut gone: BTreeSet<&str> = shared.lines().chain(mine.lines()).collect();
        queue.waiting.clear();
        for rollout in &policy.rollouts {
            for (variant, ppm) in rollout.effective_weights(now, rollbacks) {
                let side = format!("{} {}", rollout.name, variant.name);
                gone.remove(side.as_str());
                let is_baseline = variant.id == VariantId::BASELINE;
                let is_rolled_back = rollout.is_rolled_back(variant, rollbacks);
                let values = [u64::from(ppm), is_rolled_back.into(), is_baseline.into()];
                queue.waiting.extend(side_gauges(&rollout.name, &variant.name, values));
                queue.sides.push_str(&side);
                queue.sides.push('\n');
            }
        }
        let is_guarded = |name: &str| {
            let guarded = policy.rollouts.iter().filter(|rollout| rollout.guardrail.is_some());
            let mut sides =
                guarded.flat_map(|rollout| rollout.variants.iter().map(move |side| (rollout, side)));
            sides.any(|(rollout, side)| name.starts_with(&side_labels(&rollout.name, &side.name)))
        };
        let ids = self.ids.borrow();
        let judged = ids.keys().filter(|name| name.contains(JUDGED) && !is_guarded(name));
        queue.waiting.extend(judged.map(|name| (name.clone(), 0)));
        for (rollout, variant) in gone.iter().filter_map(|side| side.split_once(' ')) {
            queue.waiting.extend(side_gauges(rollout, variant, [0; 3]));
        }
        queue.waiting.push(("canary_policy_info".to_owned(), policy.digest));
        let all = gone.iter().fold(queue.sides.clone(), |all, side| all + side + "\n");
        queue.gone = !gone.is_empty();
        if all != shared {
            host::set_shared_data(&plugin.key("sides"), all.as_bytes());
        }
    }

    /// Sets some of those that wait.
    pub(crate) fn tick(&self, plugin: &Plugin) {
        let mut plugins = self.plugins.borrow_mut();
        let Some(queue) = plugins.get_mut(plugin) else { return };
        for _ in 0..PER_TICK {
            let Some((name, value)) = queue.waiting.pop() else { break };
            self.set(name, value);
        }
        if queue.waiting.is_empty() && std::mem::take(&mut queue.gone) {
            host::set_shared_data(&plugin.key("sides"), queue.sides.as_bytes());
        }
    }

    /// Sets a gauge at once.
    pub(crate) fn set(&self, name: String, value: u64) {
        let mut ids = self.ids.borrow_mut();
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

/// What the names of a side's gauges begin with.
fn side_labels(rollout: &str, variant: &str) -> String {
    Name { labels: &[("rollout", rollout), ("variant", variant)], metric: "" }.to_string()
}

fn side_gauges(rollout: &str, variant: &str, values: [u64; 3]) -> impl Iterator<Item = (String, u64)> {
    let labels = [("rollout", rollout), ("variant", variant)];
    let metrics = ["canary_weight_ppm", "canary_rolled_back", "canary_baseline"];
    let named = metrics.map(|metric| Name { labels: &labels, metric }.to_string());
    named.into_iter().zip(values)
}
