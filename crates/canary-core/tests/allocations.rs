//! Deciding takes nothing from the heap. One test alone in its process, since it counts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::type_complexity,
    reason = "a test may panic"
)]
#![allow(unsafe_code, reason = "an allocator that counts")]

#[path = "language/support/mod.rs"]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

use canary_core::decide::Ambient;
use canary_core::exchange::{Exchange, Moment};
use support::{Ended, get, with_rollouts};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_whole_exchange_takes_nothing_from_the_heap() {
    let policy = with_rollouts(
        r#"{"name": "r", "match": {"hosts": ["shop.example.com", "*.x"], "path_prefixes": ["/"], "methods": ["GET"]},
            "baseline": {"name": "stable"}, "variants": [{"name": "canary", "weight": 50}], "rules": [
            {"name": "a", "when": {"header": {"name": "x-a", "contains": "b"}, "cookie": {"name": "c", "prefix": "d"}}, "variant": "canary"},
            {"name": "b", "when": {"not": {"any": [{"geo": ["FR"]}, {"identity": ["u"]}, {"hosts": ["*.y"]}, {"path_prefixes": ["/a"]},
                {"query": {"name": "q", "present": true}}, {"methods": ["PUT"]}]}}, "weights": {"canary": 20}}]}"#,
    );
    let request =
        get(&[("x-user-id", "alice"), ("x-geo-country", "de"), ("x-a", "abc"), ("cookie", "x=y; c=e")]);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for now in 0..100 {
        let (mut exchange, plan) = Exchange::on_request(&policy, black_box(&request), Ambient::at(now));
        black_box(plan.stamps);
        exchange.begin(&policy, || Some(Moment(0)));
        // Values of headers are the host's, so they are not counted here.
        black_box(exchange.on_response(&policy, || Some(Moment(5_000_000)), |_| None));
        black_box(exchange.on_end(&policy, &Ended::default()));
    }
    assert_eq!(ALLOCATIONS.load(Ordering::Relaxed) - before, 0);
    assert_eq!(
        support::decided(&policy, &request).split(' ').nth(3),
        Some("b"),
        "the request goes all the way"
    );
}
