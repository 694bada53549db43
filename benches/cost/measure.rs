//! The measurement: Envoy's CPU time over slices of requests, contender by contender.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use canary_lab::{Client, Lab, Port, Request};

use crate::bootstrap;
use crate::contender::Contender;
use crate::settings::Settings;

const WARM_UP: u32 = 4_000;

/// One listener and its slices.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) contender: Contender,
    /// CPU µs per request, one for each round.
    pub(crate) slices: Vec<f64>,
    client: Client,
}

/// Boots an Envoy with these contenders and measures them in turn.
pub(crate) fn run(settings: &Settings, contenders: &[Contender]) -> Result<Vec<Lane>> {
    let contenders: Vec<_> = contenders.iter().flat_map(|one| vec![*one; one.copies()]).collect();
    let ports = contenders.iter().skip(1).map(|_| Port::free()).collect::<Result<Vec<_>>>()?;
    let numbers: Vec<_> = ports.iter().map(Port::number).collect();
    let lab = bootstrap::envoy(settings, &contenders, &numbers).concurrency(1).start()?;
    let ports = std::iter::once(lab.ports().main()).chain(numbers);
    let lane = |(contender, port)| Lane { contender, slices: Vec::new(), client: Client::new(port) };
    let mut lanes: Vec<_> = contenders.into_iter().zip(ports).map(lane).collect();

    let vms = running_vms(&lab)?;
    for lane in &mut lanes {
        check(lane)?;
        slice(&lab, lane, &requests(0, WARM_UP))?;
    }
    let start = Instant::now();
    for round in 0..settings.rounds {
        if start.elapsed() > settings.budget {
            eprintln!("BENCH_SECONDS are over after {round} rounds");
            break;
        }
        let requests = requests(round + 1, settings.slice);
        let first = usize::try_from(round)? % lanes.len();
        lanes.rotate_left(first);
        for lane in &mut lanes {
            let cost = slice(&lab, lane, &requests)?;
            lane.slices.push(cost);
        }
        lanes.rotate_right(first);
        if (round + 1) % 50 == 0 {
            eprintln!("round {} of {}, {} s", round + 1, settings.rounds, start.elapsed().as_secs());
        }
    }
    for lane in &mut lanes {
        check(lane)?;
    }
    ensure!(running_vms(&lab)? == vms, "a VM has died under way");
    let stats = lab.admin().stats()?;
    let mut errors = stats.iter().filter(|(name, value)| name.ends_with("lua.errors") && *value > 0);
    ensure!(errors.next().is_none(), "the Lua script has failed:\n{}", lab.envoy_log()?);
    Ok(lanes)
}

/// One slice: CPU µs of the whole process per request.
fn slice(lab: &Lab, lane: &mut Lane, requests: &[Request]) -> Result<f64> {
    let before = lab.usage()?.cpu;
    for request in requests {
        let response = lane.client.send(request).with_context(|| lane.contender.name())?;
        ensure!(response.status == 200, "{}: {}", lane.contender.name(), response.status);
    }
    let spent = lab.usage()?.cpu.saturating_sub(before);
    Ok(spent.as_secs_f64() * 1e6 / f64::from(u32::try_from(requests.len())?))
}

/// Whether it does its work: a dead VM that fails open would be wonderfully cheap.
fn check(lane: &mut Lane) -> Result<()> {
    for request in requests(u32::MAX, 3) {
        let response = lane.client.send(&request)?;
        let stamped = response.header_count("x-deployment-variant") == 1;
        let name = lane.contender.name();
        ensure!(stamped == lane.contender.stamps(), "{name} does not do its work: {response:?}");
    }
    Ok(())
}

fn running_vms(lab: &Lab) -> Result<u64> {
    let vms = lab.admin().stats()?.get("wasm.envoy.wasm.runtime.v8.active");
    vms.context("Envoy does not count its VMs")
}

/// A browser's requests of as many users, none of whom comes twice in a run.
pub(crate) fn requests(round: u32, count: u32) -> Vec<Request> {
    const COUNTRIES: [&str; 5] = ["DE", "FR", "US", "JP", "CH"];
    let mut countries = COUNTRIES.iter().cycle();
    let mut request = |user| {
        Request::get("/checkout/cart?step=2")
            .host("shop.example.com")
            .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")
            .header("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
            .header("accept-language", "de-DE,de;q=0.8,en;q=0.5")
            .header("accept-encoding", "gzip, deflate, br")
            .header("referer", "https://shop.example.com/basket")
            .header("cookie", "theme=dark; session=0f2c6d5a9b7e4f13; consent=1")
            .header("sec-fetch-dest", "document")
            .header("sec-fetch-mode", "navigate")
            .header("sec-fetch-site", "same-origin")
            .header("upgrade-insecure-requests", "1")
            .header("x-geo-country", countries.next().unwrap_or(&"DE"))
            .header("x-user-id", format!("user-{round}-{user}"))
    };
    (0..count).map(&mut request).collect()
}
