//! The counts that no noise touches: size, host calls, VM entries, instructions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, anyhow};

use crate::contender::{BARE, RULES};
use crate::fixture::{BASIC, browser, exchange, host, ok};
use crate::harness::{Artefact, Vm};
use crate::settings::Settings;

pub(crate) const REQUESTS: u32 = 1_000;

/// What one module does for [`REQUESTS`] requests.
pub(crate) struct Counts {
    pub(crate) calls: BTreeMap<&'static str, u64>,
    pub(crate) entries: u64,
    pub(crate) fuel: u64,
}

/// Prints the sizes and a table of host calls per request.
pub(crate) fn print(settings: &Settings) -> Result<()> {
    for module in [&settings.filter, &settings.empty, &settings.floor] {
        let bytes = std::fs::metadata(module)?.len();
        let name = module.file_name().unwrap_or_default().to_string_lossy();
        println!("{name:<24} {:>6.1} KiB", f64::from(u32::try_from(bytes)?) / 1024.0);
    }
    let columns = [
        ("empty", &settings.empty, ""),
        ("floor", &settings.floor, ""),
        ("bare", &settings.filter, BARE),
        ("basic", &settings.filter, BASIC),
        ("rules", &settings.filter, RULES),
    ];
    let counts =
        columns.iter().map(|(_, module, policy)| count(module, policy)).collect::<Result<Vec<_>>>()?;
    let header = columns.map(|(name, ..)| format!("{name:>9}")).concat();
    println!("\n{:<38}{header}", "per request, ticks included");
    let names: BTreeSet<_> = counts.iter().flat_map(|one| one.calls.keys()).collect();
    for name in names {
        row(name, counts.iter().map(|one| one.calls.get(name).copied().unwrap_or(0)))?;
    }
    row("entries into the VM", counts.iter().map(|one| one.entries))?;
    row("instructions (interpreter's count)", counts.iter().map(|one| one.fuel))
}

fn row(name: &str, values: impl Iterator<Item = u64>) -> Result<()> {
    print!("{name:<38}");
    for value in values {
        let value = f64::from(u32::try_from(value)?) / f64::from(REQUESTS);
        let digits = if value < 100.0 { 2 } else { 0 };
        print!("{value:>9.digits$}");
    }
    println!();
    Ok(())
}

/// Serves users at 5,000 requests a second, so with a tick every 1,000 requests.
pub(crate) fn count(module: &Path, policy: &str) -> Result<Counts> {
    let artefact = Artefact::load(module).map_err(|e| anyhow!(e))?;
    let mut vm = Vm::start(&artefact, host())?;
    vm.configure(policy)?;
    serve(&mut vm, "warm-up", 100).context("warm-up")?;
    vm.host().forget_counts();
    let fuel = vm.fuel_used();
    serve(&mut vm, "user", REQUESTS)?;
    let mut calls = BTreeMap::new();
    for ((_, import), count) in &vm.host().calls {
        *calls.entry(*import).or_default() += count;
    }
    let entries = vm.host().entries.values().sum();
    Ok(Counts { calls, entries, fuel: vm.fuel_used() - fuel })
}

fn serve(vm: &mut Vm, name: &str, requests: u32) -> Result<()> {
    for user in 0..requests {
        exchange(vm, browser(&format!("{name}-{user}")), ok()).map_err(|e| anyhow!(e))?;
    }
    let root = vm.root();
    Ok(vm.tick(root)?)
}
