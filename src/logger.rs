//! Envoy's log, in which a filter that has much to tell must not drown what others tell.

use std::cell::Cell;

use log::Level;

use crate::host;

/// At most so many lines at once: every problem of a bad policy, and then some.
const AT_ONCE: u32 = 1_500;

/// So many more for each tick, of which there are five a second.
const PER_TICK: u32 = 1;

/// So many may come again before it is told how many did not.
const TOLD_AT: u32 = 25;

thread_local! {
    static LEFT: Cell<u32> = const { Cell::new(AT_ONCE) };
    static DROPPED: Cell<u32> = const { Cell::new(0) };
}

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let left = LEFT.get();
        if left > 0 {
            LEFT.set(left - 1);
            host::log(record.level(), &record.args().to_string());
        } else {
            DROPPED.set(DROPPED.get().saturating_add(1));
        }
    }

    fn flush(&self) {}
}

/// Sends what is logged to Envoy's log.
pub(crate) fn start() {
    // Fails only where there is a logger already.
    if log::set_logger(&Logger).is_ok() {
        log::set_max_level(log::LevelFilter::Info);
    }
}

/// Time goes on: some more lines may come, and when it is quiet it is told how many did not.
pub(crate) fn tick() {
    LEFT.set(LEFT.get().saturating_add(PER_TICK).min(AT_ONCE));
    if LEFT.get() >= TOLD_AT && DROPPED.get() > 0 {
        let dropped = DROPPED.take();
        host::log(Level::Warn, &format!("log lines left out, there were too many count={dropped}"));
    }
}
