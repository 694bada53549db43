//! Every condition of a policy, and what for.

use std::fmt;

use super::Policy;
use crate::condition::Condition;
use crate::event::Sign;
use crate::rollout::Rollout;

/// What a policy uses a condition for.
#[derive(Clone, Copy, Debug)]
pub enum Use<'p> {
    /// A segment of this name.
    Segment(&'p str),
    /// Who is left out, of all rollouts.
    Exclude,
    /// Who is left out of this rollout.
    ExcludeOf(&'p str),
    /// When this rollout follows an outer proxy.
    TrustInbound(&'p str),
    /// A rule of a rollout.
    Rule(&'p str, &'p str),
    /// A rule of a rollout's flag.
    Flag(&'p str, &'p str),
    /// A rollout's event.
    Event(&'p str, &'p str),
    /// Which requests of this rollout its guardrail counts.
    Guardrail(&'p str),
}

impl Policy {
    /// Every condition, those within others not apart.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = (Use<'_>, &Condition)> {
        let segments = self.segments.iter().map(|segment| (Use::Segment(&segment.name), &segment.when));
        let exclude = self.exclude.iter().map(|condition| (Use::Exclude, condition));
        segments.chain(exclude).chain(self.rollouts.iter().flat_map(Rollout::conditions))
    }
}

impl Rollout {
    fn conditions(&self) -> impl Iterator<Item = (Use<'_>, &Condition)> {
        let name = &*self.name;
        let exclude = self.exclude.iter().map(move |condition| (Use::ExcludeOf(name), condition));
        let inbound = self.trust_inbound.iter().map(move |condition| (Use::TrustInbound(name), condition));
        let rules = self.rules.iter().map(move |rule| (Use::Rule(name, &rule.name), &rule.when));
        let flags = self.flags.iter().flat_map(move |flag| {
            flag.rules.iter().map(move |rule| (Use::Flag(name, &flag.name), &rule.when))
        });
        let events = self.events.iter().filter_map(move |event| match &event.sign {
            Sign::Exchange(when, _) => Some((Use::Event(name, &event.name), when)),
            Sign::Header(_) => None,
        });
        let guardrail = self.guardrail.iter().filter_map(|guardrail| guardrail.count.as_ref());
        let guardrail = guardrail.map(move |condition| (Use::Guardrail(name), condition));
        exclude.chain(inbound).chain(rules).chain(flags).chain(events).chain(guardrail)
    }
}

impl fmt::Display for Use<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segment(name) => write!(f, "segment {name}"),
            Self::Exclude => f.write_str("exclude"),
            Self::ExcludeOf(rollout) => write!(f, "exclude {rollout}"),
            Self::TrustInbound(rollout) => write!(f, "trust_inbound {rollout}"),
            Self::Rule(rollout, rule) => write!(f, "rule {rollout}/{rule}"),
            Self::Flag(rollout, flag) => write!(f, "flag {rollout}/{flag}"),
            Self::Guardrail(rollout) => write!(f, "guardrail {rollout}"),
            Self::Event(rollout, event) => write!(f, "event {rollout}/{event}"),
        }
    }
}
