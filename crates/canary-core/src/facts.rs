//! What is known of one request; each fact is worked out once, when it is first asked for.

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::geo::Geo;
use crate::policy::Policy;
use crate::request::{HostBuffer, RequestView, fold_host, host, path};

/// One request as a policy sees it.
pub struct Facts<'v, V> {
    policy: &'v Policy,
    /// The request itself, for conditions on single headers.
    pub view: &'v V,
    folded_host: OnceCell<HostBuffer>,
    geo: OnceCell<Option<Geo>>,
    identity: OnceCell<Option<Cow<'v, [u8]>>>,
}

impl<'v, V: RequestView> Facts<'v, V> {
    /// Nothing is read yet.
    pub fn new(policy: &'v Policy, view: &'v V) -> Self {
        Self { policy, view, folded_host: OnceCell::new(), geo: OnceCell::new(), identity: OnceCell::new() }
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
            sources.find_map(|source| Geo::parse(&source.read(self.view)?))
        };
        self.geo.get_or_init(find).as_ref()
    }

    /// The first source of the policy that has an identity.
    pub fn identity(&self) -> Option<&[u8]> {
        let find = || self.policy.identity.iter().find_map(|source| source.read(self.view));
        self.identity.get_or_init(find).as_deref()
    }
}
