//! What is known of one request; each fact is worked out once, when it is first asked for.

use core::net::IpAddr;
use std::borrow::Cow;
use std::cell::{Cell, OnceCell};

use crate::condition::SegmentId;
use crate::geo::Geo;
use crate::policy::Policy;
use crate::request::jwt::{self, Claims};
use crate::request::source::address;
use crate::request::{HostBuffer, RequestView, Source, SourceKind, fold_host, host, path};

/// One request as a policy sees it.
pub struct Facts<'v, V> {
    policy: &'v Policy,
    /// The request itself, for conditions on single headers.
    pub view: &'v V,
    folded_host: OnceCell<HostBuffer>,
    geo: OnceCell<Option<Geo>>,
    identity: OnceCell<Option<Cow<'v, [u8]>>>,
    claims: OnceCell<Option<Claims>>,
    source: OnceCell<Option<IpAddr>>,
    /// Which segments were asked for, and which of them hold.
    segments: Cell<[SegmentSet; 2]>,
}

/// A bit for each segment; a policy has at most [`MAX_SEGMENTS`].
type SegmentSet = [u64; MAX_SEGMENTS / 64];

/// The most segments of a policy.
pub(crate) const MAX_SEGMENTS: usize = 256;

impl<'v, V: RequestView> Facts<'v, V> {
    /// Nothing is read yet.
    pub fn new(policy: &'v Policy, view: &'v V) -> Self {
        Self {
            policy,
            view,
            folded_host: OnceCell::new(),
            geo: OnceCell::new(),
            identity: OnceCell::new(),
            claims: OnceCell::new(),
            source: OnceCell::new(),
            segments: Cell::default(),
        }
    }

    /// The method as sent.
    pub fn method(&self) -> &[u8] {
        self.view.header(":method").unwrap_or_default()
    }

    /// The path without query.
    pub fn path(&self) -> &[u8] {
        path(self.view.header(":path").unwrap_or_default())
    }

    /// The host, in lower case, without port.
    pub fn host(&self) -> &[u8] {
        let host = host(self.view.header(":authority").unwrap_or_default());
        if !host.iter().any(u8::is_ascii_uppercase) {
            return host;
        }
        let buffer = self.folded_host.get_or_init(|| fold_host(host));
        buffer.get(..host.len()).unwrap_or_default()
    }

    /// The first source of the policy that knows a geo.
    pub fn geo(&self) -> Option<&Geo> {
        let find = || {
            let mut sources = self.policy.geo.iter();
            sources.find_map(|source| Geo::parse(&self.read(source)?))
        };
        self.geo.get_or_init(find).as_ref()
    }

    /// The first source of the policy that has an identity.
    pub fn identity(&self) -> Option<&[u8]> {
        let known = |value: &Cow<'_, [u8]>| !self.policy.ignore_identities.contains(&**value);
        let find = || self.policy.identity.iter().find_map(|source| self.read(source).filter(known));
        self.identity.get_or_init(find).as_deref()
    }

    /// What stands in a source; a token is taken apart once, however many sources ask for it.
    fn read(&self, source: &Source) -> Option<Cow<'v, [u8]>> {
        match source.kind {
            SourceKind::JwtClaim => {
                let text = jwt::text(self.claims()?.get(&*source.name)?)?;
                (!text.is_empty()).then_some(Cow::Owned(text))
            }
            _ => source.read(self.view),
        }
    }

    /// The source address.
    pub fn source(&self) -> Option<IpAddr> {
        let read = || {
            let address = address(self.view.source_address()?);
            std::str::from_utf8(&address).ok()?.parse().ok()
        };
        *self.source.get_or_init(read)
    }

    /// The claims of the bearer token.
    pub fn claims(&self) -> Option<&Claims> {
        let read = || jwt::claims(self.view.header("authorization")?);
        self.claims.get_or_init(read).as_ref()
    }

    /// Whether the request is in a segment. Each is worked out once, so that segments made
    /// of segments cost no more than there are.
    pub fn is_in(&self, id: SegmentId) -> bool {
        let (word, bit) = (usize::from(id.0 / 64), 1 << (id.0 % 64));
        let holds_bit = |set: &SegmentSet| set.get(word).is_some_and(|word| word & bit != 0);
        let [asked, held] = self.segments.get();
        if holds_bit(&asked) {
            return holds_bit(&held);
        }
        let segment = self.policy.segments.get(usize::from(id.0));
        let holds = segment.is_some_and(|segment| segment.when.holds(self));
        // Read again: others have been worked out on the way.
        let mut sets = self.segments.get();
        for (set, add) in sets.iter_mut().zip([true, holds]) {
            if let (Some(word), true) = (set.get_mut(word), add) {
                *word |= bit;
            }
        }
        self.segments.set(sets);
        holds
    }
}
