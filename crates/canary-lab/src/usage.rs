//! What an Envoy costs, as Linux accounts for it: CPU time to the nanosecond, memory, threads.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

/// What a process has used up to one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time of all threads, user and system.
    pub cpu: Duration,
    /// CPU time of Envoy's worker threads alone: no admin interface, no flushing of logs.
    pub workers_cpu: Duration,
    /// How many worker threads there are.
    pub workers: usize,
    /// How many threads there are in all.
    pub threads: usize,
    /// Resident memory in bytes.
    pub rss: u64,
}

impl Usage {
    /// Reads `/proc`, which only Linux has.
    pub fn of(pid: u32) -> Result<Self> {
        let process = Path::new("/proc").join(pid.to_string());
        let mut usage = Self { rss: rss(&process)?, ..Self::default() };
        for task in fs::read_dir(process.join("task")).context("Envoy's threads")? {
            let task = task?.path();
            // A thread may end between the listing and the look.
            let (Ok(name), Ok(schedule)) =
                (fs::read_to_string(task.join("comm")), fs::read_to_string(task.join("schedstat")))
            else {
                continue;
            };
            // schedstat and not stat: the latter counts in steps of 10 ms.
            let nanos = schedule.split(' ').next().unwrap_or_default();
            let cpu = Duration::from_nanos(nanos.parse().context("schedstat")?);
            usage.threads += 1;
            usage.cpu += cpu;
            if name.starts_with("wrk:") {
                usage.workers += 1;
                usage.workers_cpu += cpu;
            }
        }
        Ok(usage)
    }
}

fn rss(process: &Path) -> Result<u64> {
    let status = fs::read_to_string(process.join("status")).context("Envoy's memory")?;
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|value| value.trim().strip_suffix(" kB"))
        .context("no VmRSS")?;
    Ok(kilobytes.trim().parse::<u64>().context("VmRSS")? * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_something() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.cpu > Duration::ZERO);
        assert!(usage.rss > 1 << 20);
        assert!(usage.threads >= 1);
        assert_eq!(usage.workers, 0);
    }
}
