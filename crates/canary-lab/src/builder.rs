//! Laying out a directory for Envoy and starting it there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::admin::Admin;
use crate::client::Client;
use crate::lab::{ECDS, Files, Lab};
use crate::poll::wait_until;
use crate::ports::Ports;
use crate::process::Process;

/// Where `envoy/envoy.yaml` looks for the filter.
const WASM: &str = "dist/canary_filter.wasm";

/// How an Envoy is to be started; every setting has a default.
///
/// The bootstrap's relative paths hold in the directory where Envoy runs:
/// `dist/canary_filter.wasm` and `dist/ecds/canary.json` are put there, what is
/// generated goes into `.run/`.
#[derive(Debug)]
pub struct EnvoyBuilder {
    binary: PathBuf,
    bootstrap: String,
    ports: Option<Ports>,
    copies: Vec<(PathBuf, PathBuf)>,
    texts: Vec<(PathBuf, String)>,
    env: Vec<(String, String)>,
    args: Vec<String>,
    concurrency: u32,
    directory: Option<PathBuf>,
    deadline: Duration,
}

impl EnvoyBuilder {
    /// An Envoy from this binary with this bootstrap, in YAML and with the ports of `envoy/envoy.yaml`.
    pub fn new(binary: impl Into<PathBuf>, bootstrap: impl Into<String>) -> Self {
        Self {
            binary: binary.into(),
            bootstrap: bootstrap.into(),
            ports: None,
            copies: Vec::new(),
            texts: Vec::new(),
            env: Vec::new(),
            args: Vec::new(),
            concurrency: 2,
            directory: None,
            deadline: Duration::from_mins(1),
        }
    }

    /// Uses these ports; without it, free ones.
    #[must_use]
    pub fn ports(mut self, ports: Ports) -> Self {
        self.ports = Some(ports);
        self
    }

    /// Puts this module where the bootstrap looks for the filter.
    #[must_use]
    pub fn wasm(self, module: impl Into<PathBuf>) -> Self {
        self.copy(WASM, module)
    }

    /// Puts this text, a discovery response, where the bootstrap looks for the policy.
    #[must_use]
    pub fn ecds(self, text: impl Into<String>) -> Self {
        self.text(ECDS, text)
    }

    /// Copies a file to this path inside the directory.
    #[must_use]
    pub fn copy(mut self, path: impl Into<PathBuf>, from: impl Into<PathBuf>) -> Self {
        self.copies.push((path.into(), from.into()));
        self
    }

    /// Writes a text to this path inside the directory.
    #[must_use]
    pub fn text(mut self, path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        self.texts.push((path.into(), text.into()));
        self
    }

    /// Sets a variable in Envoy's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds an argument to Envoy's command line.
    #[must_use]
    pub fn arg(mut self, argument: &str) -> Self {
        self.args.push(argument.to_owned());
        self
    }

    /// How many worker threads; 2 unless said otherwise.
    #[must_use]
    pub fn concurrency(mut self, workers: u32) -> Self {
        self.concurrency = workers;
        self
    }

    /// Runs in this directory and leaves it standing; without it, in a temporary one.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// How long Envoy may take to get ready; a minute unless said otherwise.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Starts Envoy and returns when it takes traffic; the error otherwise ends with Envoy's log.
    pub fn start(mut self) -> Result<Lab> {
        let ports = self.take_ports()?;
        let (directory, files) = self.lay_out(&ports)?;
        let mut command = self.command(&directory, &files);
        command
            .args(["--concurrency", &self.concurrency.to_string()])
            // Tests read the access log back; Envoy's own default is ten seconds.
            .args(["--file-flush-interval-msec", "50"])
            .args(&self.args)
            .stdout(create(&files.access_log)?)
            .stderr(create(&files.envoy_log)?);
        let process = Process::start(command)?;
        let admin = Admin::new(ports.admin());
        let main = ports.main();
        let ready = wait_until(self.deadline, "Envoy to get ready", || {
            if let Some(status) = process.exit() {
                bail!("Envoy ended at its start ({status})");
            }
            Ok((admin.ready() && Client::new(main).connect().is_ok()).then_some(()))
        });
        ready.with_context(|| format!("Envoy's log ends with:\n{}", tail(&files.envoy_log)))?;
        Ok(Lab::new(process, ports, admin, files, directory))
    }

    /// Asks Envoy whether it would load this (`--mode validate`); the error ends with Envoy's log.
    pub fn validate(mut self) -> Result<()> {
        let ports = self.take_ports()?;
        let (directory, files) = self.lay_out(&ports)?;
        let status = self
            .command(&directory, &files)
            .args(["--mode", "validate"])
            .args(&self.args)
            .stdout(Stdio::null())
            .stderr(create(&files.envoy_log)?)
            .status()
            .with_context(|| format!("cannot start {}", self.binary.display()))?;
        if !status.success() {
            bail!("Envoy refuses the bootstrap:\n{}", tail(&files.envoy_log));
        }
        Ok(())
    }

    fn take_ports(&mut self) -> Result<Ports> {
        self.ports.take().map_or_else(Ports::free, Ok)
    }

    fn lay_out(&self, ports: &Ports) -> Result<(Directory, Files)> {
        let directory = match &self.directory {
            Some(path) => Directory::Given(
                fs::canonicalize(path)
                    .with_context(|| format!("the directory {} to run Envoy in", path.display()))?,
            ),
            None => Directory::Temporary(
                tempfile::Builder::new().prefix("canary-lab-").tempdir().context("a temporary directory")?,
            ),
        };
        let files = Files::within(directory.path());
        for (path, from) in &self.copies {
            let to = directory.path().join(path);
            // In the repository itself the filter already lies where it belongs.
            if fs::canonicalize(from).ok() == fs::canonicalize(&to).ok() && to.exists() {
                continue;
            }
            parents(&to)?;
            fs::copy(from, &to).with_context(|| format!("copying {} to {}", from.display(), to.display()))?;
        }
        for (path, text) in &self.texts {
            write(&directory.path().join(path), text)?;
        }
        write(&files.bootstrap, &ports.substitute(&self.bootstrap)?)?;
        Ok((directory, files))
    }

    fn command(&self, directory: &Directory, files: &Files) -> Command {
        // Envoy runs elsewhere: a relative path to its binary must still hold there.
        let binary = match self.binary.components().count() {
            0 | 1 => self.binary.clone(),
            _ => fs::canonicalize(&self.binary).unwrap_or_else(|_| self.binary.clone()),
        };
        let mut command = Command::new(binary);
        command
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .arg("-c")
            .arg(&files.bootstrap)
            .arg("--disable-hot-restart")
            // What the surroundings set must not decide how a test ends.
            .env_remove("CANARY_STRICT")
            .env_remove("CANARY_OVERRIDE_KEY")
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// The directory that Envoy runs in; a temporary one goes when this is dropped.
#[derive(Debug)]
pub(crate) enum Directory {
    Given(PathBuf),
    Temporary(TempDir),
}

impl Directory {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Given(path) => path,
            Self::Temporary(directory) => directory.path(),
        }
    }
}

fn parents(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    parents(path)?;
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

fn create(path: &Path) -> Result<fs::File> {
    fs::File::create(path).with_context(|| format!("creating {}", path.display()))
}

/// The end of Envoy's log, which says why.
fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().filter(|line| !line.contains("[info]")).collect();
    let from = lines.len().saturating_sub(15);
    lines.get(from..).unwrap_or_default().join("\n")
}
