//! `canaryctl explain`: which variant a request gets, and why.

mod request;
mod text;

use std::ffi::OsString;

use anyhow::{Result, anyhow};
use canary_core::bucket::Point;
use canary_core::decide::{Ambient, Decision, decide};
use canary_core::forced::KeyRing;
use serde_json::{Value, json};

use crate::Outcome;
use crate::cli::{ExplainArgs, Format};
use crate::clock;
use crate::policy_file::PolicyFile;
use crate::streams::Streams;

pub use request::{Header, Request};

/// A decision as a JSON object; `null` where the decision has no such thing.
///
/// A rollout without flags has no `flags`.
pub fn json(decision: &Decision<'_>) -> Value {
    let mut object = json!({
        "rollout": decision.rollout.map(|rollout| &*rollout.name),
        "variant": decision.variant.map(|variant| &*variant.name),
        "cluster": decision.variant.and_then(|variant| variant.cluster.as_deref()),
        "reason": decision.reason.as_str(),
        "rule": decision.rule.map(|rule| &*rule.name),
        "bucket": decision.point.map(Point::bucket),
        "hash": decision.point.map(|point| format!("{:016x}", point.get())),
    });
    let has_flags = decision.rollout.is_some_and(|rollout| !rollout.flags.is_empty());
    if let (true, Some(members)) = (has_flags, object.as_object_mut()) {
        members.insert("flags".to_owned(), flags_on(decision).into());
    }
    object
}

/// The features that are on, in the order of their names.
fn flags_on<'p>(decision: &Decision<'p>) -> Vec<&'p str> {
    let flags = decision.rollout.map_or(&[][..], |rollout| &rollout.flags);
    let on = decision.flags.iter().filter(|(_, on)| *on);
    on.filter_map(|(place, _)| Some(&*flags.get(place)?.name)).collect()
}

pub(crate) fn run(args: &ExplainArgs, streams: &mut Streams) -> Result<Outcome> {
    let request = Request::typed(args).map_err(|wrong| anyhow!(wrong))?;
    let file = PolicyFile::read(&args.policy)?;
    let Some(policy) = file.parse(streams) else { return Ok(Outcome::Bad) };
    let variable = |name: &str| std::env::var_os(name).map(OsString::into_encoded_bytes);
    let keys = KeyRing::new(&policy, variable, |_, _, _| {});
    // No random bits: what is random for each request has no one answer.
    let ambient = Ambient { keys: Some(&keys), ..Ambient::at(args.at.unwrap_or_else(clock::now)) };
    let decision = decide(&policy, &request, ambient);
    match args.format {
        Format::Json => streams.say(json(&decision))?,
        Format::Text => streams.say(text::text(&policy, &request, &decision, ambient.now))?,
    }
    Ok(Outcome::Good)
}
