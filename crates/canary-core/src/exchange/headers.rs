//! What changes in a request's headers.

use super::Change;
use crate::baggage;
use crate::decide::{Decision, Token};
use crate::inbound;
use crate::policy::{Policy, Role};
use crate::request::{RequestView, without_cookies, without_queries};
use crate::rollout::{Rollout, Variant};

/// What goes into the changes to a request's headers.
pub(super) struct Headers<'p, 'v, V> {
    pub(super) policy: &'p Policy,
    pub(super) view: &'v V,
    /// The side that serves, unless it is only observed.
    pub(super) stamped: Option<(&'p Rollout, &'p Variant)>,
}

impl<'p, V: RequestView> Headers<'p, '_, V> {
    pub(super) fn stamps(&self) -> [Change<'p>; 3] {
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

    pub(super) fn more(&self, decision: &Decision<'p>) -> Vec<Change<'p>> {
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
