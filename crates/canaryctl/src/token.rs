//! `canaryctl token`: mint and check what asks for a side of a rollout.

use anyhow::{Result, anyhow};
use canary_core::duration;
use canary_core::policy::is_name;
use canary_core::token::{Claim, Keys, MIN_KEY, NoKeys};

use crate::Outcome;
use crate::cli::{CheckArgs, MintArgs, TokenCommand};
use crate::clock;
use crate::streams::Streams;

pub(crate) fn run(command: &TokenCommand, streams: &mut Streams) -> Result<Outcome> {
    match command {
        TokenCommand::Mint(args) => mint(args, streams),
        TokenCommand::Check(args) => check(args, streams),
    }
}

/// Reads a name as a policy has it.
pub(crate) fn parse_name(text: &str) -> Result<String, &'static str> {
    is_name(text).then(|| text.to_owned()).ok_or("must be 1 to 64 characters of [A-Za-z0-9._-]")
}

/// Reads a time such as `1h`, in seconds.
pub(crate) fn parse_duration(text: &str) -> Result<u64, &'static str> {
    let seconds =
        duration::seconds(text).ok_or("must be a number and one of s, m, h, d: 90s, 30m, 1h, 7d")?;
    // Ten years: whoever wants more has mistyped it.
    if (1..=3_650 * duration::DAY).contains(&seconds) { Ok(seconds) } else { Err("must be 1s to 3650d") }
}

fn mint(args: &MintArgs, streams: &mut Streams) -> Result<Outcome> {
    let keys = keys(&args.key_env)?;
    let now = u64::try_from(clock::now())?;
    let token = keys.mint(&args.rollout, &args.variant, now + args.expires_in);
    streams.say(token.ok_or_else(|| anyhow!("there is no key to mint with"))?)?;
    Ok(Outcome::Good)
}

fn check(args: &CheckArgs, streams: &mut Streams) -> Result<Outcome> {
    let keys = keys(&args.key_env)?;
    let now = args.at.unwrap_or_else(clock::now);
    let token = args.token.trim().as_bytes();
    let Some(claim) = Claim::parse(token) else {
        streams.warn("not a token: it must be v1.<rollout>.<variant>.<expiry>.<MAC>");
        return Ok(Outcome::Bad);
    };
    let named: Vec<(&str, &str)> = match (&args.rollout, &args.variant) {
        (Some(rollout), Some(variant)) => vec![(rollout, variant)],
        _ => claim.readings().collect(),
    };
    let long_ago = 0;
    let good_at = |at| named.iter().find(|(rollout, variant)| keys.confirms(&claim, rollout, variant, at));
    if let Some((rollout, variant)) = good_at(now) {
        let left = i64::try_from(claim.expiry)?.saturating_sub(now);
        streams.say(format_args!("good for {variant} of {rollout}, for {left} s more"))?;
        return Ok(Outcome::Good);
    }
    streams.warn(match good_at(long_ago) {
        Some(_) => format!("expired {} s ago", now.saturating_sub(i64::try_from(claim.expiry)?)),
        None if !named
            .iter()
            .any(|(rollout, variant)| claim.is_for(rollout.as_bytes(), variant.as_bytes())) =>
        {
            "it is for another rollout or variant".to_owned()
        }
        None => format!("the MAC is not that of the key in {}", args.key_env),
    });
    Ok(Outcome::Bad)
}

fn keys(variable: &str) -> Result<Keys> {
    let value = std::env::var_os(variable).unwrap_or_default().into_encoded_bytes();
    Keys::parse(&value).map_err(|why| match why {
        NoKeys::Missing => anyhow!("{variable} is not set: it must hold the key, at least {MIN_KEY} bytes"),
        NoKeys::Short => anyhow!("a key in {variable} is shorter than {MIN_KEY} bytes"),
        NoKeys::TooMany => anyhow!("{variable} must hold one key, or two with a comma between them"),
    })
}
