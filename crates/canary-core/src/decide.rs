//! The one evaluator: for the proxy, for `explain` and for `simulate`.

use std::borrow::Cow;
use std::fmt;

use crate::bucket::{Point, Salt};
use crate::event::EventSet;
use crate::facts::Facts;
use crate::flag::Flags;
use crate::forced::{Forced, KeyRing};
use crate::geo::GeoId;
use crate::inbound;
use crate::policy::Policy;
use crate::request::RequestView;
use crate::rollback::{NOTHING, Rollbacks};
use crate::rollout::{Anonymous, BucketBy, Guardrail, Rollout, Rule, Then, Variant};
use crate::split::{Split, VariantId, Weight};
use crate::timeline::Instant;
use crate::visitor::{VisitorId, asks_for_a_page};

/// What a decision depends on beside the policy and the request.
#[derive(Clone, Copy)]
pub struct Ambient<'a> {
    /// The time, in seconds since 1970.
    pub now: Instant,
    /// Random bits, asked for at most once: for those whose side is drawn for each request, and
    /// for a visitor's new id. Without them such a side is left open, and no id is issued.
    pub random: &'a dyn Fn() -> Option<u128>,
    /// The keys by which tokens are checked.
    pub keys: Option<&'a KeyRing>,
    /// What is rolled back beside what the policy's state says.
    pub rollbacks: &'a Rollbacks,
}

impl Ambient<'_> {
    /// An instant, without random bits and without keys: what is random has no one answer. Nothing
    /// is rolled back but by the policy.
    pub fn at(now: Instant) -> Self {
        Self { now, random: &|| None, keys: None, rollbacks: &NOTHING }
    }
}

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
    /// The weights by which it was drawn, where it was.
    pub split: Option<&'p Split>,
    /// The features that the user has.
    pub flags: Flags,
    /// Where the request comes from, as stats tell it; `None` where the policy names no geo.
    pub geo: Option<GeoId>,
    /// The business events that wait for an outcome.
    pub events: EventSet,
    /// Whether the guardrail is told what comes of it: it was drawn, and may count.
    pub judged: bool,
    /// The id that a visitor is to be given.
    pub issued: Option<VisitorId>,
    /// What came of the request's tokens.
    pub token: Token,
    /// The side that was chosen before the rollback had its say.
    pub chosen: Option<&'p Variant>,
}

/// What came of a request's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// Nobody looked for one.
    Unread,
    /// There is none.
    Absent,
    /// One got its side.
    Accepted,
    /// There were some, none of which is worth anything.
    Rejected,
}

/// Why a side was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The bucket decided, for the baseline too.
    Split,
    /// A rule pinned it.
    TargetingMatch,
    /// A signed token asked for it.
    Override,
    /// An outer proxy had chosen it.
    Inbound,
    /// There was no identity.
    Anonymous,
    /// The rollout is not enabled.
    Disabled,
    /// The chosen variant is rolled back.
    RolledBack,
    /// The request is not to be part of any figure.
    Excluded,
    /// No rollout matched.
    Default,
}

impl Reason {
    /// Every reason, in the order of [`Reason::index`].
    pub const ALL: [Self; 9] = [
        Self::Split,
        Self::TargetingMatch,
        Self::Override,
        Self::Inbound,
        Self::Anonymous,
        Self::Disabled,
        Self::RolledBack,
        Self::Excluded,
        Self::Default,
    ];

    /// The reason's place in [`Reason::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name in logs, stats and `explain`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Split => "SPLIT",
            Self::TargetingMatch => "TARGETING_MATCH",
            Self::Override => "OVERRIDE",
            Self::Inbound => "INBOUND",
            Self::Anonymous => "ANONYMOUS",
            Self::Disabled => "DISABLED",
            Self::RolledBack => "ROLLED_BACK",
            Self::Excluded => "EXCLUDED",
            Self::Default => "DEFAULT",
        }
    }
}

/// Decides one request.
pub fn decide<'p>(policy: &'p Policy, view: &impl RequestView, ambient: Ambient<'_>) -> Decision<'p> {
    let facts = Facts::new(policy, view);
    match policy.routes.find(&facts).and_then(|id| policy.rollout(id)) {
        Some(rollout) => {
            let decision = rollout.decide(policy, &facts, ambient);
            let guardrail = rollout.guardrail.as_ref().filter(|_| decision.split.is_some());
            let may_count =
                |guardrail: &Guardrail| guardrail.count.as_ref().is_none_or(|count| count.holds(&facts));
            Decision {
                geo: policy.geo_id(&facts),
                events: EventSet::waiting(&rollout.events, &facts),
                judged: guardrail.is_some_and(may_count),
                ..decision
            }
        }
        None => Decision::new(None, None, Reason::Default),
    }
}

