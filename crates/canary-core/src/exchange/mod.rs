//! One HTTP exchange without I/O: each step returns what is to be done.

mod headers;
mod judged;

use std::borrow::Cow;

use crate::bucket::Point;
use crate::code_class::CodeClass;
use crate::decide::{Ambient, Decision, Reason, decide};
use crate::event::EventSet;
use crate::geo::GeoId;
use crate::load_report::{self, LoadReport, Malformed};
use crate::policy::Policy;
use crate::request::RequestView;
use crate::rollout::{Anonymous, Rollout, RolloutId, Variant};
use crate::split::{Split, VariantId};
use crate::visitor::{VisitorId, private_cache_control};

use headers::Headers;
use judged::Remembered;

pub use judged::Judged;

/// What is remembered of an exchange between its request and its end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exchange {
    served: Option<(RolloutId, VariantId)>,
    /// Whether the client is told who served it.
    told: bool,
    /// Whether it is in the figures of a variant.
    counted: bool,
    /// Whether its outcome is told by `grpc-status`.
    grpc: bool,
    issued: Option<VisitorId>,
    began: Option<Moment>,
    /// The response's; 0 before there is one.
    code: u16,
    geo: Option<GeoId>,
    /// They wait for the outcome.
    waiting: EventSet,
    /// The upstream has named them.
    named: EventSet,
    /// How it was drawn, where the guardrail is told what came of it.
    judged: Option<Remembered>,
    /// How long the response's headers were in coming.
    took: Option<Elapsed>,
}

/// A reading of a clock that only goes forward, in nanoseconds since some beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

/// The time between two moments, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed(u64);

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
    /// What was drawn, for the check of the split.
    pub draw: Option<Draw<'p>>,
    /// Whether the decision goes into the filter state.
    pub log: bool,
    /// Whether its parts do, one by one.
    pub log_fields: bool,
}

/// A draw by weight.
#[derive(Clone, Copy, Debug)]
pub struct Draw<'p> {
    /// The rollout.
    pub rollout: &'p Rollout,
    /// The side that serves.
    pub side: VariantId,
    /// The weights.
    pub split: &'p Split,
    /// Whom it is for; `None` is for one request.
    pub user: Option<Point>,
}

/// What is to be done with a response.
#[derive(Clone, Debug, Default)]
pub struct ResponsePlan<'p> {
    /// The side in whose figures it is.
    pub counted: Option<(&'p Rollout, &'p Variant)>,
    /// The stamp that says which side served.
    pub stamp: Change<'p>,
    /// What else changes; nothing under most policies.
    pub more: Vec<Change<'p>>,
    /// How long the response's headers were in coming, in milliseconds.
    pub duration_ms: Option<u64>,
    /// What the upstream says of its load, where that is asked for and it says something.
    pub load: Option<Result<LoadReport, Malformed>>,
}

/// A change to one header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change<'p> {
    /// None.
    #[default]
    Leave,
    /// Whatever stands there is replaced.
    Set(&'p str, Cow<'p, [u8]>),
    /// It stands beside whatever stands there.
    Add(&'p str, Cow<'p, [u8]>),
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
    /// Where the request came from, where stats tell it.
    pub geo: Option<GeoId>,
    /// The business events that happened.
    pub events: EventSet,
    /// Whether Envoy sent the request to the upstream more than once.
    pub retried: bool,
    /// Whether it went where the variant says; `None` where nobody looked, or it could not have.
    pub went: Option<Went>,
    /// What the guardrail is told.
    pub judged: Option<Judged>,
}

/// Where a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Went {
    /// To the cluster that the variant names.
    AsNamed,
    /// To another one, or nowhere for want of a route or a cluster.
    Elsewhere,
}

/// The port through which an exchange that is over is read. Each answer but the first costs a
/// host call, so it is asked for only where it matters.
pub trait End {
    /// Whether to look where the request went; asked once, and only where that can be told.
    fn is_sampled(&self) -> bool;

    /// The `grpc-status` of the trailers, or of headers that have no trailers.
    fn grpc_status(&self) -> Option<Vec<u8>>;

    /// How often Envoy sent the request to the upstream.
    fn attempts(&self) -> Option<u64>;

    /// The cluster that Envoy chose.
    fn cluster(&self) -> Option<Vec<u8>>;

    /// Envoy's word for how the response came about.
    fn details(&self) -> Option<Vec<u8>>;

