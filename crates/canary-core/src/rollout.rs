//! One thing that is being released: its variants, its split and its rules.

use crate::bucket::{MILLION, Salt};
use crate::condition::Condition;
use crate::event::Event;
use crate::flag::Flag;
use crate::forced::Override;
use crate::guardrail::settings::Settings;
use crate::rollback::Rollbacks;
use crate::split::{Split, VariantId, Weight};
use crate::timeline::{Instant, Timeline};
use crate::visitor::VisitorCookie;

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
    /// Decides and counts, but stamps and routes nothing.
    pub observe: bool,
    /// Requests that get the baseline and are in no figure of a variant.
    pub exclude: Option<Condition>,
    /// Where tokens stand that ask for a side.
    pub overrides: Option<Override>,
    /// When the side is followed that an outer proxy has chosen for this rollout.
    pub trust_inbound: Option<Condition>,
    /// Decides which users are the first.
    pub salt: Salt,
    /// What makes up a user's key.
    pub bucket_by: BucketBy,
    /// What users without identity get.
    pub anonymous: Anonymous,
    /// The baseline at slot 0, then the variants in the order of the policy.
    pub variants: Box<[Variant]>,
    /// The layouts of the variants' weights over time.
    pub timeline: Timeline,
    /// The first whose condition holds decides.
    pub rules: Box<[Rule]>,
    /// Features of the variants' users, sorted by name.
    pub flags: Box<[Flag]>,
    /// What users do, for stats.
    pub events: Box<[Event]>,
    /// The response headers in which the upstream names events, each once.
    pub event_headers: Box<[Box<str>]>,
    /// Whether the upstream's load reports are read.
    pub load_reports: bool,
    /// By what variants are judged while they serve.
    pub guardrail: Option<Guardrail>,
    /// A text that was not there before takes back what a guardrail has rolled back.
    pub resume: Option<Box<str>>,
}

/// By what a rollout's variants are judged while they serve.
#[derive(Clone, Debug)]
pub struct Guardrail {
    /// What is watched, and how.
    pub settings: Settings,
    /// The rollout's events that are watched, by their places in it, in the settings' order.
    pub events: Box<[usize]>,
    /// Which requests may count; all of them where there is none.
    pub count: Option<Condition>,
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

/// A rule by its place in the rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleId(pub(crate) u16);

/// An exception to the split.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its place.
    pub id: RuleId,
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
    Split(Timeline),
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anonymous {
    /// The baseline, unless one variant holds everyone.
    Baseline,
    /// A draw for each request, by weight.
    Random,
    /// An id in a cookie, issued with a page; without one as under [`Anonymous::Baseline`].
    Cookie(VisitorCookie),
}

impl Rollout {
    /// One side by its id.
    pub fn variant(&self, id: VariantId) -> Option<&Variant> {
        self.variants.get(id.slot())
    }

    /// A side by its name.
    pub fn side(&self, name: &[u8]) -> Option<&Variant> {
        self.variants.iter().find(|side| side.name.as_bytes() == name)
    }

    /// A rule by its id.
    pub fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.rules.get(usize::from(id.0))
    }

    /// The split in force for those for whom this rule decides, or none does; a pin has none.
    pub fn split<'p>(&'p self, rule: Option<&'p Rule>, now: Instant) -> Option<&'p Split> {
        match rule.map(|rule| &rule.then) {
            None => Some(self.timeline.at(now)),
            Some(Then::Split(timeline)) => Some(timeline.at(now)),
            Some(Then::Pin(_)) => None,
        }
    }

    /// The part of its range that a variant serves: none where the policy's state or a rollback
    /// took all of it.
    pub(crate) fn kept(&self, variant: &Variant, rollbacks: &Rollbacks) -> Weight {
        if variant.rolled_back { Weight::NONE } else { rollbacks.kept(self.id, variant.id) }
    }

    /// Whether a variant is rolled back, or being rolled back.
    pub fn is_rolled_back(&self, variant: &Variant, rollbacks: &Rollbacks) -> bool {
        self.kept(variant, rollbacks) != Weight::ALL
    }

    /// The share that each side gets at an instant, outside rules: 0 for a variant that is
    /// rolled back, all for the baseline of a rollout that is not enabled.
    pub fn effective_weights<'p>(
        &'p self,
        now: Instant,
        rollbacks: &'p Rollbacks,
    ) -> impl Iterator<Item = (&'p Variant, u32)> {
        self.shares(self.timeline.at(now), rollbacks).map(|(variant, ppm)| match (self.enabled, variant.id) {
            (true, _) => (variant, ppm),
            (false, VariantId::BASELINE) => (variant, MILLION),
            (false, _) => (variant, 0),
        })
    }

    /// The share of those drawn by a split that each side serves, in parts per million: what is
    /// rolled back is the baseline's.
    pub fn shares<'p>(
        &'p self,
        split: &'p Split,
        rollbacks: &'p Rollbacks,
    ) -> impl Iterator<Item = (&'p Variant, u32)> + Clone {
        let weights = self.variants.iter().skip(1).zip(split.weights());
        let weights =
            weights.map(|(variant, weight)| (variant, weight.part(self.kept(variant, rollbacks)).ppm()));
        let taken: u32 = weights.clone().map(|(_, ppm)| ppm).sum();
        let baseline = self.variants.first().map(|baseline| (baseline, MILLION - taken));
        baseline.into_iter().chain(weights)
    }
}
