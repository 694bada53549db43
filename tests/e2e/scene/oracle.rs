//! What the core says about a user: the same code as in the filter and in `canaryctl explain`.

use canary_core::decide::{Ambient, Decision, decide};
use canary_core::policy::Policy;
use canaryctl::explain::{Header, Request};

use super::policies::parsed;
use super::traffic::user;

/// The core with a policy.
pub(crate) struct Core(Policy);

impl Core {
    /// The core with this policy.
    pub(crate) fn new(policy: &str) -> Self {
        Self(parsed(policy))
    }

    /// Decides a request.
    pub(crate) fn decide(&self, request: &Request) -> Decision<'_> {
        decide(&self.0, request, Ambient::at(0))
    }

    /// Decides the request of a user, known by `x-user-id`.
    pub(crate) fn user(&self, number: usize) -> Decision<'_> {
        self.decide(
            &Request::new("GET", "127.0.0.1", "/").with_header(Header::new("x-user-id", user(number))),
        )
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

    /// What stands for the policy in `canary_policy_info`.
    pub(crate) fn digest(&self) -> u64 {
        self.0.digest
    }
}
