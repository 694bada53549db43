//! `canaryctl explain`: which variant a request gets, and why.

mod request;
mod text;

use anyhow::{Result, anyhow};
use canary_core::bucket::Point;
use canary_core::decide::{Decision, decide};
use serde_json::{Value, json};

use crate::Outcome;
use crate::cli::{ExplainArgs, Format};
use crate::policy_file::PolicyFile;
use crate::streams::Streams;

pub use request::{Header, Request};

/// A decision as a JSON object; `null` where the decision has no such thing.
pub fn json(decision: &Decision<'_>) -> Value {
    json!({
        "rollout": decision.rollout.map(|rollout| &*rollout.name),
        "variant": decision.variant.map(|variant| &*variant.name),
        "cluster": decision.variant.and_then(|variant| variant.cluster.as_deref()),
        "reason": decision.reason.as_str(),
        "rule": decision.rule.map(|rule| &*rule.name),
        "bucket": decision.point.map(Point::bucket),
        "hash": decision.point.map(|point| format!("{:016x}", point.get())),
    })
}

pub(crate) fn run(args: &ExplainArgs, streams: &mut Streams) -> Result<Outcome> {
    let request = Request::typed(args).map_err(|wrong| anyhow!(wrong))?;
    let file = PolicyFile::read(&args.policy)?;
    let Some(policy) = file.parse(streams) else { return Ok(Outcome::Bad) };
    // No draw: what is random for each request has no one answer.
    let decision = decide(&policy, &request, None);
    match args.format {
        Format::Json => streams.say(json(&decision))?,
        Format::Text => streams.say(text::text(&policy, &request, &decision))?,
    }
    Ok(Outcome::Good)
}
