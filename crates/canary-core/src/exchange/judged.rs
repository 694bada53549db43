//! What the guardrail is told of an exchange.

use super::{Elapsed, End, Exchange, Outcome};
use crate::bucket::Point;
use crate::code_class::CodeClass;
use crate::decide::Decision;
use crate::guardrail::observations::{Drawn, Observations};
use crate::rollback::Rollbacks;
use crate::rollout::{Rollout, RuleId};
use crate::timeline::Instant;

/// How a request was drawn: enough to find its weights again when it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Remembered {
    user: Option<Point>,
    rule: Option<RuleId>,
    at: Instant,
}

/// What came of a request that a split has drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    drawn: Remembered,
    /// Whether there was a response.
    pub answered: bool,
    /// Whether the upstream failed, be it that another attempt went well.
    pub failed: bool,
    /// How long the response's headers were in coming, or how long the client waited for them.
    pub took: Option<Elapsed>,
}

impl Remembered {
    pub(super) fn of(decision: &Decision<'_>, at: Instant) -> Option<Self> {
        let drawn = Self { user: decision.point, rule: decision.rule.map(|rule| rule.id), at };
        decision.judged.then_some(drawn)
    }
}

impl Exchange {
    pub(super) fn judge(&self, drawn: Remembered, class: CodeClass, retried: bool, end: &impl End) -> Judged {
        let answered = self.code != 0;
        let waited = || Some(self.began?.until(end.moment()?));
        // What Envoy or another filter has refused by itself is not the upstream's fault. Of a
        // stream that broke off under way nothing else tells whose it was.
        let failed = match class {
            CodeClass::ServerError => end.details().is_none_or(|details| is_upstreams(&details)),
            CodeClass::None if answered => {
                end.details().is_some_and(|details| details.starts_with(b"upstream_"))
            }
            _ => false,
        };
        let took = if answered { self.took } else { waited() };
        Judged { drawn, answered, failed: failed || retried, took }
    }
}

impl Outcome {
    /// Tells the guardrail of a rollout what came of a request that belongs to it.
    pub fn tell(&self, rollout: &Rollout, rollbacks: &Rollbacks, to: &mut Observations) {
        let (Some(judged), Some(guardrail)) = (&self.judged, &rollout.guardrail) else { return };
        let Remembered { user, rule, at } = judged.drawn;
        let rule = rule.and_then(|rule| rollout.rule(rule));
        let Some(split) = rollout.split(rule, at) else { return };
        let shares = rollout.shares(split, rollbacks).map(|(_, ppm)| ppm);
        let drawn = Drawn { side: self.variant, user, shares };
        let micros = judged.took.map(Elapsed::micros);
        if !judged.answered && !judged.failed {
            if let Some(micros) = micros {
                to.aborted(drawn, micros);
            }
            return;
        }
        to.served(self.variant, 1);
        if judged.failed {
            to.failed(drawn.clone());
        }
        for event in self.events.iter() {
            let place = guardrail.events.iter().position(|watched| *watched == event);
            if let Some(place) = place.and_then(|place| u16::try_from(place).ok()) {
                to.event(&drawn, place);
            }
        }
        if let Some(micros) = micros {
            to.took(drawn, micros);
        }
    }
}

/// Whether Envoy says that the upstream, or the way to it, made the response what it is.
fn is_upstreams(details: &[u8]) -> bool {
    details == b"via_upstream"
        || details.starts_with(b"upstream_")
        || [&b"no_healthy_upstream"[..], b"cluster_not_found"].contains(&details)
}