/// A side before the rollback has its say.
struct Choice<'p> {
    /// `None` is a draw left open.
    side: Option<VariantId>,
    reason: Reason,
    rule: Option<&'p Rule>,
    point: Option<Point>,
    split: Option<&'p Split>,
    visitor: Option<Visitor>,
}

/// A visitor who is known by a cookie.
#[derive(Clone, Copy)]
struct Visitor {
    id: VisitorId,
    /// Whether the id is still to be given to them.
    is_new: bool,
}

impl<'p> Decision<'p> {
    fn new(rollout: Option<&'p Rollout>, variant: Option<&'p Variant>, reason: Reason) -> Self {
        Self {
            rollout,
            variant,
            reason,
            rule: None,
            point: None,
            split: None,
            flags: Flags::default(),
            geo: None,
            events: EventSet::default(),
            judged: false,
            issued: None,
            token: Token::Unread,
            chosen: variant,
        }
    }
}

impl Choice<'_> {
    /// Whether the side still serves it, of whose range this part is left. Only who was drawn has a
    /// place in the range.
    fn stays(&self, kept: Weight) -> bool {
        kept == Weight::ALL
            || self.point.zip(self.split).is_some_and(|(point, split)| split.depth(point) < kept.ppm())
    }

    fn of(side: VariantId, reason: Reason) -> Self {
        Self { side: Some(side), reason, rule: None, point: None, split: None, visitor: None }
    }
}

