//! A running Envoy: what can be done to it and what it tells.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::admin::Admin;
use crate::builder::Directory;
use crate::client::Client;
use crate::poll::wait_until;
use crate::ports::Ports;
use crate::process::Process;
use crate::usage::Usage;

/// Where `envoy/envoy.yaml` looks for the policy, rendered as a discovery response.
pub(crate) const ECDS: &str = "dist/ecds/canary.json";

const PATIENCE: Duration = Duration::from_secs(20);

/// The files that a lab generates, all in `.run/`.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) bootstrap: PathBuf,
    pub(crate) access_log: PathBuf,
    pub(crate) envoy_log: PathBuf,
}

impl Files {
    pub(crate) fn within(directory: &Path) -> Self {
        let run = directory.join(".run");
        Self {
            bootstrap: run.join("envoy.yaml"),
            access_log: run.join("access.log"),
            envoy_log: run.join("envoy.log"),
        }
    }
}

/// What Envoy's main thread made of a pushed policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Taken over; the workers follow within moments.
    Accepted,
    /// Refused (NACK); the one before goes on.
    Rejected,
}

/// A running Envoy; dropping it ends the process.
#[derive(Debug)]
pub struct Lab {
    // The process first: it must be gone before its ports and its directory are.
    process: Process,
    ports: Ports,
    admin: Admin,
    files: Files,
    directory: Directory,
    pushes: AtomicU64,
}

impl Lab {
    pub(crate) fn new(
        process: Process,
        ports: Ports,
        admin: Admin,
        files: Files,
        directory: Directory,
    ) -> Self {
        Self { process, ports, admin, files, directory, pushes: AtomicU64::new(0) }
    }

    /// The directory in which Envoy runs.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Its ports.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Its admin interface.
    pub fn admin(&self) -> Admin {
        self.admin
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Whether the process still runs.
    pub fn is_running(&self) -> bool {
        self.process.exit().is_none()
    }

    /// What it has cost up to now.
    pub fn usage(&self) -> Result<Usage> {
        Usage::of(self.pid())
    }

    /// A client of the main listener.
    pub fn client(&self) -> Client {
        Client::new(self.ports.main())
    }

    /// At least this many connected clients of the main listener, each worker serving one or more.
    pub fn clients(&self, at_least: usize) -> Result<Vec<Client>> {
        self.clients_of(self.ports.main(), at_least)
    }

    /// As [`Lab::clients`], of the listener on another port.
    pub fn clients_of(&self, port: u16, at_least: usize) -> Result<Vec<Client>> {
        // The kernel picks the worker, so connect until each has got one.
        const MOST: usize = 400;
        let before = self.connections(port)?;
        let mut clients = Vec::new();
        while clients.len() < MOST {
            for _ in 0..at_least.max(1) {
                let mut client = Client::new(port);
                client.connect()?;
                clients.push(client);
            }
            let opened = u64::try_from(clients.len())?;
            let target = before.values().sum::<u64>() + opened;
            let now = wait_until(PATIENCE, "connections to be accepted", || {
                let now = self.connections(port)?;
                Ok((now.values().sum::<u64>() >= target).then_some(now))
            })?;
            if now.iter().all(|(worker, total)| before.get(worker).is_none_or(|old| total > old)) {
                return Ok(clients);
            }
        }
        bail!("{MOST} connections did not reach every worker")
    }

    /// Renames a policy, rendered as a discovery response, into the watched directory, and returns
    /// at once.
    pub fn push(&self, ecds: &str) -> Result<()> {
        self.replace(ECDS, ecds)
    }

    /// As [`Lab::push`], and waits until Envoy's main thread has decided about it. What comes of it
    /// on the workers shows moments later: poll for it.
    pub fn push_and_wait(&self, ecds: &str) -> Result<Verdict> {
        let (accepted, rejected) = self.updates()?;
        self.push(ecds)?;
        wait_until(PATIENCE, "Envoy to decide about a policy", || {
            let now = self.updates()?;
            Ok(if now.1 > rejected {
                Some(Verdict::Rejected)
            } else {
                (now.0 > accepted).then_some(Verdict::Accepted)
            })
        })
    }

    /// Replaces a file in Envoy's directory in one step, by renaming.
    pub fn replace(&self, path: impl AsRef<Path>, text: &str) -> Result<()> {
        let to = self.directory().join(path);
        let number = self.pushes.fetch_add(1, Ordering::Relaxed);
        let from = to.with_extension(format!("{}.{number}.tmp", std::process::id()));
        fs::write(&from, text).with_context(|| format!("writing {}", from.display()))?;
        fs::rename(&from, &to).with_context(|| format!("renaming to {}", to.display()))
    }

    /// The access log up to now; a line appears some 50 ms after its request has ended.
    pub fn access_log(&self) -> Result<String> {
        read(&self.files.access_log)
    }

    /// Envoy's own log up to now, the filter's lines in it.
    pub fn envoy_log(&self) -> Result<String> {
        read(&self.files.envoy_log)
    }

    /// Asks Envoy to end and waits until it has, so that its logs are complete.
    pub fn stop(&self) -> Result<()> {
        self.admin.post("/quitquitquit")?;
        wait_until(PATIENCE, "Envoy to end", || Ok(self.process.exit().map(|_| ())))
    }

    /// How many updates of the filter's configuration were taken and how many refused.
    fn updates(&self) -> Result<(u64, u64)> {
        const SCOPE: &str = "extension_config_discovery.http_filter.canary";
        let stats = self.admin.stats()?;
        let count = |what| stats.get(&format!("{SCOPE}.{what}")).unwrap_or_default();
        // A failure is a text that is no discovery response at all.
        let refused = count("update_rejected") + count("update_failure");
        Ok((count("update_success"), refused))
    }

    /// How many connections each worker has accepted on this port.
    fn connections(&self, port: u16) -> Result<BTreeMap<String, u64>> {
        let marker = format!("_{port}.worker_");
        let stats = self.admin.stats()?;
        Ok(stats
            .iter()
            .filter(|(name, _)| name.starts_with("listener.") && name.contains(&marker))
            .filter(|(name, _)| name.ends_with(".downstream_cx_total"))
            .map(|(name, value)| (name.to_owned(), value))
            .collect())
    }
}

fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
