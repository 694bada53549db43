//! `canaryctl status`: how each side of each rollout fares, from the stats of running Envoys.
//!
//! | module | what it holds |
//! |---|---|
//! | `source` | endpoints and what they answer: all that goes over the network |
//! | `admin_json`, `prometheus` | Envoy's two formats → a snapshot |
//! | `snapshot`, `histogram` | what was counted, summed and subtracted |
//! | `statistics` | tests and intervals |
//! | `report`, `verdict`, `split`, `guardrail` | a snapshot → figures and findings |
//! | `frame`, `text`, `json`, `words`, `spark` | how it is shown |
//! | `watch`, `history`, `screen` | the same again and again, over a window, in place |

mod admin_json;
mod frame;
mod guardrail;
mod histogram;
mod history;
mod json;
mod prometheus;
mod report;
mod screen;
mod snapshot;
mod source;
mod spark;
mod split;
mod statistics;
mod text;
mod verdict;
mod watch;
mod words;

use std::io::{IsTerminal, stdout};
use std::time::Duration;

use anyhow::{Result, bail};
use canary_core::policy::Policy;
use jiff::{SignedDuration, Timestamp};

use crate::Outcome;
use crate::cli::{Format, StatusArgs};
use crate::clock;
use crate::policy_file::PolicyFile;
use crate::status::frame::{Frame, Span};
use crate::status::guardrail::Knowledge;
use crate::status::report::Report;
use crate::status::snapshot::Snapshot;
use crate::status::source::Readings;
use crate::streams::Streams;

pub(crate) use guardrail::needed;
pub use source::Endpoint;
pub(crate) use words::{about, count};

pub(crate) fn run(args: &StatusArgs, streams: &mut Streams) -> Result<Outcome> {
    source::distinct(&args.admin)?;
    let policy = policy(args, streams)?;
    if args.watch {
        return watch::run(args, policy.as_ref(), streams);
    }
    let readings = source::read_all(&args.admin);
    source::some_readable(&args.admin, &readings)?;
    let mut sum = Snapshot::default();
    for reading in readings.iter().flatten() {
        sum.add_all(reading);
    }
    exists(&sum, args.rollout.as_deref())?;
    let span = Span::Totals;
    let knowledge = knowledge(policy.as_ref(), &sum, span, &readings);
    let report = Report::of(&sum, args.rollout.as_deref(), &knowledge);
    let frame = Frame { endpoints: &args.admin, readings: &readings, span, report, trends: None };
    streams.say(match args.format {
        Format::Json => json::object(&frame, &time()).to_string(),
        Format::Text => screen::coloured(&text::lines(&frame), stdout().is_terminal()),
    })?;
    Ok(Outcome::Good)
}

fn exists(snapshot: &Snapshot, only: Option<&str>) -> Result<()> {
    let names: Vec<_> = snapshot.rollouts().into_keys().collect();
    match only.filter(|only| !names.contains(only)) {
        None => Ok(()),
        Some(name) if names.is_empty() => bail!("no rollout {name:?}: Envoy has none"),
        Some(name) => bail!("no rollout {name:?}: Envoy has {}", names.join(", ")),
    }
}

/// The policy that was given, if one was.
fn policy(args: &StatusArgs, streams: &mut Streams) -> Result<Option<Policy>> {
    let Some(path) = &args.policy else { return Ok(None) };
    let file = PolicyFile::read(path)?;
    match file.parse(streams) {
        Some(policy) => Ok(Some(policy)),
        None => bail!("--policy {} is no policy", file.name()),
    }
}

/// What is known of figures of this time, beside themselves.
fn knowledge<'p>(
    policy: Option<&'p Policy>,
    figures: &Snapshot,
    span: Span,
    readings: &Readings,
) -> Knowledge<'p> {
    let proxies = readings.iter().flatten().count();
    let all = readings.iter().flatten().all(|reading| reading.uptime().is_some());
    let proxy_seconds = match span {
        Span::Totals => figures.uptime().filter(|_| all),
        Span::Young { seconds, .. } | Span::Window { seconds } => {
            Some(seconds.saturating_mul(u64::try_from(proxies).unwrap_or(u64::MAX)))
        }
    };
    Knowledge { policy, proxy_seconds: proxy_seconds.map(statistics::float), proxies }
}

/// Now, in UTC.
fn time() -> String {
    Timestamp::from_second(clock::now()).unwrap_or_default().to_string()
}

/// Reads how often to look.
///
/// # Errors
/// Says what it must be.
pub(crate) fn parse_interval(text: &str) -> Result<Duration, &'static str> {
    const WANTED: &str = "must be a time of 500ms to 1h: 500ms, 2s, 1m";
    parse(text, Duration::from_millis(500), Duration::from_hours(1)).ok_or(WANTED)
}

/// Reads how far to look back.
///
/// # Errors
/// Says what it must be.
pub(crate) fn parse_window(text: &str) -> Result<Duration, &'static str> {
    const WANTED: &str = "must be a time of 1s to 7d: 30s, 5m, 1h";
    parse(text, Duration::from_secs(1), Duration::from_hours(7 * 24)).ok_or(WANTED)
}

fn parse(text: &str, least: Duration, most: Duration) -> Option<Duration> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u64>().ok());
    let days = days.and_then(|days| days.checked_mul(86_400)).map(Duration::from_secs);
    let time = days.or_else(|| text.parse::<SignedDuration>().ok()?.try_into().ok())?;
    (least..=most).contains(&time).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_and_limits() {
        assert_eq!(parse_interval("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_interval("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(parse_window("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(parse_window("7d"), Ok(Duration::from_hours(7 * 24)));
        for text in ["", "2", "400ms", "-2s", "2h", "s", "d"] {
            assert!(parse_interval(text).is_err(), "{text}");
        }
        assert!(parse_window("8d").is_err());
    }
}
