//! One HTTP exchange without I/O: each step returns what is to be done.

use crate::code_class::CodeClass;
use crate::decide::{Decision, decide};
use crate::policy::{Policy, Role};
use crate::request::RequestView;
use crate::rollout::RolloutId;
use crate::split::VariantId;

/// What is remembered of an exchange between its request and its end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exchange {
    served: Option<(RolloutId, VariantId)>,
    class: CodeClass,
}

/// What is to be done with a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestPlan<'p> {
    /// What was decided, for stats.
    pub decision: Decision<'p>,
    /// Changes to request headers.
    pub stamps: [Stamp<'p>; 3],
    /// Whether the decision goes into the filter state.
    pub log: bool,
}

/// A change to one header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp<'p> {
    /// None.
    Leave,
    /// Whatever stands there is replaced.
    Set(&'p str, &'p str),
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
    /// The request has come. `draw` is a random number, see [`decide`].
    pub fn on_request<'p>(policy: &'p Policy, view: &impl RequestView, draw: u64) -> (Self, RequestPlan<'p>) {
        let decision = decide(policy, view, Some(draw));
        let served = decision.rollout.zip(decision.variant);
        let names = &policy.stamps;
        let values = [
            (Some(&names.variant), decision.variant.map(|variant| &*variant.name)),
            (names.rollout.as_ref(), served.map(|(rollout, _)| &*rollout.name)),
            (names.cluster.as_ref(), decision.variant.and_then(|variant| variant.cluster.as_deref())),
        ];
        // An inner proxy leaves alone what an outer one said of rollouts that it does not know.
        let owned = policy.role == Role::Edge || served.is_some();
        let stamps = values.map(|(name, value)| match (name, value) {
            (Some(name), Some(value)) => Stamp::Set(name, value),
            (Some(name), None) if owned && view.header(name).is_some() => Stamp::Remove(name),
            _ => Stamp::Leave,
        });
        let exchange = Self {
            served: served.map(|(rollout, variant)| (rollout.id, variant.id)),
            class: CodeClass::None,
        };
        (exchange, RequestPlan { decision, stamps, log: names.filter_state && served.is_some() })
    }

    /// Whether anything is to be done or counted when the response comes.
    pub fn is_served(&self) -> bool {
        self.served.is_some()
    }

    /// The response has come, with this `:status`.
    pub fn on_response<'p>(&mut self, policy: &'p Policy, status: &[u8]) -> Stamp<'p> {
        self.class = CodeClass::of(status);
        let variant = self.served.and_then(|(rollout, variant)| policy.rollout(rollout)?.variant(variant));
        match (policy.stamps.response.as_ref(), variant) {
            (Some(name), Some(variant)) => Stamp::Set(name, &variant.name),
            _ => Stamp::Leave,
        }
    }

    /// The exchange is over; comes to nothing the second time.
    pub fn on_end(&mut self) -> Option<Outcome> {
        let (rollout, variant) = self.served.take()?;
        Some(Outcome { rollout, variant, class: self.class })
    }
}
