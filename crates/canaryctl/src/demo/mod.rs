//! `canaryctl demo`: a real Envoy on this machine, real traffic, and Envoy's own stats
//! against the weights of the policy.

#![allow(clippy::disallowed_methods, reason = "a demo measures how long things take")]

mod batch;
mod change;
pub(crate) mod envoy;
mod once;
mod scene;
mod serve;
mod table;

use anyhow::Result;
use canary_lab::Ports;

use crate::Outcome;
use crate::cli::DemoArgs;
use crate::policy_file::PolicyFile;
use crate::streams::Streams;

pub(crate) fn run(args: &DemoArgs, streams: &mut Streams) -> Result<Outcome> {
    let file = PolicyFile::read(&args.policy)?;
    let Some(policy) = file.parse(streams) else { return Ok(Outcome::Bad) };
    let builder = envoy::builder(&args.envoy, envoy::bootstrap(&args.envoy)?)?;
    let builder = builder.ports(Ports::fixed(args.port, args.admin_port)?).ecds(envoy::ecds(&file.text()));
    if args.serve {
        serve::run(args, builder, file, streams)
    } else {
        once::run(args, builder, &file, policy, streams)
    }
}
