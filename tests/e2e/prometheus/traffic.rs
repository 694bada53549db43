//! Users at a steady pace, who are answered as a test says.

#![allow(clippy::disallowed_methods, reason = "the pace of requests is a matter of the clock")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use canary_lab::{Load, Request, Tally};

use crate::scene::{Core, Scene, user};

/// So many that the split can be checked, on which the alert wants 1,000.
const USERS: usize = 3_000;

/// 3,000 requests in a window of 15 s: three times what the alert with the largest sample wants,
/// for a machine that has other things to do.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(5);

/// Enough for the pace with the longest delays.
const CONNECTIONS: usize = 48;

/// Every fourth request is a purchase.
const PURCHASES: usize = 4;

/// What is asked of the upstream for one side.
#[derive(Default)]
pub(super) struct Fate {
    /// How many requests of a thousand fail; evenly spread, so that chance plays no part.
    pub(super) errors_permille: AtomicU64,
    /// How long an answer takes.
    pub(super) delay: Duration,
    requests: AtomicU64,
}

/// What is asked of the upstream for each side.
#[derive(Default)]
pub(super) struct Fates {
    pub(super) stable: Fate,
    pub(super) canary: Fate,
}

/// Requests that go on until this is dropped.
pub(super) struct Traffic {
    stop: Arc<AtomicBool>,
    load: Option<JoinHandle<Tally>>,
}

impl Fate {
    pub(super) fn new(errors_permille: u64, delay: Duration) -> Self {
        Self { errors_permille: errors_permille.into(), delay, ..Self::default() }
    }

    /// The next request with what becomes of it.
    fn of(&self, mut request: Request) -> Request {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let permille = self.errors_permille.load(Ordering::Relaxed);
        if number * permille / 1_000 != (number + 1) * permille / 1_000 {
            request = request.header("x-envoy-fault-abort-request", "503");
        }
        if self.delay.is_zero() {
            return request;
        }
        request.header("x-envoy-fault-delay-request", self.delay.as_millis().to_string())
    }
}

impl Traffic {
    /// Begins; `policy` says who is on which side.
    pub(super) fn begin(scene: &Scene, policy: &str, fates: Arc<Fates>) -> Self {
        let core = Core::new(policy);
        let canary: Vec<_> = (0..USERS).map(|number| core.side(number) == "canary").collect();
        let clients = scene.lab.clients(CONNECTIONS).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let load = std::thread::spawn(move || {
            let start = Instant::now();
            let request = |number: u64| {
                let due = start + BETWEEN_REQUESTS * u32::try_from(number).unwrap();
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let number = usize::try_from(number).unwrap();
                // In each round of all users others buy.
                let purchase = (number + number / USERS).is_multiple_of(PURCHASES);
                let number = number % USERS;
                let request = if purchase { Request::new("POST", "/order") } else { Request::get("/") };
                let request = request.header("x-user-id", user(number));
                if canary[number] { fates.canary.of(request) } else { fates.stable.of(request) }
            };
            Load::over(clients).until(&stopped).run(request, |_, _| {})
        });
        Self { stop, load: Some(load) }
    }

    /// Ends; every request must have been answered, with a 200 or with the error it asked for.
    pub(super) fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let tally = self.load.take().unwrap().join().unwrap();
        assert_eq!(tally.failures, Vec::<String>::new());
        assert!(tally.statuses.keys().all(|status| [200, 503].contains(status)), "{:?}", tally.statuses);
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(load) = self.load.take() {
            let _ = load.join();
        }
    }
}
