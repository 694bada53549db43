//! What a policy believes: everything here must come from something the operator controls.

use std::collections::BTreeMap;
use std::fmt;

use super::{Policy, Use};
use crate::condition::{Condition, Place, Test};
use crate::request::SourceKind;
use crate::rollout::Anonymous;

/// One thing that a policy believes, and what for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trusted {
    /// What kind of thing.
    pub kind: TrustedKind,
    /// Its name.
    pub name: String,
}

/// The kinds of things that a client can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrustedKind {
    /// A request header.
    Header,
    /// A cookie.
    Cookie,
    /// A parameter of the query.
    Query,
    /// A claim of a bearer token that something else must verify.
    JwtClaim,
    /// The downstream remote address.
    SourceAddress,
}

impl fmt::Display for TrustedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Cookie => "cookie",
            Self::Query => "query parameter",
            Self::JwtClaim => "jwt claim (not verified here)",
            Self::SourceAddress => "source address",
        })
    }
}

impl Policy {
    /// What the policy believes, each with what it is used for.
    pub fn trusts(&self) -> BTreeMap<Trusted, Vec<String>> {
        let mut trusted = Collected::default();
        for (sources, used_for) in [(&self.identity, "identity"), (&self.geo, "geo")] {
            for source in sources {
                let kind = match source.kind {
                    SourceKind::Header => TrustedKind::Header,
                    SourceKind::Cookie => TrustedKind::Cookie,
                    SourceKind::Query => TrustedKind::Query,
                    SourceKind::JwtClaim => TrustedKind::JwtClaim,
                    SourceKind::SourceAddress => TrustedKind::SourceAddress,
                };
                trusted.add(kind, &source.name, &used_for);
            }
        }
        for (used_for, condition) in self.conditions() {
            trusted.condition(condition, &used_for);
        }
        for rollout in &self.rollouts {
            if rollout.trust_inbound.is_some() {
                let baggage = self.stamps.baggage.then_some("baggage");
                let stamps = [Some(&*self.stamps.variant), self.stamps.rollout.as_deref(), baggage];
                for name in stamps.into_iter().flatten() {
                    trusted.add(TrustedKind::Header, name, &Use::TrustInbound(&rollout.name));
                }
            }
            if let Anonymous::Cookie(cookie) = &rollout.anonymous {
                trusted.add(TrustedKind::Cookie, &cookie.name, &format_args!("visitors {}", rollout.name));
            }
        }
        trusted.0
    }
}

#[derive(Default)]
struct Collected(BTreeMap<Trusted, Vec<String>>);

impl Collected {
    fn add(&mut self, kind: TrustedKind, name: &str, used_for: &dyn fmt::Display) {
        let uses = self.0.entry(Trusted { kind, name: name.to_owned() }).or_default();
        let used_for = used_for.to_string();
        if !uses.contains(&used_for) {
            uses.push(used_for);
        }
    }

    fn condition(&mut self, condition: &Condition, used_for: &Use<'_>) {
        condition.visit(&mut |test| match test {
            Test::Value(place, name, _) => {
                let kind = match place {
                    Place::Header => TrustedKind::Header,
                    Place::Cookie => TrustedKind::Cookie,
                    Place::Query => TrustedKind::Query,
                };
                self.add(kind, name, used_for);
            }
            Test::Claim(name, _) => self.add(TrustedKind::JwtClaim, name, used_for),
            Test::Source(_) => self.add(TrustedKind::SourceAddress, "", used_for),
            Test::Geo(_)
            | Test::Method(_)
            | Test::Host(_)
            | Test::Path(_)
            | Test::Identity(_)
            | Test::IdentityHash(..)
            | Test::Segment(_)
            | Test::Not(_)
            | Test::Any(_) => {}
        });
    }
}
