//! One HTTP exchange without I/O: each step returns what is to be done.

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

/// The class of a response's status code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CodeClass {
    /// There was no response, or none with a status from 100 to 599.
    #[default]
    None,
    /// 100 to 199: a protocol switch.
    Informational,
    /// 200 to 299.
    Success,
    /// 300 to 399.
    Redirection,
    /// 400 to 499.
    ClientError,
    /// 500 to 599.
    ServerError,
}

impl CodeClass {
    /// Every class, in the order of [`CodeClass::index`].
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::Informational,
        Self::Success,
        Self::Redirection,
        Self::ClientError,
        Self::ServerError,
    ];

    /// The class of a `:status`.
    pub fn of(status: &[u8]) -> Self {
        match status {
            [class, tens, ones] if tens.is_ascii_digit() && ones.is_ascii_digit() => match class {
                b'1' => Self::Informational,
                b'2' => Self::Success,
                b'3' => Self::Redirection,
                b'4' => Self::ClientError,
                b'5' => Self::ServerError,
                _ => Self::None,
            },
            _ => Self::None,
        }
    }

    /// The class's place in [`CodeClass::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The label in stats.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Informational => "1xx",
            Self::Success => "2xx",
            Self::Redirection => "3xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
        }
    }
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
