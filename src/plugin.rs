//! What the VMs of one plugin share in this process: the last good policy, and what was told.

use std::fmt;
use std::hash::Hasher;

use canary_core::policy::Policy;
use fnv::FnvHasher;

use crate::host;

/// The plugin's name and root id: what its shared data is kept apart by, since all plugins of
/// a `vm_id` share it (in Istio that is all there are).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Plugin(String);

/// What can be told of a policy.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told {
    Loaded,
    Refused,
    Empty,
    NoKeys,
}

impl Plugin {
    /// The plugin that is being configured.
    pub(crate) fn current() -> Self {
        let part = |path| host::property(path).unwrap_or_default();
        let (name, root) = (part("plugin_name"), part("plugin_root_id"));
        Self(format!("{}/{}", String::from_utf8_lossy(&name), String::from_utf8_lossy(&root)))
    }

    /// The key of something that the VMs of this plugin share.
    pub(crate) fn key(&self, what: impl fmt::Display) -> String {
        format!("canary.{what}/{}", self.0)
    }

    /// Its name, as a label of stats.
    pub(crate) fn label(&self) -> String {
        let name = self.0.rsplit_once('/').map_or("", |(name, _)| name);
        name.replace(';', "_")
    }

    /// Keeps a good policy for the time when a bad one comes, or a VM is built anew.
    pub(crate) fn keep(&self, text: &[u8]) {
        host::set_shared_data(&self.key("policy"), text);
    }

    /// The good policy that came last.
    pub(crate) fn last_good(&self) -> Option<Policy> {
        let text = host::shared_data(&self.key("policy"))?;
        Policy::parse(&text).ok()
    }

    /// Every VM loads every policy; the first one tells of it. What was told is told again
    /// only after the opposite: a policy that is mended and broken anew is news. Being empty is
    /// apart, since at boot every VM loads the default configuration first.
    pub(crate) fn once(&self, what: Told, text: &[u8], tell: impl FnOnce()) {
        let key = |what: Told| self.key(format_args!("told.{what:?}"));
        let mut hash = FnvHasher::default();
        hash.write(text);
        let hash = hash.finish().to_le_bytes();
        if host::shared_data(&key(what)).as_deref() == Some(&hash) {
            return;
        }
        host::set_shared_data(&key(what), &hash);
        match what {
            Told::Loaded => host::set_shared_data(&key(Told::Refused), &[]),
            Told::Refused => host::set_shared_data(&key(Told::Loaded), &[]),
            Told::Empty | Told::NoKeys => {}
        }
        tell();
    }
}
