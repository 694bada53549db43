//! The demo that ends by itself: a table from Envoy's stats, then a weight that changes
//! under load.

use anyhow::{Context, Result};
use canary_core::policy::Policy;
use canary_lab::{EnvoyBuilder, Lab};

use super::batch::{self, Batch, ROUNDS};
use super::change;
use super::envoy::version;
use super::scene::{Country, Scene};
use super::table::{Row, head};
use crate::Outcome;
use crate::cli::DemoArgs;
use crate::interrupt::Interrupt;
use crate::policy_file::PolicyFile;
use crate::streams::Streams;

pub(super) fn run(
    args: &DemoArgs,
    builder: EnvoyBuilder,
    file: &PolicyFile,
    policy: Policy,
    streams: &mut Streams,
) -> Result<Outcome> {
    let scene = Scene::new(policy)?;
    let countries = scene.countries(args.users);
    let interrupt = Interrupt::watch()?;
    let lab = builder.start()?;
    streams.say(format_args!(
        "Envoy{} runs on 127.0.0.1:{} with {}. Each of {} users in {} countries sends {ROUNDS} requests over \
         {ROUNDS} connections.\n\n{}",
        version(&lab).map(|version| format!(" {version}")).unwrap_or_default(),
        lab.ports().main(),
        file.name(),
        u64::from(args.users) * u64::try_from(countries.len())?,
        countries.len(),
        head(),
    ))?;
    let mut stage = Stage { lab, interrupt, failures: Vec::new() };
    let mut batches = Vec::new();
    for country in &countries {
        batches.push(stage.country(&scene, country, streams)?);
    }
    if !stage.failures.is_empty() {
        return finish(&stage.failures, streams);
    }
    streams.say(
        "\nShares are from Envoy's own stats (canary_requests_total). Every user stayed on one side, the one \
         that\n`canaryctl explain` names.",
    )?;
    let (country, before) = countries
        .iter()
        .zip(&batches)
        .find(|(country, _)| scene.rule(country).is_none())
        .context("the demo needs a country that no rule is for, to change the weight of all others")?;
    stage.change(&scene, file, country, before, streams)?;
    finish(&stage.failures, streams)
}

/// A running Envoy and what has not held so far.
struct Stage {
    lab: Lab,
    interrupt: Interrupt,
    failures: Vec<String>,
}

impl Stage {
    /// Sends a country's users and prints their rows.
    fn country(&mut self, scene: &Scene, country: &Country, streams: &mut Streams) -> Result<Batch> {
        let mut batch = batch::send(&self.lab, scene, country, &self.interrupt)?;
        let rule = scene.rule(country).map(|rule| &*rule.name);
        for row in Row::of(country, rule, &scene.expected(country)?, &batch) {
            streams.say(&row)?;
            self.failures.extend(row.failure());
        }
        self.failures.append(&mut batch.failures);
        Ok(batch)
    }

    /// Changes the first variant's weight under load, and sends a country's users again.
    fn change(
        &mut self,
        scene: &Scene,
        file: &PolicyFile,
        country: &Country,
        before: &Batch,
        streams: &mut Streams,
    ) -> Result<()> {
        let edit = change::Edit::of(scene, &file.text())?;
        streams
            .say(format_args!("\nNow {edit} in the policy, renamed into place under load:\n\n{}", head()))?;
        let after = scene.under(edit.policy.clone());
        let change = change::apply(&self.lab, [scene, &after], country, &edit, &self.interrupt)?;
        let batch = self.country(&after, country, streams)?;
        self.failures.extend(change.failures());
        let moved = Moved::between(before, &batch, &edit.variant);
        self.failures.extend(moved.failure(&edit));
        streams.say(format_args!("\n{change}\n{moved}"))
    }
}

/// Users who came to a variant and who left it.
struct Moved {
    came: usize,
    left: usize,
    users: usize,
    variant: String,
}

impl Moved {
    fn between(before: &Batch, after: &Batch, variant: &str) -> Self {
        let sides = || before.sides.iter().zip(&after.sides);
        Self {
            came: sides().filter(|(before, after)| *before != variant && *after == variant).count(),
            left: sides().filter(|(before, after)| *before == variant && *after != variant).count(),
            users: before.sides.len(),
            variant: variant.to_owned(),
        }
    }

    fn failure(&self, edit: &change::Edit) -> Option<String> {
        let raised_and_lost = edit.to > edit.from && self.left > 0;
        raised_and_lost.then(|| format!("{} users left {} while it was raised", self.left, self.variant))
    }
}

impl std::fmt::Display for Moved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { came, left, users, variant } = self;
        write!(
            f,
            "Of {users} users {came} came to {variant}, {left} left it, the others stayed where they were."
        )
    }
}

fn finish(failures: &[String], streams: &mut Streams) -> Result<Outcome> {
    if failures.is_empty() {
        streams.say("\nAll held.")?;
        return Ok(Outcome::Good);
    }
    for failure in failures {
        streams.warn(format_args!("did not hold: {failure}"));
    }
    Ok(Outcome::Bad)
}
