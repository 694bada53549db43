//! Overrides: a side that a signed token asks for.

use std::borrow::Cow;

use crate::policy::Policy;
use crate::request::{RequestView, cookie_of, query};
use crate::rollout::{Rollout, RolloutId, Variant};
use crate::timeline::Instant;
use crate::token::{Claim, Keys, NoKeys};

/// Where a rollout's tokens stand in a request, and where their key is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Override {
    /// A request header.
    pub header: Option<Box<str>>,
    /// A cookie.
    pub cookie: Option<Box<str>>,
    /// A parameter of the query.
    pub query: Option<Box<str>>,
    /// The variable of the VM's environment that holds the key.
    pub key_env: Box<str>,
}

/// What came of a request's tokens.
#[derive(Clone, Copy, Debug)]
pub enum Forced<'p> {
    /// There is none.
    No,
    /// There are some, none of which is worth anything: the request goes on as if without.
    Rejected,
    /// This side.
    To(&'p Variant),
}

/// Every place in which tokens of a policy stand. Nobody behind the proxy may see one, on
/// whatever request it comes.
#[derive(Clone, Debug, Default)]
pub(crate) struct TokenPlaces {
    pub(crate) headers: Vec<Box<str>>,
    pub(crate) cookies: Vec<Box<str>>,
    pub(crate) queries: Vec<Box<str>>,
}

impl<'a> FromIterator<&'a Override> for TokenPlaces {
    fn from_iter<I: IntoIterator<Item = &'a Override>>(overrides: I) -> Self {
        let mut places = Self::default();
        for Override { header, cookie, query, key_env: _ } in overrides {
            for (name, names) in
                [(header, &mut places.headers), (cookie, &mut places.cookies), (query, &mut places.queries)]
            {
                names.extend(name.iter().filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>());
            }
        }
        places
    }
}

impl TokenPlaces {
    /// Whether these are the places of one rollout, and there are no others.
    pub(crate) fn are_only(&self, own: &Override) -> bool {
        let counts = [&self.headers, &self.cookies, &self.queries].map(Vec::len);
        counts == [&own.header, &own.cookie, &own.query].map(|name| usize::from(name.is_some()))
    }
}

/// The keys of a policy's rollouts.
#[derive(Clone, Default)]
pub struct KeyRing(Box<[Option<Keys>]>);

impl KeyRing {
    /// Reads the keys that a policy names from an environment; `missing` is told of each rollout
    /// whose tokens cannot be checked, and why.
    pub fn new(
        policy: &Policy,
        environment: impl Fn(&str) -> Option<Vec<u8>>,
        mut missing: impl FnMut(&Rollout, &Override, NoKeys),
    ) -> Self {
        let keys = policy.rollouts.iter().map(|rollout| {
            let overrides = rollout.overrides.as_ref()?;
            let value = environment(&overrides.key_env).unwrap_or_default();
            Keys::parse(&value).map_err(|why| missing(rollout, overrides, why)).ok()
        });
        Self(keys.collect())
    }

    /// The keys of one rollout.
    pub fn get(&self, rollout: RolloutId) -> Option<&Keys> {
        self.0.get(usize::try_from(rollout.0).ok()?)?.as_ref()
    }
}

impl Override {
    /// The tokens of a request, the first one of each place; the header's comes first.
    pub fn tokens<'v>(&self, view: &'v impl RequestView) -> impl Iterator<Item = Cow<'v, [u8]>> {
        let header = self.header.as_ref().and_then(|name| view.header(name)).map(Cow::Borrowed);
        let cookie = self.cookie.as_ref().and_then(|name| cookie_of(view, name));
        let query =
            self.query.as_ref().and_then(|name| query(view.header(":path")?, name)).map(Cow::Borrowed);
        [header, cookie, query].into_iter().flatten()
    }
}

impl Rollout {
    /// The side that a request's tokens ask for: the first good token wins.
    pub(crate) fn forced(&self, view: &impl RequestView, keys: Option<&Keys>, now: Instant) -> Forced<'_> {
        let Some(places) = &self.overrides else { return Forced::No };
        let mut result = Forced::No;
        for token in places.tokens(view) {
            let side = Claim::parse(&token).zip(keys).and_then(|(claim, keys)| {
                let mut sides = self.variants.iter();
                sides.find(|side| keys.confirms(&claim, &self.name, &side.name, now))
            });
            match side {
                Some(side) => return Forced::To(side),
                None => result = Forced::Rejected,
            }
        }
        result
    }
}
