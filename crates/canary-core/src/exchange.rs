//! One HTTP exchange without I/O: each step returns what is to be done.

use std::borrow::Cow;

use crate::baggage;
use crate::code_class::CodeClass;
use crate::decide::{Ambient, Decision, Reason, Token, decide};
use crate::inbound;
use crate::policy::{Policy, Role};
use crate::request::{RequestView, without_cookies, without_queries};
use crate::rollout::{Anonymous, Rollout, RolloutId, Variant};
use crate::split::VariantId;
use crate::visitor::{VisitorId, private_cache_control};

/// What is remembered of an exchange between its request and its end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exchange {
    served: Option<(RolloutId, VariantId)>,
    /// Whether the client is told who served it.
    told: bool,
    /// Whether it is in the figures of a variant.
    counted: bool,
    issued: Option<VisitorId>,
    class: CodeClass,
}

/// What is to be done with a request.
#[derive(Clone, Debug)]
pub struct RequestPlan<'p> {
    /// What was decided, for stats.
    pub decision: Decision<'p>,
    /// The stamps that say which side serves.
    pub stamps: [Change<'p>; 3],
    /// What else changes; nothing under most policies.
    pub more: Vec<Change<'p>>,
    /// Whether the request is in the figures of its variant.
    pub counted: bool,
    /// Whether the decision goes into the filter state.
    pub log: bool,
}

/// What is to be done with a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponsePlan<'p> {
    /// The stamp that says which side served.
    pub stamp: Change<'p>,
    /// A `set-cookie` to be added beside those that are there.
    pub set_cookie: Option<Vec<u8>>,
    /// What `cache-control` is to be, for a response that must not be shared.
    pub cache_control: Option<Vec<u8>>,
}

/// A change to one header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<'p> {
    /// None.
    Leave,
    /// Whatever stands there is replaced.
    Set(&'p str, Cow<'p, [u8]>),
    /// Whatever stands there goes.
    Remove(&'p str),
}

/// How an exchange ended, for stats; nothing is counted without a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The rollout.
    pub rollout: RolloutId,
    /// The side that served.
    pub variant: VariantId,
    /// What it answered.
    pub class: CodeClass,
}

impl Exchange {
    /// The request has come.
    pub fn on_request<'p>(
        policy: &'p Policy,
        view: &impl RequestView,
        ambient: Ambient<'_>,
    ) -> (Self, RequestPlan<'p>) {
        let decision = decide(policy, view, ambient);
        let served = decision.rollout.zip(decision.variant);
        let stamped = served.filter(|(rollout, _)| !rollout.observe);
        let counted = decision.reason != Reason::Excluded;
        let exchange = Self {
            served: served.map(|(rollout, variant)| (rollout.id, variant.id)),
            told: stamped.is_some(),
            counted,
            issued: decision.issued,
            class: CodeClass::None,
        };
        let headers = Headers { policy, view, stamped };
        let plan = RequestPlan {
            stamps: headers.stamps(),
            more: headers.more(&decision),
            counted,
            log: policy.stamps.filter_state && served.is_some(),
            decision,
        };
        (exchange, plan)
    }

    /// Whether anything is to be done or counted when the response comes.
    pub fn is_served(&self) -> bool {
        self.served.is_some()
    }

    /// The response has come, with this `:status`. `cache_control` reads that header, and is
    /// asked only where the response must not be shared.
    pub fn on_response<'p>(
        &mut self,
        policy: &'p Policy,
        status: &[u8],
        cache_control: impl FnOnce() -> Option<Vec<u8>>,
    ) -> ResponsePlan<'p> {
        self.class = CodeClass::of(status);
        let served = self.served.filter(|_| self.told);
        let served = served.and_then(|(rollout, variant)| {
            let rollout = policy.rollout(rollout)?;
            Some((rollout, rollout.variant(variant)?))
        });
        let stamp = match (policy.stamps.response.as_ref(), served) {
            (Some(name), Some((_, variant))) => Change::Set(name, variant.name.as_bytes().into()),
            _ => Change::Leave,
        };
        let cookie = served.and_then(|(rollout, _)| match &rollout.anonymous {
            Anonymous::Cookie(cookie) => Some(cookie),
            Anonymous::Baseline | Anonymous::Random => None,
        });
        let set_cookie = cookie.zip(self.issued.take()).map(|(cookie, id)| cookie.issue(id));
        let cache_control =
            set_cookie.as_ref().and_then(|_| private_cache_control(cache_control().as_deref()));
        ResponsePlan { stamp, set_cookie, cache_control }
    }

    /// The exchange is over; comes to nothing the second time.
    pub fn on_end(&mut self) -> Option<Outcome> {
        let (rollout, variant) = self.served.take().filter(|_| self.counted)?;
        Some(Outcome { rollout, variant, class: self.class })
    }
}