    /// What time it is.
    fn moment(&self) -> Option<Moment>;
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
            grpc: served.is_some() && is_grpc(view),
            issued: decision.issued,
            geo: decision.geo,
            waiting: decision.events,
            judged: Remembered::of(&decision, ambient.now),
            ..Self::default()
        };
        let headers = Headers { policy, view, stamped };
        let plan = RequestPlan {
            stamps: headers.stamps(),
            more: headers.more(&decision),
            counted,
            draw: Draw::of(&decision).filter(|_| policy.figures.splits),
            log: policy.stamps.filter_state && served.is_some(),
            log_fields: policy.stamps.fields && served.is_some(),
            decision,
        };
        (exchange, plan)
    }

    /// Whether anything is to be done or counted when the response comes.
    pub fn is_served(&self) -> bool {
        self.served.is_some()
    }

    /// The request goes on to the upstream; asks for the time only where that matters.
    pub fn begin(&mut self, policy: &Policy, now: impl FnOnce() -> Option<Moment>) {
        let wanted = policy.figures.durations || self.judged.is_some();
        if wanted && self.served.is_some() && self.counted {
            self.began = now();
        }
    }

    /// The response has come. `header` reads one of its headers, all values with commas between
    /// them; like `now` it is asked only for what the policy wants to know.
    pub fn on_response<'p>(
        &mut self,
        policy: &'p Policy,
        now: impl FnOnce() -> Option<Moment>,
        header: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> ResponsePlan<'p> {
        let mut plan = ResponsePlan::default();
        let Some((rollout, variant)) = self.side(policy) else { return plan };
        self.code = CodeClass::code(&header(":status").unwrap_or_default());
        plan.counted = self.counted.then_some((rollout, variant));
        self.took = self.began.and_then(|began| Some(began.until(now()?)));
        plan.duration_ms = self.took.filter(|_| policy.figures.durations).map(Elapsed::millis);
        if self.told {
            if let Some(name) = &policy.stamps.response {
                plan.stamp = Change::Set(name, variant.name.as_bytes().into());
            }
            if let (Anonymous::Cookie(cookie), Some(id)) = (&rollout.anonymous, self.issued.take()) {
                plan.more.push(Change::Add("set-cookie", cookie.issue(id).into()));
                let private = private_cache_control(header("cache-control").as_deref());
                plan.more.extend(private.map(|value| Change::Set("cache-control", value.into())));
            }
        }
        for name in &rollout.event_headers {
            if let Some(value) = header(name) {
                self.named = self.named.and(EventSet::named(&rollout.events, name, &value));
                plan.more.push(Change::Remove(name));
            }
        }
        if rollout.load_reports
            && let Some(report) = header(load_report::HEADER)
        {
            plan.load = Some(LoadReport::parse(&report));
            plan.more.push(Change::Remove(load_report::HEADER));
        }
        plan
    }

    /// The exchange is over; comes to nothing the second time.
    pub fn on_end(&mut self, policy: &Policy, end: &impl End) -> Option<Outcome> {
        let (rollout, variant) = self.side(policy).filter(|_| self.counted)?;
        self.served = None;
        let class = match CodeClass::of(self.code) {
            CodeClass::Success if self.grpc => CodeClass::of_grpc(&end.grpc_status().unwrap_or_default()),
            class => class,
        };
        let figures = &policy.figures;
        let retried =
            (figures.retries || self.judged.is_some()) && end.attempts().is_some_and(|attempts| attempts > 1);
        let named_cluster =
            variant.cluster.as_deref().filter(|_| figures.routes && self.told && end.is_sampled());
        Some(Outcome {
            rollout: rollout.id,
            variant: variant.id,
            class,
            geo: self.geo,
            events: self.waiting.happened(&rollout.events, class, self.code).and(self.named),
            retried: retried && figures.retries,
            went: named_cluster.and_then(|named| Went::of(named, end)),
            judged: self.judged.map(|drawn| self.judge(drawn, class, retried, end)),
        })
    }

    fn side<'p>(&self, policy: &'p Policy) -> Option<(&'p Rollout, &'p Variant)> {
        let (rollout, variant) = self.served?;
        let rollout = policy.rollout(rollout)?;
        Some((rollout, rollout.variant(variant)?))
    }
}

impl<'p> Draw<'p> {
    fn of(decision: &Decision<'p>) -> Option<Self> {
        let (rollout, side) = (decision.rollout?, decision.variant?.id);
        Some(Self { rollout, side, split: decision.split?, user: decision.point })
    }
}

impl Went {
    fn of(named: &str, end: &impl End) -> Option<Self> {
        match end.cluster() {
            Some(cluster) if cluster == named.as_bytes() => Some(Self::AsNamed),
            Some(_) => Some(Self::Elsewhere),
            None => {
                let missing =
                    |details: Vec<u8>| matches!(&*details, b"route_not_found" | b"cluster_not_found");
                // Otherwise it was answered on the way: a redirect, a filter's refusal.
                end.details().is_some_and(missing).then_some(Self::Elsewhere)
            }
        }
    }
}

impl Moment {
    /// Whole seconds since the clock's beginning.
    pub fn seconds(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// The time until a later moment; none until an earlier one.
    fn until(self, later: Self) -> Elapsed {
        Elapsed(later.0.saturating_sub(self.0))
    }
}

impl Elapsed {
    /// Whole milliseconds, rounded.
    pub fn millis(self) -> u64 {
        const NANOS: u64 = 1_000_000;
        self.0.saturating_add(NANOS / 2) / NANOS
    }

    /// Whole microseconds, rounded down.
    pub fn micros(self) -> u64 {
        self.0 / 1_000
    }
}

/// Whether it is a call of gRPC, which answers 200 also where it fails. Most requests are none,
/// and the method, which stands in front, tells that sooner.
fn is_grpc(view: &impl RequestView) -> bool {
    let format = || view.header("content-type")?.strip_prefix(b"application/grpc");
    view.header(":method") == Some(b"POST")
        && format().is_some_and(|format| matches!(format, [] | [b'+' | b';', ..]))
}
