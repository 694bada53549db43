//! Whom the demo sends: countries that the policy treats differently, and their users.

use anyhow::{Context, Result};
use canary_core::bucket::MILLION;
use canary_core::decide::{Ambient, Decision, Reason, decide};
use canary_core::policy::Policy;
use canary_core::request::{Source, SourceKind};
use canary_core::rollout::{Rollout, Rule, Then};
use canary_core::split::VariantId;
use canary_lab::Request;

use crate::clock;
use crate::explain::{self, Header};

/// Countries to send from, the first choice first.
const COUNTRIES: [&str; 20] = [
    "DE", "US", "FR", "GB", "JP", "BR", "IN", "NZ", "AT", "CH", "ES", "IT", "NL", "BE", "PL", "SE", "CA",
    "MX", "AU", "ZA",
];
const AT_LEAST: usize = 3;
const AT_MOST: usize = 8;

/// A policy and how to send it requests whose sides it decides.
#[derive(Debug)]
pub(super) struct Scene {
    policy: Policy,
    identity: String,
    geo: String,
}

/// A country's users: `users` of them, the first being number `first`.
#[derive(Clone, Debug)]
pub(super) struct Country {
    pub(super) code: String,
    pub(super) first: u32,
    pub(super) users: u32,
}

/// A side and the share that it should have.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) variant: String,
    pub(super) ppm: u32,
}

impl Scene {
    /// Finds out how to send users to this policy.
    ///
    /// # Errors
    /// Where it reads no identity or no geo from a header, or no rollout is for `GET /`.
    pub(super) fn new(policy: Policy) -> Result<Self> {
        let header = |sources: &[Source]| {
            let source = sources.iter().find(|source| source.kind == SourceKind::Header);
            source.map(|source| source.name.to_string())
        };
        let identity = header(&policy.identity).context("the demo needs a policy with an identity header")?;
        let geo = header(&policy.geo).context("the demo needs a policy with a geo header")?;
        let scene = Self { policy, identity, geo };
        scene.rollout()?;
        Ok(scene)
    }

    /// The same users under another policy.
    pub(super) fn under(&self, policy: Policy) -> Self {
        Self { policy, identity: self.identity.clone(), geo: self.geo.clone() }
    }

    /// The rollout that the demo's requests belong to.
    pub(super) fn rollout(&self) -> Result<&Rollout> {
        self.decide(COUNTRIES[0], 1)
            .rollout
            .context("the demo needs a policy with a rollout for GET / on any host")
    }

    /// A country for each of the policy's ways to decide, and more up to three.
    pub(super) fn countries(&self, users: u32) -> Vec<Country> {
        let mut ways = Vec::new();
        let mut chosen = Vec::new();
        for code in COUNTRIES {
            let way = self.decide(code, 1).rule.map(|rule| &rule.name);
            if !ways.contains(&way) && chosen.len() < AT_MOST {
                ways.push(way);
                chosen.push(code);
            }
        }
        for code in COUNTRIES {
            if !chosen.contains(&code) && chosen.len() < AT_LEAST {
                chosen.push(code);
            }
        }
        let firsts = (0..).map(|nth: u32| nth.saturating_mul(users).saturating_add(1));
        let countries = chosen.into_iter().zip(firsts);
        countries.map(|(code, first)| Country { code: code.to_owned(), first, users }).collect()
    }

    /// What the core says about a user: the same code as in the filter.
    pub(super) fn decide(&self, country: &str, user: u32) -> Decision<'_> {
        let request = explain::Request::new("GET", "127.0.0.1", "/")
            .with_header(Header::new(&self.identity, id(user)))
            .with_header(Header::new(&self.geo, country));
        decide(&self.policy, &request, Ambient::at(clock::now()))
    }

    /// The name of the side that a user should get.
    pub(super) fn side(&self, country: &str, user: u32) -> &str {
        self.decide(country, user).variant.map_or("-", |variant| &variant.name)
    }

    /// A user's request.
    pub(super) fn request(&self, country: &str, user: u32) -> Request {
        Request::get("/").header(&self.identity, id(user)).header(&self.geo, country)
    }

    /// The rule that decides for a country.
    pub(super) fn rule(&self, country: &Country) -> Option<&Rule> {
        self.decide(&country.code, country.first).rule
    }

    /// The share that each variant should have in a country, the baseline left out.
    pub(super) fn expected(&self, country: &Country) -> Result<Vec<Expected>> {
        let rollout = self.rollout()?;
        let disabled = self.decide(&country.code, country.first).reason == Reason::Disabled;
        let rule = self.rule(country);
        let split = rollout.split(rule, clock::now());
        let weight = |id: VariantId| match (split, rule.map(|rule| &rule.then)) {
            _ if disabled => 0,
            (Some(split), _) => weight_of(split, id),
            (None, Some(Then::Pin(side))) if *side == id => MILLION,
            (None, _) => 0,
        };
        let variants = rollout.variants.iter().filter(|variant| variant.id != VariantId::BASELINE);
        Ok(variants
            .map(|variant| Expected {
                variant: variant.name.to_string(),
                ppm: if variant.rolled_back { 0 } else { weight(variant.id) },
            })
            .collect())
    }

    /// How a user can be tried by hand.
    pub(super) fn headers(&self, country: &str, user: u32) -> [String; 2] {
        [format!("{}: {}", self.identity, id(user)), format!("{}: {country}", self.geo)]
    }

    /// The response header that names the variant, if the policy has one.
    pub(super) fn stamp(&self) -> Option<&str> {
        self.policy.stamps.response.as_deref()
    }
}

impl Country {
    /// Its users' numbers.
    pub(super) fn numbers(&self) -> std::ops::Range<u32> {
        self.first..self.first.saturating_add(self.users)
    }
}

/// How a user is called.
fn id(user: u32) -> String {
    format!("user-{user:06}")
}

fn weight_of(split: &canary_core::split::Split, id: VariantId) -> u32 {
    let index = id.slot().checked_sub(1);
    index.and_then(|index| split.weights().get(index)).map_or(0, |weight| weight.ppm())
}