impl Rollout {
    fn decide<'p, V: RequestView>(
        &'p self,
        policy: &'p Policy,
        facts: &Facts<'_, V>,
        ambient: Ambient<'_>,
    ) -> Decision<'p> {
        let baseline = self.variants.first();
        if !self.enabled {
            return Decision::new(Some(self), baseline, Reason::Disabled);
        }
        let mut excluding = policy.exclude.iter().chain(&self.exclude);
        if excluding.any(|condition| condition.holds(facts)) {
            return Decision::new(Some(self), baseline, Reason::Excluded);
        }
        let forced = self.forced(facts.view, ambient.keys.and_then(|keys| keys.get(self.id)), ambient.now);
        let choice = match forced {
            Forced::To(side) => Choice::of(side.id, Reason::Override),
            Forced::No | Forced::Rejected => self.choose(policy, facts, ambient),
        };
        let chosen = choice.side.and_then(|side| self.variant(side));
        // Last, and whatever chose the variant, a pin too; but not a token, by which people look
        // at what was rolled back.
        let (variant, reason) = match chosen {
            Some(variant)
                if choice.reason != Reason::Override
                    && !choice.stays(self.kept(variant, ambient.rollbacks)) =>
            {
                (baseline, Reason::RolledBack)
            }
            chosen => (chosen, choice.reason),
        };
        let followed = inbound::brings_features(reason, &policy.stamps, facts.view);
        // A pin asks for no visitor, but features are theirs whatever chose the side.
        let point =
            |salt: Salt| self.point(salt, facts, choice.visitor.or_else(|| self.known_visitor(facts)));
        Decision {
            rule: choice.rule,
            point: choice.point,
            split: choice.split,
            flags: variant
                .filter(|_| !followed)
                .map_or_else(Flags::default, |side| Flags::of(&self.flags, side.id, facts, point)),
            chosen,
            issued: choice.visitor.filter(|visitor| visitor.is_new).map(|visitor| visitor.id),
            token: match forced {
                Forced::No => Token::Absent,
                Forced::To(_) => Token::Accepted,
                Forced::Rejected => Token::Rejected,
            },
            ..Decision::new(Some(self), variant, reason)
        }
    }

    fn choose<'p, V: RequestView>(
        &'p self,
        policy: &Policy,
        facts: &Facts<'_, V>,
        ambient: Ambient<'_>,
    ) -> Choice<'p> {
        let trusted = self.trust_inbound.as_ref().is_some_and(|trusted| trusted.holds(facts));
        if let Some(side) = trusted.then(|| inbound::side(self, &policy.stamps, facts.view)).flatten() {
            return Choice::of(side.id, Reason::Inbound);
        }
        let rule = self.rules.iter().find(|rule| rule.when.holds(facts));
        let choice = match rule.map(|rule| &rule.then) {
            Some(Then::Pin(side)) => Choice::of(*side, Reason::TargetingMatch),
            Some(Then::Split(timeline)) => self.draw(timeline.at(ambient.now), facts, ambient),
            None => self.draw(self.timeline.at(ambient.now), facts, ambient),
        };
        Choice { rule, ..choice }
    }

    fn draw<'p, V: RequestView>(
        &self,
        split: &'p Split,
        facts: &Facts<'_, V>,
        ambient: Ambient<'_>,
    ) -> Choice<'p> {
        let visitor = self.visitor(facts, ambient);
        if let Some(point) = self.point(self.salt, facts, visitor) {
            let choice = Choice::of(split.owner(point), Reason::Split);
            return Choice { point: Some(point), split: Some(split), visitor, ..choice };
        }
        let (side, drawn) = match (split.sole(), &self.anonymous) {
            // Everyone follows, so that the baseline can be shut down.
            (Some(sole), _) => (Some(sole), None),
            (None, Anonymous::Random) => {
                let draw = (ambient.random)().and_then(|bits| u64::try_from(bits >> 64).ok());
                (draw.map(|draw| split.owner(Point::new(draw))), Some(split))
            }
            (None, Anonymous::Baseline | Anonymous::Cookie(_)) => (Some(VariantId::BASELINE), None),
        };
        Choice { side, split: drawn, ..Choice::of(VariantId::BASELINE, Reason::Anonymous) }
    }

    /// Who comes without identity, and has a cookie or is to get one.
    fn visitor<V: RequestView>(&self, facts: &Facts<'_, V>, ambient: Ambient<'_>) -> Option<Visitor> {
        if !matches!(self.anonymous, Anonymous::Cookie(_)) || facts.identity().is_some() {
            return None;
        }
        // Where nothing is stamped, nothing is given to clients either.
        let issue = || (!self.observe && asks_for_a_page(facts.view)).then(ambient.random).flatten();
        let new = || issue().map(|bits| Visitor { id: VisitorId::new(bits), is_new: true });
        self.known_visitor(facts).or_else(new)
    }

    /// Who has a cookie.
    fn known_visitor<V: RequestView>(&self, facts: &Facts<'_, V>) -> Option<Visitor> {
        let Anonymous::Cookie(cookie) = &self.anonymous else { return None };
        Some(Visitor { id: cookie.read(facts.view)?, is_new: false })
    }

    /// Where a user stands under a salt; `None` without identity.
    fn point<V: RequestView>(
        &self,
        salt: Salt,
        facts: &Facts<'_, V>,
        visitor: Option<Visitor>,
    ) -> Option<Point> {
        let visitor = visitor.as_ref().map(|visitor| visitor.id.as_bytes());
        let identity = facts.identity().or(visitor)?;
        let key = salt.key();
        Some(match self.bucket_by {
            BucketBy::Identity => key.last(identity),
            BucketBy::IdentityAndGeo => {
                key.field(identity).last(facts.geo().map_or(&[], |geo| geo.as_bytes()))
            }
        })
    }
}

impl<'p> Decision<'p> {
    /// The rollout, the variant, the reason and the rule, as logs name them.
    fn names(&self) -> [&'p str; 4] {
        [
            self.rollout.map_or("none", |rollout| &rollout.name),
            self.variant.map_or("-", |variant| &variant.name),
            self.reason.as_str(),
            self.rule.map_or("-", |rule| &rule.name),
        ]
    }

    /// The parts of the form in access logs, one by one, by the names of their filter states.
    pub fn fields(&self) -> [(&'static str, Cow<'p, str>); 5] {
        let [rollout, variant, reason, rule] = self.names().map(Cow::Borrowed);
        let bucket = self.point.map_or("-".into(), |point| point.bucket().to_string().into());
        [
            ("canary.rollout", rollout),
            ("canary.variant", variant),
            ("canary.reason", reason),
            ("canary.rule", rule),
            ("canary.bucket", bucket),
        ]
    }
}

/// The form in access logs: `rollout=checkout variant=canary reason=SPLIT rule=- bucket=29377`.
impl fmt::Display for Decision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [rollout, variant, reason, rule] = self.names();
        // Written for each request: text by text costs a third of what a format string does.
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
