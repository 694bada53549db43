//! What a VM costs in memory: Envoy with the filter and without, on one worker and on nine;
//! the median of a few boots, since what an allocator keeps is a matter of luck.

use anyhow::Result;

use crate::bootstrap;
use crate::contender::Contender;
use crate::measure::requests;
use crate::settings::Settings;

const WORKERS: [u32; 2] = [1, 9];
const BOOTS: usize = 3;

/// Prints the resident memory that the filter adds, and how much of it per worker.
pub(crate) fn print(settings: &Settings) -> Result<()> {
    let mut added = [0.0; 2];
    for (added, workers) in added.iter_mut().zip(WORKERS) {
        let mut differences = [0.0; BOOTS];
        for difference in &mut differences {
            let without = resident(settings, Contender::NoFilter, workers)?;
            *difference = resident(settings, Contender::Basic, workers)? - without;
        }
        differences.sort_by(f64::total_cmp);
        *added = differences.get(BOOTS / 2).copied().unwrap_or(f64::NAN);
    }
    let [one, nine] = added;
    println!("\nmemory added by the filter, basic policy");
    println!("{:<38}{one:>8.1} MiB", "V8, the module, a VM on one worker");
    println!("{:<38}{:>8.1} MiB", "each further worker", (nine - one) / 8.0);
    Ok(())
}

/// MiB resident after some traffic on every worker.
fn resident(settings: &Settings, contender: Contender, workers: u32) -> Result<f64> {
    let lab = bootstrap::envoy(settings, &[contender], &[]).concurrency(workers).start()?;
    for (round, client) in (0..).zip(&mut lab.clients(usize::try_from(workers)?)?) {
        for request in requests(round, 300) {
            client.send(&request)?;
        }
    }
    let kibibytes = u32::try_from(lab.usage()?.rss / 1024)?;
    Ok(f64::from(kibibytes) / 1024.0)
}
