//! What the core says about a user: the same code as in the filter and in `canaryctl explain`.

use canary_core::decide::{Ambient, Decision, decide};
use canary_core::policy::Policy;
use canary_core::timeline::Instant;
use canaryctl::clock;
use canaryctl::explain::{Header, Request};

use super::policies::parsed;
use super::traffic::user;

/// The core with a policy, at an instant.
pub(crate) struct Core {
    policy: Policy,
    now: Instant,
}

impl Core {
    /// The core with this policy, now.
    pub(crate) fn new(policy: &str) -> Self {
        Self::at(policy, clock::now())
    }

    /// The core with this policy at an instant.
    pub(crate) fn at(policy: &str, now: Instant) -> Self {
        Self { policy: parsed(policy), now }
    }

    /// Decides a request.
    pub(crate) fn decide(&self, request: &Request) -> Decision<'_> {
        decide(&self.policy, request, Ambient::at(self.now))
    }

    /// Decides the request of a user, known by `x-user-id`.
    pub(crate) fn user(&self, number: usize) -> Decision<'_> {
        self.decide(
            &Request::new("GET", "127.0.0.1", "/").with_header(Header::new("x-user-id", user(number))),
        )
    }

    /// The features of a user, as services are told of them; none is `None`.
    pub(crate) fn flags(&self, number: usize) -> Option<String> {
        flags(&self.user(number))
    }

    /// The side of a user.
    pub(crate) fn side(&self, number: usize) -> &str {
        self.user(number).variant.map_or("-", |variant| &variant.name)
    }

    /// The sides of the users 0, 1, ….
    pub(crate) fn sides(&self, users: usize) -> Vec<String> {
        (0..users).map(|number| self.side(number).to_owned()).collect()
    }

    /// The first user on this side.
    pub(crate) fn user_on(&self, side: &str) -> usize {
        (0..100_000).find(|number| self.side(*number) == side).expect("a user on this side")
    }

    /// Whether this rollout is only observed.
    pub(crate) fn observes(&self, rollout: &str) -> bool {
        self.policy.rollouts.iter().any(|other| &*other.name == rollout && other.observe)
    }

    /// What stands for the policy in `canary_policy_info`.
    pub(crate) fn digest(&self) -> u64 {
        self.policy.digest
    }
}

/// The features of a decision, as services are told of them; none is `None`.
pub(crate) fn flags(decision: &Decision<'_>) -> Option<String> {
    let on = decision.flags.iter().filter(|(_, on)| *on);
    let names = on.map(|(place, _)| &*decision.rollout.unwrap().flags[place].name);
    Some(names.collect::<Vec<_>>().join(",")).filter(|names| !names.is_empty())
}
