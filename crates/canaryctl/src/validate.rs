//! `canaryctl validate`: is the policy sound, and what does it believe?

use anyhow::Result;
use canary_core::policy::Policy;

use crate::Outcome;
use crate::cli::ValidateArgs;
use crate::policy_file::{PolicyFile, count};
use crate::streams::Streams;

const TRUST: &str = "It believes what stands here, so something in front of Envoy must remove these from what \
                     clients send and set them itself:";

pub(crate) fn run(args: &ValidateArgs, streams: &mut Streams) -> Result<Outcome> {
    let file = PolicyFile::read(&args.policy)?;
    let Some(policy) = file.parse(streams) else { return Ok(Outcome::Bad) };
    if file.bytes().trim_ascii().is_empty() {
        let name = file.name();
        streams.warn(format_args!("{name}: warning: empty, so there are no rollouts and all is stable"));
    }
    streams.say(format_args!("{}: valid: {}", file.name(), summary(&policy)))?;
    let trusted = policy.trusts();
    if trusted.is_empty() {
        return Ok(Outcome::Good);
    }
    streams.say(TRUST)?;
    for (what, used_for) in trusted {
        let space = if what.name.is_empty() { "" } else { " " };
        streams.say(format_args!("  {}{space}{}: {}", what.kind, what.name, used_for.join(", ")))?;
    }
    Ok(Outcome::Good)
}

fn summary(policy: &Policy) -> String {
    let rules = policy.rollouts.iter().map(|rollout| rollout.rules.len()).sum();
    let rollouts = count(policy.rollouts.len(), "rollout");
    format!("{rollouts}, {}, digest {}", count(rules, "rule"), policy.digest)
}
