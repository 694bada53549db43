//! What the demo and the drill have in common: an Envoy that is ready to be started.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use canary_lab::{EnvoyBuilder, Lab};
use serde_json::Value;

use crate::cli::EnvoyArgs;
use crate::render;

/// The bootstrap that was asked for.
pub(crate) fn bootstrap(args: &EnvoyArgs) -> Result<String> {
    fs::read_to_string(&args.envoy_config).with_context(|| {
        format!("cannot read {}: is this the repository's root?", args.envoy_config.display())
    })
}

/// An Envoy that is ready to be started, but for its ports and its policy.
pub(crate) fn builder(args: &EnvoyArgs, bootstrap: String) -> Result<EnvoyBuilder> {
    if !args.wasm.is_file() {
        bail!("there is no filter at {}: run `make build`", args.wasm.display());
    }
    Ok(EnvoyBuilder::new(envoy(args.envoy.as_deref()), bootstrap).wasm(&args.wasm))
}

/// The Envoy that was asked for, else `$ENVOY`, else the one on PATH.
fn envoy(asked_for: Option<&Path>) -> PathBuf {
    let from_environment = || env::var_os("ENVOY").filter(|path| !path.is_empty()).map(PathBuf::from);
    asked_for.map(Path::to_path_buf).or_else(from_environment).unwrap_or_else(|| "envoy".into())
}

/// A policy as this Envoy loads it.
pub(crate) fn ecds(policy: &str) -> String {
    render::ecds(policy, &render::Options::default()).to_string()
}

/// Envoy's version: `<commit>/1.40.0/Clean/RELEASE/BoringSSL` as it says itself.
pub(crate) fn version(lab: &Lab) -> Option<String> {
    let info: Value = serde_json::from_str(&lab.admin().get("/server_info").ok()?).ok()?;
    info.get("version")?.as_str()?.split('/').nth(1).map(ToOwned::to_owned)
}