/// What goes into the changes to a request's headers.
struct Headers<'p, 'v, V> {
    policy: &'p Policy,
    view: &'v V,
    /// The side that serves, unless it is only observed.
    stamped: Option<(&'p Rollout, &'p Variant)>,
}

impl<'p, V: RequestView> Headers<'p, '_, V> {
    fn stamps(&self) -> [Change<'p>; 3] {
        let names = &self.policy.stamps;
        let values = [
            (Some(&names.variant), self.stamped.map(|(_, variant)| &*variant.name)),
            (names.rollout.as_ref(), self.stamped.map(|(rollout, _)| &*rollout.name)),
            (names.cluster.as_ref(), self.stamped.and_then(|(_, variant)| variant.cluster.as_deref())),
        ];
        values.map(|(name, value)| match (name, value) {
            (Some(name), Some(value)) => Change::Set(name, value.as_bytes().into()),
            (Some(name), None) => self.removed(name),
            (None, _) => Change::Leave,
        })
    }

    fn more(&self, decision: &Decision<'p>) -> Vec<Change<'p>> {
        let stamps = &self.policy.stamps;
        let mut more = Vec::new();
        if let Some(name) = &stamps.flags {
            match self.flags(name, decision) {
                Change::Leave => {}
                change => more.push(change),
            }
        }
        if stamps.baggage {
            more.push(self.baggage());
        }
        let looked_at = decision.rollout.filter(|_| decision.token == Token::Absent);
        let places = &self.policy.token_places;
        if !looked_at.and_then(|rollout| rollout.overrides.as_ref()).is_some_and(|own| places.are_only(own)) {
            let present = places.headers.iter().filter(|name| self.view.header(name).is_some());
            more.extend(present.map(|name| Change::Remove(name)));
            more.extend(without_cookies(self.view, &places.cookies).map(|left| set("cookie", left)));
            more.extend(without_queries(self.view, &places.queries).map(|left| set(":path", left)));
        }
        more
    }

    /// The features that are on, in the order of their names. An edge lets no others through;
    /// an inner proxy leaves alone what an outer one said, unless its own rollout has some.
    fn flags(&self, name: &'p str, decision: &Decision<'p>) -> Change<'p> {
        let flags = self.stamped.map_or(&[][..], |(rollout, _)| &rollout.flags);
        let follows = inbound::brings_features(decision.reason, &self.policy.stamps, self.view);
        if self.policy.role == Role::Inner && (flags.is_empty() || follows) {
            return Change::Leave;
        }
        if flags.is_empty() {
            return self.removed(name);
        }
        let on = decision.flags.iter().filter(|(_, on)| *on);
        let names = on.filter_map(|(place, _)| Some(flags.get(place)?.name.as_bytes()));
        match names.collect::<Vec<_>>().join(&b","[..]) {
            list if list.is_empty() => self.removed(name),
            list => set(name, list),
        }
    }

    /// Our member of the baggage. An edge lets no other through; an inner proxy leaves those of
    /// rollouts that it does not know.
    fn baggage(&self) -> Change<'p> {
        const NAME: &str = "baggage";
        let header = self.view.joined(NAME, b",");
        let ours = self.stamped.map(|(rollout, variant)| (&*rollout.name, &*variant.name));
        let goes = |member: &[u8]| match (self.policy.role, ours) {
            (Role::Edge, _) => baggage::is_ours(member),
            (Role::Inner, Some((rollout, _))) => baggage::is_of(member, rollout),
            (Role::Inner, None) => false,
        };
        let others = header.unwrap_or_default();
        match baggage::written(&others, ours, |member| !goes(member)) {
            _ if ours.is_none() && !baggage::has(&others, goes) => Change::Leave,
            left => set(NAME, left),
        }
    }

    /// What happens to a stamp that is not set: an edge removes it, whoever sent it. An inner
    /// proxy leaves alone what an outer one said of rollouts that it does not know.
    fn removed(&self, name: &'p str) -> Change<'p> {
        let owned = self.policy.role == Role::Edge || self.stamped.is_some();
        if owned && self.view.header(name).is_some() { Change::Remove(name) } else { Change::Leave }
    }
}

/// A header with this value, or none where there is nothing left of it.
fn set(name: &str, value: Vec<u8>) -> Change<'_> {
    if value.is_empty() { Change::Remove(name) } else { Change::Set(name, value.into()) }
}
