//! All users of one country, several requests each, and what Envoy's own stats say of them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use canary_lab::{Lab, Load, wait_until};

use super::scene::{Country, Scene};
use crate::interrupt::Interrupt;

/// Requests of each user, each over another connection.
pub(super) const ROUNDS: u32 = 3;

/// Connections at one time; each worker serves at least one.
const CONNECTIONS: usize = 4;

/// Stats are gathered in the workers and added on a tick.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of a country's requests.
#[derive(Debug)]
pub(super) struct Batch {
    /// How many were sent.
    pub(super) requests: u32,
    /// By Envoy's stats, requests by variant, the baseline too.
    pub(super) counted: BTreeMap<String, u32>,
    /// The side of each user, in order.
    pub(super) sides: Vec<String>,
    /// What did not hold.
    pub(super) failures: Vec<String>,
}

/// Sends a country's users and waits until Envoy has counted them.
pub(super) fn send(lab: &Lab, scene: &Scene, country: &Country, interrupt: &Interrupt) -> Result<Batch> {
    let before = Counts::now(lab, scene)?;
    // Of each user, whatever side a response has named.
    let seen = Mutex::new(vec![Vec::<String>::new(); usize::try_from(country.users)?]);
    let stamp = scene.stamp().context("the demo needs a policy with a response stamp")?;
    let mut failures = Vec::new();
    for _ in 0..ROUNDS {
        // New connections, so that no worker sees a user every time but by chance.
        let load =
            Load::over(lab.clients(CONNECTIONS)?).requests(country.users.into()).until(interrupt.flag());
        let user = |number: u64| country.first.saturating_add(u32::try_from(number).unwrap_or(u32::MAX));
        let tally = load.run(
            |number| scene.request(&country.code, user(number)),
            |number, response| {
                let side = response.header(stamp).unwrap_or_else(|| "-".to_owned());
                let index = usize::try_from(number).unwrap_or(usize::MAX);
                if let Ok(mut seen) = seen.lock()
                    && let Some(sides) = seen.get_mut(index)
                    && !sides.contains(&side)
                {
                    sides.push(side);
                }
            },
        );
        if interrupt.came() {
            bail!("interrupted");
        }
        if let Err(error) = tally.all_ok() {
            failures.push(format!("{}: {error}", country.code));
        }
    }
    let seen = seen.into_inner().map_err(|_| anyhow!("a client thread died"))?;
    failures.extend(strays(scene, country, &seen));
    let requests = country.users.saturating_mul(ROUNDS);
    let counted = before.since(lab, scene, requests.into())?;
    let sum: u32 = counted.values().sum();
    if sum != requests {
        failures.push(format!("{}: {requests} requests were sent, Envoy counted {sum}", country.code));
    }
    let sides = seen.into_iter().map(|sides| sides.into_iter().next().unwrap_or_default()).collect();
    Ok(Batch { requests, counted, sides, failures })
}

/// Users who saw two sides, and users who saw another than the core says.
fn strays(scene: &Scene, country: &Country, seen: &[Vec<String>]) -> Vec<String> {
    let wavering = seen.iter().filter(|sides| sides.len() != 1).count();
    let users = country.numbers().zip(seen);
    let elsewhere = users.filter(|(user, sides)| {
        let expected = scene.side(&country.code, *user);
        sides.iter().any(|side| side != expected)
    });
    let mut failures = Vec::new();
    if wavering > 0 {
        failures.push(format!("{}: {wavering} users did not stay on one side", country.code));
    }
    let elsewhere = elsewhere.count();
    if elsewhere > 0 {
        let message = format!("{}: {elsewhere} users were not where `explain` says", country.code);
        failures.push(message);
    }
    failures
}

/// Envoy's counters of the demo's rollout at one moment, by variant.
#[derive(Debug)]
pub(super) struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Reads them now.
    pub(super) fn now(lab: &Lab, scene: &Scene) -> Result<Self> {
        let (stats, rollout) = (lab.admin().stats()?, scene.rollout()?);
        let counts = rollout.variants.iter().map(|variant| {
            let labels = [("rollout", &*rollout.name), ("variant", &*variant.name)];
            (variant.name.to_string(), stats.canary("canary_requests_total", &labels))
        });
        Ok(Self(counts.collect()))
    }

    /// What was counted since, once it is as much as was sent; less where that never comes.
    pub(super) fn since(&self, lab: &Lab, scene: &Scene, sent: u64) -> Result<BTreeMap<String, u32>> {
        let mut counted = BTreeMap::new();
        let all = wait_until(PATIENCE, "Envoy's stats", || {
            let Self(now) = Self::now(lab, scene)?;
            counted = now
                .into_iter()
                .map(|(variant, count)| {
                    let new = count.saturating_sub(self.0.get(&variant).copied().unwrap_or_default());
                    (variant, u32::try_from(new).unwrap_or(u32::MAX))
                })
                .collect();
            let sum: u64 = counted.values().copied().map(u64::from).sum();
            Ok((sum >= sent).then_some(()))
        });
        // Too few is for the caller to report, with the figures.
        if counted.is_empty() { all.map(|()| counted) } else { Ok(counted) }
    }
}
