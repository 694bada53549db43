//! The policy language: wire structs at the edge, checked types inside, every problem
//! reported at once.
//!
//! `tree` (JSON as it stands) → `reader` (serde that collects errors) → `wire` (the names
//! of the fields) → `check` (what they must be) → [`Policy`].

mod check;
mod conditions;
mod field;
mod problem;
mod reader;
mod tree;
mod trust;
mod wire;

use crate::bytes::BytesSet;
use crate::condition::Condition;
use crate::facts::Facts;
use crate::forced::TokenPlaces;
use crate::geo::{Geo, GeoId};
use crate::request::{RequestView, Source};
use crate::rollout::{Rollout, RolloutId};
use crate::route::Routes;
use crate::stamp::Stamps;
use crate::timeline::Instant;

pub use check::is_name;
pub use conditions::Use;
pub use problem::{Path, Problem, Problems};
pub use tree::{MAX_BYTES, MAX_DEPTH, MAX_ENTRIES};
pub use trust::{Trusted, TrustedKind};
pub use wire::Role;

/// A checked policy: what it refers to exists, and deciding by it cannot fail.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Which edition it is, as its author calls it.
    pub revision: Option<Box<str>>,
    /// Where the proxy stands.
    pub role: Role,
    /// Where identities are found, in order.
    pub identity: Box<[Source]>,
    /// Where geos are found, in order.
    pub geo: Box<[Source]>,
    /// Which headers carry the decision.
    pub stamps: Stamps,
    /// The geos that stats tell apart, sorted: those that its conditions name. None where there is
    /// no source, or they are not wanted.
    pub geos: Box<[Geo]>,
    /// What stats tell of each side.
    pub figures: Figures,
    /// Values that stand for no identity.
    pub ignore_identities: BytesSet,
    /// Who is who, by the order of their names.
    pub segments: Box<[Segment]>,
    /// Requests that get the baseline and are in no figure of a variant.
    pub exclude: Option<Condition>,
    /// Every place in which a rollout's tokens stand: they are taken out of all requests.
    pub(crate) token_places: TokenPlaces,
    /// What is being released, in the order of the policy.
    pub rollouts: Box<[Rollout]>,
    /// Which request belongs to which rollout.
    pub(crate) routes: Routes,
    /// 52 bits that stand for the content; 0 for no policy.
    pub digest: u64,
}

/// What stats tell of each side beside requests, responses and decisions.
#[allow(clippy::struct_excessive_bools, reason = "six switches that know nothing of each other")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// How long responses were in coming.
    pub durations: bool,
    /// Requests that were sent to the upstream more than once.
    pub retries: bool,
    /// Requests that went elsewhere than the variant says.
    pub routes: bool,
    /// Whether the split is as the weights say.
    pub splits: bool,
    /// Streams that are open.
    pub streams: bool,
}

impl Default for Figures {
    fn default() -> Self {
        Self { durations: true, retries: true, routes: true, splits: true, streams: true }
    }
}

/// A named condition, for use in others.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Its name.
    pub name: Box<str>,
    /// Who is in it.
    pub when: Condition,
}

impl Policy {
    /// Reads and checks a policy. A text without content is the policy without rollouts.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Self, Problems> {
        if text.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let mut problems = Problems::default();
        let policy = tree::Node::parse(text, &mut problems).and_then(|node| {
            let wire = reader::read(&node, &Path::Root, &mut problems)?;
            check::policy(&wire, node.digest(), &mut problems)
        });
        policy.filter(|_| problems.is_empty()).ok_or(problems)
    }

    /// A rollout by its id.
    pub fn rollout(&self, id: RolloutId) -> Option<&Rollout> {
        self.rollouts.get(usize::try_from(id.0).ok()?)
    }

    /// Where a request comes from, as stats tell it; not looked for where they tell nothing.
    pub(crate) fn geo_id<V: RequestView>(&self, facts: &Facts<'_, V>) -> Option<GeoId> {
        if self.geos.is_empty() {
            return None;
        }
        let known = facts.geo().and_then(|geo| self.geos.binary_search(geo).ok());
        u32::try_from(known.unwrap_or(self.geos.len())).ok().map(GeoId)
    }

    /// The next instant at which weights change by themselves, in the split of a rollout.
    pub fn next_change(&self, now: Instant) -> Option<Instant> {
        self.rollouts.iter().filter_map(|rollout| rollout.timeline.next_change(now)).min()
    }

    /// The stamps of which a client's must not pass where no rollout decides: an edge's. An
    /// inner proxy leaves alone what an outer one said of rollouts that it does not know.
    pub fn foreign_stamps(&self) -> impl Iterator<Item = &str> {
        let flags = self.stamps.flags.as_deref();
        let baggage = self.stamps.baggage.then_some("baggage");
        let stamps = self.stamps.request_headers().chain(flags).chain(baggage);
        (self.role == Role::Edge).then_some(stamps).into_iter().flatten()
    }

    /// The JSON Schema of the policy language.
    #[cfg(feature = "schema")]
    pub fn schema() -> serde_json::Value {
        let mut schema = schemars::schema_for!(wire::Policy);
        schema.insert("title".to_owned(), "Canary policy, version 1".into());
        schema.to_value()
    }
}
