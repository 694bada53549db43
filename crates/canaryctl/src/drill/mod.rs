//! `canaryctl drill`: a real Envoy, a canary that starts to fail, and whether the guardrail rolls
//! it back.
//!
//! | module | what it holds |
//! |---|---|
//! | `plan` | a policy and options → what is drilled |
//! | `people` | users whom the policy knows, and their requests |
//! | `bootstrap`, `upstream` | Envoy's way to each side, and what answers there |
//! | `fault` | how a variant fails |
//! | `traffic` | a steady rate of requests, and what came of each |
//! | `course` | the phases: healthy, failing, and where everyone is at the end |
//! | `report`, `text` | what that comes to, for programs and for people |

#![allow(clippy::disallowed_methods, reason = "a drill measures how long things take")]

mod bootstrap;
mod course;
mod dice;
mod fault;
mod people;
mod plan;
mod report;
mod text;
mod traffic;
mod upstream;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use canary_lab::{Lab, Ports};

use self::bootstrap::Side;
use self::course::Stage;
use self::plan::Plan;
use self::report::Report;
use self::traffic::Traffic;
use self::upstream::Upstream;
use crate::Outcome;
use crate::cli::{DrillArgs, Format};
use crate::demo::envoy;
use crate::interrupt::Interrupt;
use crate::policy_file::PolicyFile;
use crate::streams::Streams;

pub use self::fault::Fault;

pub(crate) fn run(args: &DrillArgs, streams: &mut Streams) -> Result<Outcome> {
    let file = PolicyFile::read(&args.policy)?;
    if file.parse(streams).is_none() {
        // An exit code of 1 would say that the guardrail did not act.
        bail!("{} cannot be drilled", file.name());
    }
    let plan = Plan::of(args, &file)?;
    let interrupt = Interrupt::watch()?;
    let upstreams = upstreams(&plan)?;
    let failing = upstreams.get(plan.variant.id.slot()).context("the variant has no upstream")?;
    let lab = boot(args, &plan, &upstreams)?;
    let version = envoy::version(&lab);
    let mut say = |text: &str| match args.format {
        Format::Text => streams.say(text),
        Format::Json => {
            streams.warn(text);
            Ok(())
        }
    };
    say(&heading(args, &plan, &lab, version.as_deref()))?;
    let traffic = Traffic::new(&plan, args.rps);
    let stage = Stage { plan: &plan, args, lab: &lab, failing, interrupt: &interrupt, traffic: &traffic };
    let course = stage.run(&mut |at: Duration, text| say(&format!("{:>5.1} s  {text}", at.as_secs_f64())))?;
    let report = Report::of(&plan, args, &course);
    match args.format {
        Format::Text => streams.say(report.lines().join("\n"))?,
        Format::Json => streams.say(report.json(version.as_deref()))?,
    }
    for failure in &report.failures {
        streams.warn(format_args!("did not hold: {failure}"));
    }
    Ok(if report.failures.is_empty() { Outcome::Good } else { Outcome::Bad })
}

/// One for each side, the baseline first; only the variant's ever fails.
fn upstreams(plan: &Plan) -> Result<Vec<Upstream>> {
    plan.rollout.variants.iter().map(|side| Upstream::start(&side.name, plan.fault)).collect()
}

/// Starts Envoy with the policy and a way to each upstream.
fn boot(args: &DrillArgs, plan: &Plan, upstreams: &[Upstream]) -> Result<Lab> {
    // As the policy names them, unless two sides share one: here each has its own.
    let named: BTreeSet<_> =
        plan.rollout.variants.iter().filter_map(|side| side.cluster.as_deref()).collect();
    let are_apart = named.len() == plan.rollout.variants.len();
    let sides = plan.rollout.variants.iter().zip(upstreams).map(|(side, upstream)| {
        let cluster = side.cluster.as_deref().filter(|_| are_apart);
        let cluster = cluster.map_or_else(|| format!("drill-{}", side.name), str::to_owned);
        Side { name: side.name.to_string(), cluster, port: upstream.port() }
    });
    let sides: Vec<_> = sides.collect();
    let text = envoy::bootstrap(&args.envoy)?;
    let text = bootstrap::derive(&text, &plan.rollout.name, &plan.policy.stamps, &sides)?;
    let builder = envoy::builder(&args.envoy, text)?.ports(Ports::free()?);
    builder.concurrency(args.workers).ecds(envoy::ecds(&plan.text)).start()
}

fn heading(args: &DrillArgs, plan: &Plan, lab: &Lab, version: Option<&str>) -> String {
    let version = version.map(|version| format!(" {version}")).unwrap_or_default();
    let workers = if args.workers == 1 { "1 worker".to_owned() } else { format!("{} workers", args.workers) };
    let whose = if plan.is_overridden { " by --weight" } else { "" };
    format!(
        "A drill of {rollout} in {policy}: Envoy{version} with {workers} on 127.0.0.1:{port}.
{all} users send {rps} requests/s as {form}; {own} of them are {variant}'s, which has {weight} %{whose}.
",
        rollout = plan.rollout.name,
        policy = plan.name,
        port = lab.ports().main(),
        all = plan.people.all().len(),
        rps = args.rps,
        form = plan.people.words(),
        own = plan.people.count(plan.variant.id),
        variant = plan.variant.name,
        weight = f64::from(plan.weight) / 1e4,
    )
}
