//! Traffic from several connections at once, counted.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::client::Client;
use crate::http::{Request, Response};

/// What became of the requests of one run.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    /// How many responses came, by status.
    pub statuses: BTreeMap<u16, u64>,
    /// What went wrong with requests that got no response, one line each.
    pub failures: Vec<String>,
    /// From the first request to the last response.
    pub elapsed: Duration,
}

impl Tally {
    /// How many requests were sent, answered or not.
    pub fn sent(&self) -> u64 {
        let failed = u64::try_from(self.failures.len()).unwrap_or(u64::MAX);
        self.statuses.values().sum::<u64>() + failed
    }

    /// An error that says what came where anything but a 2xx did.
    pub fn all_ok(&self) -> Result<()> {
        let fine = self.statuses.keys().all(|status| (200..300).contains(status));
        if fine && self.failures.is_empty() {
            return Ok(());
        }
        bail!(
            "statuses {:?}, {} without a response (first: {})",
            self.statuses,
            self.failures.len(),
            self.failures.first().map_or("-", String::as_str)
        )
    }

    fn add(&mut self, other: Self) {
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.failures.extend(other.failures);
    }
}

/// A run of requests over several connections, each on a thread of its own.
#[derive(Debug)]
pub struct Load<'a> {
    clients: Vec<Client>,
    requests: u64,
    stop: Option<&'a AtomicBool>,
}

impl<'a> Load<'a> {
    /// Over this many new connections to a port on 127.0.0.1.
    pub fn new(port: u16, connections: usize) -> Self {
        Self::over((0..connections).map(|_| Client::new(port)).collect())
    }

    /// Over these clients' connections, as from [`crate::Lab::clients`].
    pub fn over(clients: Vec<Client>) -> Self {
        Self { clients, requests: u64::MAX, stop: None }
    }

    /// Ends after this many requests in all.
    #[must_use]
    pub fn requests(mut self, requests: u64) -> Self {
        self.requests = requests;
        self
    }

    /// Ends when this becomes true.
    #[must_use]
    pub fn until(mut self, stop: &'a AtomicBool) -> Self {
        self.stop = Some(stop);
        self
    }

    /// Sends `request(0)`, `request(1)`, … and shows each response to `see`, in no fixed order.
    pub fn run(self, request: impl Fn(u64) -> Request + Sync, see: impl Fn(u64, &Response) + Sync) -> Tally {
        let Self { clients, requests, stop } = self;
        let start = Instant::now();
        let next = AtomicU64::new(0);
        let total = Mutex::new(Tally::default());
        let stopped = || stop.is_some_and(|stop| stop.load(Ordering::Relaxed));
        std::thread::scope(|scope| {
            for mut client in clients {
                scope.spawn({
                    let (next, total, request, see, stopped) = (&next, &total, &request, &see, &stopped);
                    move || {
                        let mut tally = Tally::default();
                        while !stopped() {
                            let number = next.fetch_add(1, Ordering::Relaxed);
                            if number >= requests {
                                break;
                            }
                            match client.send(&request(number)) {
                                Ok(response) => {
                                    *tally.statuses.entry(response.status).or_default() += 1;
                                    see(number, &response);
                                }
                                Err(error) => tally.failures.push(format!("{error:#}")),
                            }
                        }
                        if let Ok(mut total) = total.lock() {
                            total.add(tally);
                        }
                    }
                });
            }
        });
        let mut tally = total.into_inner().unwrap_or_default();
        tally.elapsed = start.elapsed();
        tally
    }
}
