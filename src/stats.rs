//! The metrics of a VM. Counters: their names, their ids, and what was counted since the last tick.
//!
//! A metric is defined when it is first counted, since defining many at once stalls a
//! worker; and counts are gathered here and added on a tick, since a host call for each
//! would be paid by every request.

use std::cell::{Cell, RefCell};
use std::fmt;

use canary_core::code_class::CodeClass;
use canary_core::decide::{Reason, Token};
use canary_core::exchange::{Outcome, RequestPlan};
use canary_core::policy::Policy;
use canary_core::rollout::{Rollout, Variant};
use fnv::FnvHashMap;

use crate::gauges::Gauges;
use crate::host::{self, MetricKind};

/// The metrics of one VM. Whatever the policy, one name is one counter.
#[derive(Default)]
pub(crate) struct Stats {
    by_name: RefCell<FnvHashMap<Box<str>, SlotId>>,
    slots: RefCell<Vec<Slot>>,
    /// Slots with something to add, each once.
    dirty: RefCell<Vec<SlotId>>,
    adopted: Cell<bool>,
    gauges: Gauges,
}

/// Where the counters of one policy are, worked out when each is first counted.
///
/// For each rollout: one place for each reason, one for refused tokens, then one for requests
/// and one for each class of each side, then two for each flag.
pub(crate) struct Table {
    /// Where the places of each rollout begin; the place behind the last one is for requests
    /// that no rollout matched.
    begins: Box<[usize]>,
    slots: Box<[Cell<Option<SlotId>>]>,
}

/// A counter's place in [`Stats`].
#[derive(Clone, Copy)]
struct SlotId(usize);

struct Slot {
    name: Box<str>,
    id: Option<u32>,
    pending: u64,
}

/// A metric's name in Envoy's form: labels stand in it as `key=.=value;.;`.
pub(crate) struct Name<'a> {
    pub(crate) labels: &'a [(&'a str, &'a str)],
    pub(crate) metric: &'a str,
}

/// Where the names of counters outlive their VM. Envoy drops a counter with the last VM that
/// has defined it, so a VM that takes over (a new filter, another environment) defines those
/// that it finds here before the old ones go.
const KNOWN: &str = "canary.counters";

/// As many are defined in some 5 ms.
const MAX_KNOWN: usize = 1_000;

/// The label of requests that no rollout matched.
const NO_ROLLOUT: &str = "none";

const REASONS: usize = Reason::ALL.len();
const CLASSES: usize = CodeClass::ALL.len();
/// Where a rollout's sides begin: behind its reasons and its refused tokens.
const SIDES: usize = REASONS + 1;
/// What a flag can be.
const VALUES: [&str; 2] = ["off", "on"];

// impl Table

impl Table {
    /// Room for every counter of a policy.
    pub(crate) fn new(policy: &Policy) -> Self {
        let mut end = 0;
        let begins = policy.rollouts.iter().map(|rollout| {
            let begin = end;
            end += SIDES + rollout.variants.len() * (1 + CLASSES) + rollout.flags.len() * VALUES.len();
            begin
        });
        let begins = begins.collect();
        Self { begins, slots: (0..=end).map(|_| Cell::new(None)).collect() }
    }

    /// Counts a request with its decision.
    pub(crate) fn request(&self, plan: &RequestPlan<'_>, stats: &Stats) {
        let decision = &plan.decision;
        let reason = decision.reason;
        let Some(rollout) = decision.rollout else {
            return self.add(self.slots.len() - 1, stats, || decisions(NO_ROLLOUT, reason));
        };
        let begin = self.begin(rollout);
        self.add(begin + reason.index(), stats, || decisions(&rollout.name, reason));
        if decision.token == Token::Rejected {
            self.add(begin + REASONS, stats, || {
                Name { labels: &[("rollout", &rollout.name)], metric: "canary_override_rejected_total" }
                    .to_string()
            });
        }
        if let Some(variant) = decision.variant.filter(|_| plan.counted) {
            self.add(begin + SIDES + variant.id.slot() * (1 + CLASSES), stats, || {
                let labels = [("rollout", &*rollout.name), ("variant", &*variant.name)];
                Name { labels: &labels, metric: "canary_requests_total" }.to_string()
            });
        }
        let flags_begin = begin + SIDES + rollout.variants.len() * (1 + CLASSES);
        for (flag, on) in decision.flags.iter() {
            let value = usize::from(on);
            self.add(flags_begin + flag * VALUES.len() + value, stats, || {
                let name = rollout.flags.get(flag).map_or("-", |flag| &flag.name);
                let value = VALUES.get(value).copied().unwrap_or_default();
                let labels = [("rollout", &*rollout.name), ("flag", name), ("value", value)];
                Name { labels: &labels, metric: "canary_flag_evaluations_total" }.to_string()
            });
        }
    }

