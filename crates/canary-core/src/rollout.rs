//! One thing that is being released: its variants, its split and its rules.

use crate::bucket::{MILLION, Salt};
use crate::condition::Condition;
use crate::split::{Split, VariantId};

/// One release in progress, checked: its variants exist and its weights fit.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// Its place in the policy.
    pub id: RolloutId,
    /// Its name, for stamps and stats.
    pub name: Box<str>,
    /// What is being released.
    pub release: Option<Box<str>>,
    /// A rollout that is not enabled gives everyone the baseline.
    pub enabled: bool,
    /// Decides which users are the first.
    pub salt: Salt,
    /// What makes up a user's key.
    pub bucket_by: BucketBy,
    /// What users without identity get.
    pub anonymous: Anonymous,
    /// The baseline at slot 0, then the variants in the order of the policy.
    pub variants: Box<[Variant]>,
    /// The layout of the variants' weights.
    pub split: Split,
    /// The first whose condition holds decides.
    pub rules: Box<[Rule]>,
}

/// A rollout by its place in the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RolloutId(pub u32);

/// One side of a rollout.
#[derive(Clone, Debug)]
pub struct Variant {
    /// Which side.
    pub id: VariantId,
    /// Its name, for stamps and stats.
    pub name: Box<str>,
    /// The cluster that serves it, where the policy says so.
    pub cluster: Option<Box<str>>,
    /// Its users get the baseline; its range on the circle stays.
    pub rolled_back: bool,
}

/// An exception to the split.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name, for logs.
    pub name: Box<str>,
    /// Whom it is for.
    pub when: Condition,
    /// What they get.
    pub then: Then,
}

/// What a rule does.
#[derive(Clone, Debug)]
pub enum Then {
    /// Everyone gets this side, whoever they are.
    Pin(VariantId),
    /// Other weights on the same bucket.
    Split(Split),
}

/// The fields of a user's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketBy {
    /// The identity alone: a user who travels keeps a side.
    Identity,
    /// The identity and the geo: a user who changes country is drawn anew.
    IdentityAndGeo,
}

/// What a split does with those who have no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anonymous {
    /// The baseline, unless one variant holds everyone.
    Baseline,
    /// A draw for each request, by weight.
    Random,
}

impl Rollout {
    /// One side by its id.
    pub fn variant(&self, id: VariantId) -> Option<&Variant> {
        self.variants.get(id.slot())
    }

    /// The share that each side gets now, outside rules: 0 for a variant that is rolled
    /// back, all for the baseline of a rollout that is not enabled.
    pub fn effective_weights(&self) -> impl Iterator<Item = (&Variant, u32)> {
        let weights = self.variants.iter().skip(1).zip(self.split.weights());
        let weights = weights.map(|(variant, weight)| {
            let serves = self.enabled && !variant.rolled_back;
            (variant, if serves { weight.ppm() } else { 0 })
        });
        let taken: u32 = weights.clone().map(|(_, ppm)| ppm).sum();
        let baseline = self.variants.first().map(|baseline| (baseline, MILLION - taken));
        baseline.into_iter().chain(weights)
    }
}
