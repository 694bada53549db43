//! A weight that changes while requests go on: how soon does every worker follow, and is
//! any request lost?

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use canary_core::policy::Policy;
use canary_lab::{Lab, Load, Tally, wait_until};
use serde_json::Value;

use super::batch::Counts;
use super::scene::{Country, Scene};
use crate::interrupt::Interrupt;

/// The weight that is set, in percent, or the other one where it is that already.
const WEIGHTS: [f64; 2] = [50.0, 10.0];

/// How soon the split must follow.
const WITHIN: Duration = Duration::from_secs(1);

/// No response from the old side for so long: it has followed.
const QUIET: Duration = Duration::from_millis(400);

const PATIENCE: Duration = Duration::from_secs(15);
const CONNECTIONS: usize = 4;

/// Another weight for the first variant of the demo's rollout.
#[derive(Debug)]
pub(super) struct Edit {
    pub(super) variant: String,
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) policy: Policy,
    text: String,
}

/// How the change went.
#[derive(Debug)]
pub(super) struct Change {
    /// From the rename to the last response from an old side; `None` where they never ceased.
    settled: Option<Duration>,
    /// Responses that named neither the old side nor the new one.
    strange: u32,
    tally: Tally,
}

/// When the sides were last and first seen, of users who change sides.
#[derive(Debug, Default)]
struct Seen {
    last_old: Option<Instant>,
    last: Option<Instant>,
    strange: u32,
    responses: u32,
}

impl Edit {
    /// The policy's text with another weight for the first variant.
    pub(super) fn of(scene: &Scene, text: &str) -> Result<Self> {
        let rollout = scene.rollout()?;
        let mut json: Value = serde_json::from_str(text)?;
        let at = format!("/rollouts/{}/variants/0", rollout.id.0);
        let variant = json.pointer_mut(&at).context("the rollout's first variant")?;
        let name = variant["name"].as_str().unwrap_or_default().to_owned();
        let from = variant["weight"].as_f64().unwrap_or_default();
        let to = WEIGHTS.into_iter().find(|weight| (weight - from).abs() > 0.0).unwrap_or_default();
        variant["weight"] = to.into();
        let text = format!("{json:#}");
        let policy = Policy::parse(text.as_bytes()).map_err(|problems| {
            anyhow!("a weight of {to} for {name} does not fit this policy: {problems}")
        })?;
        Ok(Self { variant: name, from, to, policy, text })
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the weight of {} goes from {} to {} %", self.variant, self.from, self.to)
    }
}

/// Pushes the edit while users whose side it changes send requests.
pub(super) fn apply(
    lab: &Lab,
    [before, after]: [&Scene; 2],
    country: &Country,
    edit: &Edit,
    interrupt: &Interrupt,
) -> Result<Change> {
    let code = &country.code;
    let movers: Vec<u32> =
        country.numbers().filter(|user| before.side(code, *user) != after.side(code, *user)).collect();
    if movers.is_empty() {
        bail!("the policy's `state` or rules hold {code} where it is, so that the weight moves nobody");
    }
    let stamp = before.stamp().context("the demo needs a policy with a response stamp")?;
    let mover = |number: u64| {
        let index = usize::try_from(number).unwrap_or_default() % movers.len();
        movers.get(index).copied().unwrap_or_default()
    };
    let counts = Counts::now(lab, before)?;
    let seen = Mutex::new(Seen::default());
    let stop = AtomicBool::new(false);
    let load = Load::over(lab.clients(CONNECTIONS)?).until(&stop);
    let (tally, pushed) = std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            load.run(
                |number| before.request(code, mover(number)),
                |number, response| {
                    let (user, side) = (mover(number), response.header(stamp).unwrap_or_default());
                    let (old, new) = (before.side(code, user), after.side(code, user));
                    if let Ok(mut seen) = seen.lock() {
                        seen.add(side == old, side == new);
                    }
                },
            )
        });
        let pushed = push(lab, edit, &seen, interrupt);
        stop.store(true, Ordering::Relaxed);
        let tally = run.join().map_err(|_| anyhow!("the load thread died"));
        Ok::<_, anyhow::Error>((tally?, pushed?))
    })?;
    // What comes next must not be mixed up with what is still being counted.
    counts.since(lab, before, tally.sent())?;
    let seen = seen.into_inner().map_err(|_| anyhow!("a client thread died"))?;
    let followed = pushed.map(|pushed| match seen.last_old {
        Some(last) => last.saturating_duration_since(pushed),
        None => Duration::ZERO,
    });
    Ok(Change { settled: followed, strange: seen.strange, tally })
}

/// Renames the edited policy into place once the load is on, and waits until the old sides
/// have fallen silent; returns when it was renamed, or `None` where they do not fall silent.
fn push(lab: &Lab, edit: &Edit, seen: &Mutex<Seen>, interrupt: &Interrupt) -> Result<Option<Instant>> {
    let look = |until: &dyn Fn(&Seen) -> bool| {
        wait_until(PATIENCE, "the split to follow", || {
            if interrupt.came() {
                bail!("interrupted");
            }
            let seen = seen.lock().map_err(|_| anyhow!("a client thread died"))?;
            Ok(until(&seen).then_some(()))
        })
    };
    look(&|seen| seen.responses >= 200)?;
    let pushed = Instant::now();
    lab.push(&super::envoy::ecds(&edit.text))?;
    let silent = look(&|seen| {
        // Nothing but new sides for a while, up to the newest response.
        let since = seen.last_old.zip(seen.last).map(|(old, last)| last.saturating_duration_since(old));
        since.is_some_and(|since| since >= QUIET)
    });
    match silent {
        Err(error) if interrupt.came() => Err(error),
        silent => Ok(silent.is_ok().then_some(pushed)),
    }
}

impl Seen {
    fn add(&mut self, old: bool, new: bool) {
        let now = Instant::now();
        self.last = Some(now);
        self.responses = self.responses.saturating_add(1);
        if old {
            self.last_old = Some(now);
        }
        self.strange += u32::from(!old && !new);
    }
}

impl Change {
    /// What did not hold.
    pub(super) fn failures(&self) -> Vec<String> {
        let late = match self.settled {
            Some(settled) if settled <= WITHIN => None,
            Some(settled) => Some(format!("the split followed after {settled:?}, not within {WITHIN:?}")),
            None => Some(format!("the split did not follow within {PATIENCE:?}")),
        };
        let strange = (self.strange > 0)
            .then(|| format!("{} responses named neither the old side nor the new one", self.strange));
        let lost = self.tally.all_ok().err();
        let lost = lost.map(|error| format!("requests were lost during the change: {error}"));
        [late, strange, lost].into_iter().flatten().collect()
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent = self.tally.sent();
        let lost = sent - self.tally.statuses.range(200..300).map(|(_, count)| count).sum::<u64>();
        match self.settled {
            Some(settled) => {
                write!(f, "All workers had followed {} ms after the rename", settled.as_millis())?;
            }
            None => f.write_str("The workers did not follow")?,
        }
        write!(f, "; of {sent} requests meanwhile {lost} were not answered with 2xx.")
    }
}