    /// Counts how an exchange ended.
    pub(crate) fn response(&self, outcome: Outcome, policy: &Policy, stats: &Stats) {
        let Outcome { rollout, variant, class } = outcome;
        let Some(rollout) = policy.rollout(rollout) else { return };
        let Some(variant) = rollout.variant(variant) else { return };
        let variant_begins = self.begin(rollout) + SIDES + variant.id.slot() * (1 + CLASSES);
        self.add(variant_begins + 1 + class.index(), stats, || responses(rollout, variant, class));
    }

    fn begin(&self, rollout: &Rollout) -> usize {
        let begin = usize::try_from(rollout.id.0).ok().and_then(|id| self.begins.get(id));
        begin.copied().unwrap_or_default()
    }

    fn add(&self, place: usize, stats: &Stats, name: impl FnOnce() -> String) {
        let Some(place) = self.slots.get(place) else { return };
        let slot = place.get().unwrap_or_else(|| stats.slot(name()));
        place.set(Some(slot));
        stats.add(slot, 1);
    }
}

fn decisions(rollout: &str, reason: Reason) -> String {
    let labels = [("rollout", rollout), ("reason", reason.as_str())];
    Name { labels: &labels, metric: "canary_decisions_total" }.to_string()
}

fn responses(rollout: &Rollout, variant: &Variant, class: CodeClass) -> String {
    let labels = [("rollout", &*rollout.name), ("variant", &*variant.name), ("code_class", class.as_str())];
    Name { labels: &labels, metric: "canary_responses_total" }.to_string()
}

// impl Stats

impl Stats {
    /// The gauges of this VM.
    pub(crate) fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    /// Counts something that is not on the request path, by name.
    pub(crate) fn count(&self, name: &str) {
        self.add(self.slot(name.to_owned()), 1);
    }

    fn slot(&self, name: String) -> SlotId {
        let mut slots = self.slots.borrow_mut();
        *self.by_name.borrow_mut().entry(name.into()).or_insert_with_key(|name| {
            slots.push(Slot { name: name.clone(), id: None, pending: 0 });
            SlotId(slots.len() - 1)
        })
    }

    fn add(&self, slot_id: SlotId, by: u64) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(slot_id.0) {
            if slot.pending == 0 {
                self.dirty.borrow_mut().push(slot_id);
            }
            slot.pending = slot.pending.saturating_add(by);
        }
    }

    /// Adds what was gathered to Envoy's counters; what the host refuses waits for the next time.
    pub(crate) fn flush(&self) {
        let mut slots = self.slots.borrow_mut();
        let mut new = Vec::new();
        self.dirty.borrow_mut().retain(|slot_id| {
            let Some(slot) = slots.get_mut(slot_id.0) else { return false };
            if slot.id.is_none() {
                new.push(slot.name.clone());
            }
            if slot.define().and_then(|id| host::increment_metric(id, slot.pending)).is_ok() {
                slot.pending = 0;
            }
            slot.pending > 0
        });
        if !new.is_empty() {
            host::update_shared_data(KNOWN, |known| with_names(known, &new));
        }
    }

    /// Takes over the counters of the VMs that were here before, once for each VM.
    pub(crate) fn adopt(&self) {
        if self.adopted.replace(true) {
            return;
        }
        let known = host::shared_data(KNOWN).unwrap_or_default();
        for name in String::from_utf8_lossy(&known).lines() {
            let slot = self.slot(name.to_owned());
            if let Some(slot) = self.slots.borrow_mut().get_mut(slot.0) {
                // A refused call has been logged; it is defined when it is first counted.
                let _logged = slot.define();
            }
        }
    }
}

/// A list of names, one on each line, and those that were not in it; `None` where nothing is new.
fn with_names(known: &[u8], new: &[Box<str>]) -> Option<Vec<u8>> {
    let known = std::str::from_utf8(known).unwrap_or_default();
    let mut names: Vec<&str> = known.lines().collect();
    let before = names.len();
    for name in new.iter().map(|name| &**name) {
        if names.len() < MAX_KNOWN && !known.lines().any(|other| other == name) {
            names.push(name);
        }
    }
    (names.len() > before).then(|| names.join("\n").into_bytes())
}

impl Slot {
    fn define(&mut self) -> Result<u32, host::Refused> {
        match self.id {
            Some(id) => Ok(id),
            None => Ok(*self.id.insert(host::define_metric(MetricKind::Counter, &self.name)?)),
        }
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.labels.iter().try_for_each(|(key, value)| write!(f, "{key}=.={value};.;"))?;
        f.write_str(self.metric)
    }
}
