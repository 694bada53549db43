//! Variants that are rolled back while their policy is in force: by the guardrail, beside those
//! that the policy's own state names.

use crate::rollout::RolloutId;
use crate::split::{VariantId, Weight};

/// What is rolled back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollbacks(Vec<Rollback>);

/// Nothing is rolled back.
pub static NOTHING: Rollbacks = Rollbacks(Vec::new());

/// One variant that is rolled back, at once or from the top of its range down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollback {
    /// Its rollout.
    pub rollout: RolloutId,
    /// The variant.
    pub variant: VariantId,
    /// The part of its range that it still serves, from the bottom.
    pub kept: Weight,
}

impl Rollbacks {
    /// The part of its range that a variant serves.
    pub(crate) fn kept(&self, rollout: RolloutId, variant: VariantId) -> Weight {
        let rollback = self.0.iter().find(|other| other.rollout == rollout && other.variant == variant);
        rollback.map_or(Weight::ALL, |rollback| rollback.kept)
    }
}

impl FromIterator<Rollback> for Rollbacks {
    fn from_iter<I: IntoIterator<Item = Rollback>>(rollbacks: I) -> Self {
        Self(rollbacks.into_iter().collect())
    }
}
