//! What guardrails have rolled back, by rollout, variant and release: so that it survives another
//! edition of the policy, whoever wrote it, and a VM that is built anew. One value of shared data.
//!
//! A rollback ends with a new release, or when an operator writes a `resume` that was not seen
//! before.

use std::fmt::Write;
use std::hash::Hasher;

use fnv::FnvHasher;

use crate::policy::Policy;
use crate::rollback::{Rollback, Rollbacks};
use crate::rollout::{Rollout, RolloutId, Variant};
use crate::split::Weight;

/// So many rollbacks and texts are remembered; the oldest are forgotten.
const MOST: usize = 1_000;

/// All rollbacks, and every `resume` that was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latches {
    rolled_back: Vec<Latch>,
    /// The rollout, and a hash of the text.
    resumed: Vec<(String, u64)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Latch {
    rollout: String,
    variant: String,
    release: String,
    /// In seconds of the clock that only goes forward.
    since: u64,
}

impl Latches {
    /// Reads a shared value; lines that cannot be read are left out.
    pub fn read(shared: &[u8]) -> Self {
        let mut latches = Self::default();
        for line in String::from_utf8_lossy(shared).lines() {
            let mut parts = line.splitn(5, '\t');
            let mut part = || parts.next().map(str::to_owned);
            let (kind, rollout) = (part(), part().unwrap_or_default());
            match (kind.as_deref(), part(), part(), part()) {
                (Some("rolled back"), Some(variant), Some(since), Some(release)) => {
                    let Ok(since) = since.parse() else { continue };
                    latches.rolled_back.push(Latch { rollout, variant, release, since });
                }
                (Some("resumed"), Some(text), ..) => {
                    latches.resumed.extend(text.parse().ok().map(|text| (rollout, text)));
                }
                _ => {}
            }
        }
        latches
    }

    /// For shared data.
    pub fn write(&self) -> Vec<u8> {
        let mut text = String::new();
        for Latch { rollout, variant, release, since } in &self.rolled_back {
            let _never_fails = writeln!(text, "rolled back\t{rollout}\t{variant}\t{since}\t{release}");
        }
        for (rollout, resume) in &self.resumed {
            let _never_fails = writeln!(text, "resumed\t{rollout}\t{resume}");
        }
        text.into_bytes()
    }

    /// Rolls a variant back, in this release.
    pub fn latch(&mut self, rollout: &Rollout, variant: &Variant, now: u64) {
        if !self.rolled_back.iter().any(|latch| latch.is_of(rollout, variant)) {
            self.rolled_back.push(Latch {
                rollout: rollout.name.as_ref().into(),
                variant: variant.name.as_ref().into(),
                release: release(rollout).into(),
                since: now,
            });
            let too_many = self.rolled_back.len().saturating_sub(MOST);
            self.rolled_back.drain(..too_many);
        }
    }

    /// Takes back what operators want to have back; the rollouts that begin anew.
    pub fn resume(&mut self, policy: &Policy) -> Vec<RolloutId> {
        let mut anew = Vec::new();
        for rollout in &policy.rollouts {
            let Some(text) = &rollout.resume else { continue };
            let mut hash = FnvHasher::default();
            hash.write(text.as_bytes());
            let seen = (rollout.name.as_ref().to_owned(), hash.finish());
            if !self.resumed.contains(&seen) {
                self.rolled_back.retain(|latch| latch.rollout != seen.0);
                self.resumed.push(seen);
                anew.push(rollout.id);
            }
        }
        let too_many = self.resumed.len().saturating_sub(MOST);
        self.resumed.drain(..too_many);
        anew
    }

    /// What is rolled back under a policy at a time.
    pub fn rollbacks(&self, policy: &Policy, now: u64) -> Rollbacks {
        let rollouts = policy.rollouts.iter();
        let sides =
            rollouts.flat_map(|rollout| rollout.variants.iter().map(move |variant| (rollout, variant)));
        let latched = sides.filter_map(|(rollout, variant)| {
            let latch = self.rolled_back.iter().find(|latch| latch.is_of(rollout, variant))?;
            let over = rollout.guardrail.as_ref().map_or(0, |guardrail| guardrail.settings.rollback_over);
            let left = u64::from(over).saturating_sub(now.saturating_sub(latch.since));
            let kept = if left == 0 { Weight::NONE } else { Weight::of(left, over.into()) };
            Some(Rollback { rollout: rollout.id, variant: variant.id, kept })
        });
        latched.collect()
    }
}

impl Latch {
    fn is_of(&self, rollout: &Rollout, variant: &Variant) -> bool {
        *self.rollout == *rollout.name && *self.variant == *variant.name && self.release == release(rollout)
    }
}

fn release(rollout: &Rollout) -> &str {
    rollout.release.as_deref().unwrap_or_default()
}
