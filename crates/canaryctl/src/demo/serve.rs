//! The demo that goes on until Ctrl-C: whenever the policy is saved, it is loaded.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use canary_core::policy::Policy;
use canary_core::rollback::NOTHING;
use canary_lab::{EnvoyBuilder, Lab, Verdict};

use super::scene::Scene;
use crate::Outcome;
use crate::cli::DemoArgs;
use crate::clock;
use crate::interrupt::Interrupt;
use crate::policy_file::{PolicyFile, count};
use crate::streams::Streams;

/// How often the policy is looked at.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn run(
    args: &DemoArgs,
    builder: EnvoyBuilder,
    file: PolicyFile,
    streams: &mut Streams,
) -> Result<Outcome> {
    let interrupt = Interrupt::watch()?;
    // In the repository itself, so that `make apply` finds what this Envoy watches.
    let lab = builder.directory(".").start()?;
    let mut watched = Watched { loaded: file, found: None };
    streams.say(welcome(args, &lab, &watched.loaded))?;
    while !interrupt.came() {
        sleep(LOOK);
        if !lab.is_running() {
            // Ctrl-C on a terminal reaches Envoy too, perhaps first.
            sleep(LOOK);
            return Ok(if interrupt.came() { Outcome::Good } else { ended(&lab, streams) });
        }
        if let Some(saved) = watched.saved(&args.policy) {
            load(&lab, &saved, streams)?;
        }
    }
    streams.say("\nEnded.")?;
    Ok(Outcome::Good)
}

/// A file that may be saved at any time.
struct Watched {
    loaded: PolicyFile,
    /// What was found last time, and not loaded yet: an editor may be in the middle of writing.
    found: Option<PolicyFile>,
}

impl Watched {
    /// What was saved, once it stays the same for two looks.
    fn saved(&mut self, path: &Path) -> Option<PolicyFile> {
        // Between an editor's removing the old file and renaming the new one there is none.
        let now = PolicyFile::read(path).ok()?;
        let same = |other: &PolicyFile| other.bytes() == now.bytes();
        let settled = self.found.as_ref().is_some_and(same);
        if same(&self.loaded) {
            self.found = None;
            return None;
        }
        if !settled {
            self.found = Some(now);
            return None;
        }
        self.loaded = now.clone();
        self.found = None;
        Some(now)
    }
}

/// Validates, renders and pushes what was saved; a bad policy is not pushed.
fn load(lab: &Lab, saved: &PolicyFile, streams: &mut Streams) -> Result<()> {
    let Some(policy) = saved.parse(streams) else {
        streams.warn("not loaded: the policy before stays in force");
        return Ok(());
    };
    match lab.push_and_wait(&super::envoy::ecds(&saved.text())) {
        Ok(Verdict::Accepted) => streams.say(format_args!("{}: loaded: {}", saved.name(), weights(&policy))),
        Ok(Verdict::Rejected) => {
            streams.warn(format_args!("{}: Envoy refuses it, see .run/envoy.log", saved.name()));
            Ok(())
        }
        Err(error) => {
            streams.warn(format_args!("{}: {error:#}", saved.name()));
            Ok(())
        }
    }
}

fn ended(lab: &Lab, streams: &mut Streams) -> Outcome {
    let log = lab.envoy_log().unwrap_or_default();
    let lines: Vec<_> = log.lines().rev().take(10).collect();
    for line in lines.iter().rev() {
        streams.warn(line);
    }
    streams.warn("Envoy has ended by itself; its log is .run/envoy.log");
    Outcome::Bad
}

/// What each side has now.
fn weights(policy: &Policy) -> String {
    let rollouts = policy.rollouts.iter().map(|rollout| {
        let sides = rollout
            .effective_weights(clock::now(), &NOTHING)
            .map(|(side, ppm)| format!("{} {} %", side.name, f64::from(ppm) / 1e4));
        let rules = count(rollout.rules.len(), "rule");
        format!("{} ({}; {rules})", rollout.name, sides.collect::<Vec<_>>().join(", "))
    });
    let rollouts: Vec<_> = rollouts.collect();
    if rollouts.is_empty() { "no rollouts, all is stable".to_owned() } else { rollouts.join(", ") }
}

fn welcome(args: &DemoArgs, lab: &Lab, file: &PolicyFile) -> String {
    let (port, admin) = (lab.ports().main(), lab.ports().admin());
    let policy = Policy::parse(file.bytes()).unwrap_or_default();
    let weights = weights(&policy);
    let headers = Scene::new(policy).map(|scene| scene.headers("DE", 1).to_vec()).unwrap_or_default();
    let as_options =
        |option: &str| headers.iter().fold(String::new(), |all, it| format!("{all} {option} '{it}'"));
    let (curl, explain) = (as_options("-H"), as_options("--header"));
    let name = args.policy.display();
    format!(
        "Envoy runs with {name}: {weights}

  a user     curl -is{curl} http://127.0.0.1:{port}/
  why        canaryctl explain {name}{explain}
  stats      curl -s 'http://127.0.0.1:{admin}/stats?filter=canary'
  metrics    curl -s http://127.0.0.1:{admin}/stats/prometheus | grep ^canary
  admin      http://127.0.0.1:{admin}/
  logs       .run/access.log, .run/envoy.log
  change it  edit a weight in {name} and save,
             or: make apply POLICY=envoy/policies/basic.json

Ctrl-C ends it."
    )
}
