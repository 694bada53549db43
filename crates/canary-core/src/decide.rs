//! The one evaluator: for the proxy, for `explain` and for `simulate`.

use std::fmt;

use crate::bucket::Point;
use crate::facts::Facts;
use crate::policy::Policy;
use crate::request::RequestView;
use crate::rollout::{Anonymous, BucketBy, Rollout, Rule, Then, Variant};
use crate::split::{Split, VariantId};

/// What a request gets, and why.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'p> {
    /// The rollout that the request belongs to.
    pub rollout: Option<&'p Rollout>,
    /// The side that serves it; `None` without a rollout, or where a random draw was left open.
    pub variant: Option<&'p Variant>,
    /// Why this side.
    pub reason: Reason,
    /// The rule that pinned it or gave the weights.
    pub rule: Option<&'p Rule>,
    /// Where the user stands on the circle, where that was asked for.
    pub point: Option<Point>,
}

/// Why a side was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The bucket decided, for the baseline too.
    Split,
    /// A rule pinned it.
    TargetingMatch,
    /// There was no identity.
    Anonymous,
    /// The rollout is not enabled.
    Disabled,
    /// The chosen variant is rolled back.
    RolledBack,
    /// No rollout matched.
    Default,
}

impl Reason {
    /// Every reason, in the order of [`Reason::index`].
    pub const ALL: [Self; 6] =
        [Self::Split, Self::TargetingMatch, Self::Anonymous, Self::Disabled, Self::RolledBack, Self::Default];

    /// The reason's place in [`Reason::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name in logs, stats and `explain`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Split => "SPLIT",
            Self::TargetingMatch => "TARGETING_MATCH",
            Self::Anonymous => "ANONYMOUS",
            Self::Disabled => "DISABLED",
            Self::RolledBack => "ROLLED_BACK",
            Self::Default => "DEFAULT",
        }
    }
}

/// Decides one request. `draw` is a random number for those whose side is drawn for each
/// request; without one their side is left open.
pub fn decide<'p>(policy: &'p Policy, view: &impl RequestView, draw: Option<u64>) -> Decision<'p> {
    let facts = Facts::new(policy, view);
    match policy.routes.find(&facts).and_then(|id| policy.rollout(id)) {
        Some(rollout) => rollout.decide(&facts, draw),
        None => Decision { rollout: None, variant: None, reason: Reason::Default, rule: None, point: None },
    }
}

/// A side before the rollback has its say; `None` is a draw left open.
type Chosen = (Option<VariantId>, Reason, Option<Point>);

impl Rollout {
    fn decide<V: RequestView>(&self, facts: &Facts<'_, V>, draw: Option<u64>) -> Decision<'_> {
        let matching = || self.rules.iter().find(|rule| rule.when.holds(facts));
        let rule = if self.enabled { matching() } else { None };
        let (side, reason, point) = match rule.map(|rule| &rule.then) {
            _ if !self.enabled => (Some(VariantId::BASELINE), Reason::Disabled, None),
            Some(Then::Pin(side)) => (Some(*side), Reason::TargetingMatch, None),
            Some(Then::Split(split)) => self.split(split, facts, draw),
            None => self.split(&self.split, facts, draw),
        };
        let chosen = side.and_then(|side| self.variant(side));
        // Last, and whatever chose the variant: a pin too.
        let (variant, reason) = match chosen {
            Some(variant) if variant.rolled_back => (self.variants.first(), Reason::RolledBack),
            chosen => (chosen, reason),
        };
        Decision { rollout: Some(self), variant, reason, rule, point }
    }

    fn split<V: RequestView>(&self, split: &Split, facts: &Facts<'_, V>, draw: Option<u64>) -> Chosen {
        if let Some(identity) = facts.identity() {
            let key = self.salt.key();
            let point = match self.bucket_by {
                BucketBy::Identity => key.last(identity),
                BucketBy::IdentityAndGeo => {
                    key.field(identity).last(facts.geo().map_or(&[], |geo| geo.as_bytes()))
                }
            };
            return (Some(split.owner(point)), Reason::Split, Some(point));
        }
        let side = match (split.sole(), self.anonymous) {
            // Everyone follows, so that the baseline can be shut down.
            (Some(sole), _) => Some(sole),
            (None, Anonymous::Baseline) => Some(VariantId::BASELINE),
            (None, Anonymous::Random) => draw.map(|draw| split.owner(Point::new(draw))),
        };
        (side, Reason::Anonymous, None)
    }
}

/// The form in access logs: `rollout=checkout variant=canary reason=SPLIT rule=- bucket=29377`.
impl fmt::Display for Decision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rollout = self.rollout.map_or("none", |rollout| &rollout.name);
        let variant = self.variant.map_or("-", |variant| &variant.name);
        let rule = self.rule.map_or("-", |rule| &rule.name);
        // Written for each request: text by text costs a third of what a format string does.
        let reason = self.reason.as_str();
        for text in
            ["rollout=", rollout, " variant=", variant, " reason=", reason, " rule=", rule, " bucket="]
        {
            f.write_str(text)?;
        }
        match self.point {
            Some(point) => write!(f, "{}", point.bucket()),
            None => f.write_str("-"),
        }
    }
}
