//! Users who send requests at a steady rate, and what came of each.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use canary_core::split::VariantId;
use canary_lab::{Client, Response, raw};

use super::people::Person;
use super::plan::Plan;
use super::upstream::{HIT, SIDE};

/// How long a client sleeps at most before it looks whether all is over.
const LOOK: Duration = Duration::from_millis(100);

/// A request, its answer, and when it was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// By whom.
    pub(super) person: Person,
    /// The user's place.
    pub(super) place: usize,
    /// Since traffic began.
    pub(super) at: Duration,
    pub(super) answer: Answer,
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A side's upstream has answered.
    Served {
        side: VariantId,
        /// With a 2xx.
        ok: bool,
        /// It failed, or was slow, on purpose.
        hit: bool,
    },
    /// Nothing, for as long as a client waits.
    GivenUp,
    /// Something else: Envoy itself has answered, or the connection broke.
    Odd,
}

/// Requests that go on until they are stopped.
#[derive(Debug)]
pub(super) struct Traffic<'a> {
    plan: &'a Plan,
    rps: u32,
    start: Instant,
    fails: AtomicBool,
    stop: AtomicBool,
    sent: Mutex<Vec<Sent>>,
}

impl<'a> Traffic<'a> {
    /// Nothing is sent yet, but the clock runs.
    pub(super) fn new(plan: &'a Plan, rps: u32) -> Self {
        let [fails, stop] = [AtomicBool::new(false), AtomicBool::new(false)];
        Self { plan, rps, start: Instant::now(), fails, stop, sent: Mutex::default() }
    }

    /// How many connections it takes, by Little's law with room to spare.
    pub(super) fn connections(plan: &Plan, rps: u32) -> usize {
        let share = f64::from(plan.weight) / 1e6;
        let each = 0.02 + share * plan.fault.delay().as_secs_f64();
        let busy = Duration::from_secs_f64(f64::from(rps) * each).as_secs();
        usize::try_from(busy).unwrap_or_default().saturating_mul(2).clamp(8, 256)
    }

    /// Since traffic began.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// From now on the variant fails, which some clients must know: they wait less long.
    pub(super) fn fail(&self) {
        self.fails.store(true, Ordering::Relaxed);
    }

    /// Nothing more is sent.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Shows what was sent so far, in no certain order.
    pub(super) fn look<T>(&self, see: impl FnOnce(&[Sent]) -> T) -> T {
        match self.sent.lock() {
            Ok(sent) => see(&sent),
            Err(broken) => see(&broken.into_inner()),
        }
    }

    /// Sends over these clients, each on a thread of its own, until it is stopped.
    pub(super) fn run(&self, clients: Vec<Client>, port: u16) {
        let next = AtomicU64::new(0);
        thread::scope(|scope| {
            for mut client in clients {
                let next = &next;
                scope.spawn(move || while self.send(next, &mut client, port).is_some() {});
            }
        });
    }

    /// Sends the next request when it is due; `None` where all is over.
    fn send(&self, next: &AtomicU64, client: &mut Client, port: u16) -> Option<()> {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let nanos = number.saturating_mul(1_000_000_000) / u64::from(self.rps);
        let due = Duration::from_nanos(nanos);
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            match due.checked_sub(self.now()) {
                Some(left) if !left.is_zero() => thread::sleep(left.min(LOOK)),
                _ => break,
            }
        }
        let people = self.plan.people.all();
        let place = usize::try_from(number).ok()?.checked_rem(people.len())?;
        let person = *people.get(place)?;
        let at = self.now();
        let answer = self.ask(person, client, port);
        if let Ok(mut sent) = self.sent.lock() {
            sent.push(Sent { person, place, at, answer });
        }
        Some(())
    }

    fn ask(&self, person: Person, client: &mut Client, port: u16) -> Answer {
        let request = self.plan.people.request(person);
        let may_hang = self.fails.load(Ordering::Relaxed) && person.side == self.plan.variant.id;
        match self.plan.fault.patience().filter(|_| may_hang) {
            // Over a connection of its own, which is closed when the client has waited enough.
            Some(patience) => match raw(port, &request.bytes(), patience) {
                Ok(bytes) if bytes.is_empty() => Answer::GivenUp,
                Ok(bytes) => self.answer_of(&bytes),
                Err(_) => Answer::Odd,
            },
            None => client.send(&request).map_or(Answer::Odd, |response| self.answer(&response)),
        }
    }

    /// What a response says.
    pub(super) fn answer(&self, response: &Response) -> Answer {
        let side = response.header_bytes(SIDE);
        self.served(response.status, side, response.header_bytes(HIT).is_some())
    }

    /// What raw bytes say, of which only the head matters.
    fn answer_of(&self, bytes: &[u8]) -> Answer {
        let text = String::from_utf8_lossy(bytes);
        let header = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        self.served(status, header(SIDE).map(str::as_bytes), header(HIT).is_some())
    }

    fn served(&self, status: u16, side: Option<&[u8]>, hit: bool) -> Answer {
        let side = side.and_then(|name| self.plan.rollout.side(name));
        let ok = (200..300).contains(&status);
        side.map_or(Answer::Odd, |side| Answer::Served { side: side.id, ok, hit })
    }
}
