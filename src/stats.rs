//! The metrics of a VM: their names, their ids, and what was counted since the last tick.
//!
//! A metric is defined when it is first used, since defining many at once stalls a worker; and
//! counts are gathered here and added on a tick, since a host call for each would be paid by
//! every request.

use std::cell::{Cell, RefCell};
use std::fmt;

use fnv::FnvHashMap;

use crate::gauges::Gauges;
use crate::host::{self, MetricKind};

/// The metrics of one VM. Whatever the policy, one name is one metric.
#[derive(Default)]
pub(crate) struct Stats {
    by_name: RefCell<FnvHashMap<Box<str>, SlotId>>,
    slots: RefCell<Vec<Slot>>,
    /// Slots with something to add, each once.
    dirty: RefCell<Vec<SlotId>>,
    /// Metrics whose names are not in shared data yet, a line each.
    new: RefCell<Vec<String>>,
    adopted: Cell<bool>,
    gauges: Gauges,
}

/// What is done with a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A counter.
    Count,
    /// A counter that is added to in millionths, and shows the whole ones.
    Millionths,
    /// A gauge that is added to and taken from.
    Level,
    /// A histogram.
    Histogram,
}

/// A metric's place in [`Stats`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlotId(usize);

struct Slot {
    name: Box<str>,
    kind: Kind,
    id: Option<u32>,
    pending: i64,
    is_dirty: bool,
}

/// A metric's name in Envoy's form: labels stand in it as `key=.=value;.;`.
pub(crate) struct Name<'a> {
    pub(crate) labels: &'a [(&'a str, &'a str)],
    pub(crate) metric: &'a str,
}

/// Where the names of metrics outlive their VM. Envoy drops a metric with the last VM that has
/// defined it, so a VM that takes over (a new filter, another environment) defines those that it
/// finds here before the old ones go.
const KNOWN: &str = "canary.metrics";

/// As many are defined in some 5 ms.
const MAX_KNOWN: usize = 1_000;

impl Stats {
    /// The gauges of this VM.
    pub(crate) fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    /// Counts something that is not on the request path, by name.
    pub(crate) fn count(&self, name: &str, by: u64) {
        self.add(self.slot(Kind::Count, name.to_owned()), i64::try_from(by).unwrap_or(i64::MAX));
    }

    /// The place of a metric.
    pub(crate) fn slot(&self, kind: Kind, name: String) -> SlotId {
        let mut slots = self.slots.borrow_mut();
        *self.by_name.borrow_mut().entry(name.into()).or_insert_with_key(|name| {
            slots.push(Slot { name: name.clone(), kind, id: None, pending: 0, is_dirty: false });
            SlotId(slots.len() - 1)
        })
    }

    /// Makes a metric appear in Envoy's stats.
    pub(crate) fn show(&self, slot_id: SlotId) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(slot_id.0) {
            // A refused call has been logged; it appears when it is first used.
            let _logged = slot.define(&self.new);
        }
    }

    /// Adds to a counter or level, at the next tick.
    pub(crate) fn add(&self, slot_id: SlotId, by: i64) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(slot_id.0) {
            slot.pending = slot.pending.saturating_add(by);
            if !std::mem::replace(&mut slot.is_dirty, true) {
                self.dirty.borrow_mut().push(slot_id);
            }
        }
    }

    /// Puts a value into a histogram, at once: no two can be put together.
    pub(crate) fn record(&self, slot_id: SlotId, value: u64) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(slot_id.0) {
            // A refused call has been logged; the value is lost.
            let _logged = slot.define(&self.new).and_then(|id| host::record_metric(id, value));
        }
    }

    /// Adds what was gathered to Envoy's metrics; what the host refuses waits for the next time.
    pub(crate) fn flush(&self) {
        let mut slots = self.slots.borrow_mut();
        self.dirty.borrow_mut().retain(|slot_id| {
            let Some(slot) = slots.get_mut(slot_id.0) else { return false };
            slot.is_dirty = slot.flush(&self.new).is_err();
            slot.is_dirty
        });
        let new = std::mem::take(&mut *self.new.borrow_mut());
        if !new.is_empty() {
            host::update_shared_data(KNOWN, |known| with_lines(known, &new));
        }
    }

    /// Takes over the metrics of the VMs that were here before, once for each VM.
    pub(crate) fn adopt(&self) {
        if self.adopted.replace(true) {
            return;
        }
        let known = host::shared_data(KNOWN).unwrap_or_default();
        for line in String::from_utf8_lossy(&known).lines() {
            let Some((kind, name)) = Kind::of_line(line) else { continue };
            let slot = self.slot(kind, name.to_owned());
            if let Some(slot) = self.slots.borrow_mut().get_mut(slot.0) {
                // A refused call has been logged; it is defined when it is first used.
                let _logged = slot.define(&RefCell::default());
            }
        }
    }
}

/// A list of lines and those that were not in it; `None` where nothing is new.
fn with_lines(known: &[u8], new: &[String]) -> Option<(Vec<u8>, ())> {
    let known = std::str::from_utf8(known).unwrap_or_default();
    let mut lines: Vec<&str> = known.lines().collect();
    let before = lines.len();
    for line in new {
        if lines.len() < MAX_KNOWN && !known.lines().any(|other| other == line) {
            lines.push(line);
        }
    }
    (lines.len() > before).then(|| (lines.join("\n").into_bytes(), ()))
}

impl Kind {
    const ALL: [Self; 4] = [Self::Count, Self::Millionths, Self::Level, Self::Histogram];

    /// How many of what is gathered make one.
    fn unit(self) -> i64 {
        if self == Self::Millionths { 1_000_000 } else { 1 }
    }

    fn metric(self) -> MetricKind {
        match self {
            Self::Count | Self::Millionths => MetricKind::Counter,
            Self::Level => MetricKind::Gauge,
            Self::Histogram => MetricKind::Histogram,
        }
    }

    /// The first letter of a line in shared data.
    fn letter(self) -> &'static str {
        match self {
            Self::Count => "c",
            Self::Millionths => "m",
            Self::Level => "l",
            Self::Histogram => "h",
        }
    }

    fn of_line(line: &str) -> Option<(Self, &str)> {
        let (letter, name) = line.split_once(' ')?;
        Some((Self::ALL.into_iter().find(|kind| kind.letter() == letter)?, name))
    }
}

impl Slot {
    fn define(&mut self, new: &RefCell<Vec<String>>) -> Result<u32, host::Refused> {
        if let Some(id) = self.id {
            return Ok(id);
        }
        let id = host::define_metric(self.kind.metric(), &self.name)?;
        new.borrow_mut().push(format!("{} {}", self.kind.letter(), self.name));
        Ok(*self.id.insert(id))
    }

    fn flush(&mut self, new: &RefCell<Vec<String>>) -> Result<(), host::Refused> {
        let unit = self.kind.unit();
        let whole = self.pending / unit;
        // A level that has gone up and down again shows that it is 0.
        if whole != 0 || self.kind == Kind::Level {
            let id = self.define(new)?;
            if whole != 0 {
                host::increment_metric(id, whole)?;
            }
            self.pending -= whole * unit;
        }
        Ok(())
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.labels.iter().try_for_each(|(key, value)| write!(f, "{key}=.={value};.;"))?;
        f.write_str(self.metric)
    }
}
