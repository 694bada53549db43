//! `canaryctl schema`: the JSON Schema of the policy language.

use anyhow::Result;
use canary_core::policy::Policy;

use crate::Outcome;
use crate::streams::Streams;

pub(crate) fn run(streams: &mut Streams) -> Result<Outcome> {
    streams.say(format_args!("{:#}", Policy::schema()))?;
    Ok(Outcome::Good)
}
