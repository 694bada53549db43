//! What the guardrail costs beside requests: the rounds of 100 watched rollouts, all of which
//! have traffic in every second, in CPU time of the whole Envoy.

use std::time::{Duration, Instant};

use anyhow::Result;
use canary_lab::{EnvoyBuilder, Request};
use canaryctl::render::{Options, ecds};
use serde_json::{Value, json};

use crate::settings::Settings;

const ROLLOUTS: u32 = 100;
const WORKERS: u32 = 2;
const SECONDS: u32 = 8;
const TURNS: usize = 3;

/// Prints the difference that it makes whether rollouts are watched.
pub(crate) fn print(settings: &Settings) -> Result<()> {
    let mut differences = [0.0; TURNS];
    for difference in &mut differences {
        *difference = cpu(settings, true)? - cpu(settings, false)?;
    }
    differences.sort_by(f64::total_cmp);
    let median = differences.get(TURNS / 2).copied().unwrap_or(f64::NAN);
    println!(
        "\nrounds of the guardrail, {ROLLOUTS} rollouts with traffic, {WORKERS} workers and the main thread"
    );
    println!("{:<38}{median:>8.1} ms CPU a second", "merging five times and judging once");
    println!("{:<38}{:>8.1} µs", "for each rollout and second", median * 1e3 / f64::from(ROLLOUTS));
    Ok(())
}

/// Milliseconds of CPU time in each second.
fn cpu(settings: &Settings, is_watched: bool) -> Result<f64> {
    let policy = policy(is_watched).to_string();
    let lab = EnvoyBuilder::new(&settings.envoy, include_str!("../../envoy/envoy.yaml"))
        .wasm(&settings.filter)
        .ecds(ecds(&policy, &Options::default()).to_string())
        .concurrency(WORKERS)
        .start()?;
    let mut clients = lab.clients(4)?;
    let mut users = 0..;
    let mut second = |clients: &mut [canary_lab::Client]| -> Result<()> {
        let begin = Instant::now();
        for rollout in 0..ROLLOUTS {
            for client in clients.iter_mut() {
                let user = users.next().unwrap_or(0_u64);
                client.send(
                    &Request::get(&format!("/r{rollout}/")).header("x-user-id", format!("user-{user}")),
                )?;
            }
        }
        std::thread::sleep(Duration::from_secs(1).saturating_sub(begin.elapsed()));
        Ok(())
    };
    second(&mut clients)?;
    let (before, begin) = (lab.usage()?.cpu, Instant::now());
    for _ in 0..SECONDS {
        second(&mut clients)?;
    }
    let used = lab.usage()?.cpu.saturating_sub(before);
    Ok(used.as_secs_f64() * 1e3 / begin.elapsed().as_secs_f64())
}

fn policy(is_watched: bool) -> Value {
    let rollouts = (0..ROLLOUTS).map(|number| {
        let mut rollout = json!({
            "name": format!("r{number}"),
            "match": {"path_prefixes": [format!("/r{number}")]},
            "baseline": {"name": "stable", "cluster": "checkout-v1"},
            "variants": [{"name": "canary", "cluster": "checkout-v2", "weight": 50}],
        });
        if let (true, Some(fields)) = (is_watched, rollout.as_object_mut()) {
            fields.insert("guardrail".to_owned(), json!({"errors": {}, "latency": {}}));
        }
        rollout
    });
    json!({"version": 1, "identity": [{"header": "x-user-id"}], "rollouts": rollouts.collect::<Vec<_>>()})
}
