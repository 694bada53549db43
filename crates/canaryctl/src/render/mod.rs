//! `canaryctl render`: a policy as configuration that can be deployed.

mod ecds;

use anyhow::Result;

use crate::Outcome;
use crate::cli::{RenderArgs, Target};
use crate::policy_file::PolicyFile;
use crate::streams::Streams;

pub use ecds::{CAPABILITIES, Options, WASM, ecds};

pub(crate) fn run(args: &RenderArgs, streams: &mut Streams) -> Result<Outcome> {
    let file = PolicyFile::read(&args.policy)?;
    if file.parse(streams).is_none() {
        return Ok(Outcome::Bad);
    }
    let options = Options {
        name: args.name.clone(),
        wasm: args.wasm.clone(),
        vm_id: args.vm_id.clone(),
        strict: args.strict,
    };
    let rendered = match args.to {
        Target::Ecds => ecds(&file.text(), &options),
    };
    streams.say(format_args!("{rendered:#}"))?;
    Ok(Outcome::Good)
}
