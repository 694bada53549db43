//! `canaryctl demo`: a real Envoy on this machine, real traffic, and Envoy's own stats
//! against the weights of the policy.

#![allow(clippy::disallowed_methods, reason = "a demo measures how long things take")]

mod batch;
mod change;
mod once;
mod scene;
mod serve;
mod table;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use canary_lab::{EnvoyBuilder, Ports};

use crate::Outcome;
use crate::cli::DemoArgs;
use crate::policy_file::PolicyFile;
use crate::render;
use crate::streams::Streams;

pub(crate) fn run(args: &DemoArgs, streams: &mut Streams) -> Result<Outcome> {
    let file = PolicyFile::read(&args.policy)?;
    let Some(policy) = file.parse(streams) else { return Ok(Outcome::Bad) };
    let builder = builder(args)?.ecds(ecds(&file.text()));
    if args.serve {
        serve::run(args, builder, file, streams)
    } else {
        once::run(args, builder, &file, policy, streams)
    }
}

/// An Envoy that is ready to be started, but for its policy.
fn builder(args: &DemoArgs) -> Result<EnvoyBuilder> {
    let bootstrap = fs::read_to_string(&args.envoy_config).with_context(|| {
        format!("cannot read {}: is this the repository's root?", args.envoy_config.display())
    })?;
    if !args.wasm.is_file() {
        bail!("there is no filter at {}: run `make build`", args.wasm.display());
    }
    let ports = Ports::fixed(args.port, args.admin_port)?;
    Ok(EnvoyBuilder::new(envoy(args.envoy.as_deref()), bootstrap).ports(ports).wasm(&args.wasm))
}

/// The Envoy that was asked for, else `$ENVOY`, else the one on PATH.
fn envoy(asked_for: Option<&Path>) -> PathBuf {
    let from_environment = || env::var_os("ENVOY").filter(|path| !path.is_empty()).map(PathBuf::from);
    asked_for.map(Path::to_path_buf).or_else(from_environment).unwrap_or_else(|| "envoy".into())
}

/// A policy as the demo's Envoy loads it.
fn ecds(policy: &str) -> String {
    render::ecds(policy, &render::Options::default()).to_string()
}
