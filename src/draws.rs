//! What splits have drawn, users each once a day in all workers, for the check of their ratio.

use canary_core::exchange::Draw;
use canary_core::policy::Policy;
use canary_core::rollback::Rollbacks;
use canary_core::sightings::Sightings;
use canary_core::timeline::Instant;

use crate::host;
use crate::plugin::Plugin;
use crate::stats::Stats;
use crate::table::Table;

/// The draws of one policy on one worker.
pub(crate) struct Draws(Box<[Sightings]>);

impl Draws {
    /// None yet.
    pub(crate) fn new(policy: &Policy) -> Self {
        Self(policy.rollouts.iter().map(|rollout| Sightings::new(rollout.salt)).collect())
    }

    /// A draw was made. A user waits for the tick; a draw for one request is nobody else's.
    pub(crate) fn drawn(
        &self,
        draw: &Draw<'_>,
        rollbacks: &Rollbacks,
        table: &Table,
        policy: &Policy,
        stats: &Stats,
    ) {
        let Draw { rollout, side, split, user } = *draw;
        let shares = rollout.shares(split, rollbacks).map(|(_, ppm)| ppm);
        let place = usize::try_from(rollout.id.0).ok();
        if let Some((user, sightings)) = user.zip(place.and_then(|place| self.0.get(place))) {
            sightings.see(user, side, shares);
        } else {
            let one =
                rollout.shares(split, rollbacks).map(|(variant, ppm)| (ppm, u32::from(variant.id == side)));
            table.drawn(rollout, one, policy, stats);
        }
    }

    /// Counts those users whom no worker has seen before.
    pub(crate) fn merge(&self, now: Instant, plugin: &Plugin, table: &Table, policy: &Policy, stats: &Stats) {
        for (rollout, sightings) in policy.rollouts.iter().zip(&self.0) {
            sightings.at(now);
            if !sightings.is_fresh() {
                continue;
            }
            let key = plugin.key(format_args!("drawn.{}", rollout.name));
            let written = host::update_shared_data(&key, |shared| Some(sightings.merge(shared)));
            // Where other workers were always faster, the next tick tries again.
            if let Some((all, new)) = written {
                sightings.merged(&all);
                for drawn in &new {
                    let sides = drawn.shares.iter().copied().zip(drawn.users.iter().copied());
                    table.drawn(rollout, sides, policy, stats);
                }
            }
        }
    }
}
