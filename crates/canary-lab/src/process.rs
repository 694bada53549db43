//! A child process, Envoy's or another's: started, watched, and never left behind.
//!
//! A thread of its own starts it and stays with it until it ends. It reaps
//! it, and since the kernel's "die with your parent" goes by the parent's
//! THREAD, it must not be a thread that ends sooner, as a test's does.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};

/// How often the keeper looks whether its process has ended by itself.
const LOOK: Duration = Duration::from_millis(100);

/// A child process that is killed and reaped when this value is dropped.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    stop: Sender<()>,
    exit: Arc<Mutex<Option<ExitStatus>>>,
    keeper: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts it; it dies with this process, however that ends.
    pub fn start(mut command: Command) -> Result<Self> {
        die_with_parent(&mut command);
        let program = command.get_program().to_owned();
        let (stop, stopped) = mpsc::channel();
        let (started, start) = mpsc::channel::<io::Result<u32>>();
        let exit = Arc::new(Mutex::new(None));
        let keeper = std::thread::spawn({
            let exit = Arc::clone(&exit);
            move || {
                let mut child = match command.spawn() {
                    Ok(child) => child,
                    Err(error) => {
                        let _ = started.send(Err(error));
                        return;
                    }
                };
                let _ = started.send(Ok(child.id()));
                let status = keep(&mut child, || stopped.recv_timeout(LOOK));
                if let Ok(mut exit) = exit.lock() {
                    *exit = status;
                }
            }
        });
        let pid = start
            .recv()
            .context("the keeper thread ended")?
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { pid, stop, exit, keeper: Some(keeper) })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended, once it has.
    pub fn exit(&self) -> Option<ExitStatus> {
        self.exit.lock().ok().and_then(|exit| *exit)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.stop.send(());
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

/// Waits until the child has ended or is to be ended; returns how it ended.
fn keep(child: &mut Child, mut wait: impl FnMut() -> Result<(), RecvTimeoutError>) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(None) => {}
            Ok(Some(status)) => return Some(status),
            Err(_) => return None,
        }
        if !matches!(wait(), Err(RecvTimeoutError::Timeout)) {
            let _ = child.kill();
            return child.wait().ok();
        }
    }
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "there is no safe way to ask for it")]
fn die_with_parent(command: &mut Command) {
    use std::os::unix::process::CommandExt;

    // SAFETY: between fork and exec only async-signal-safe functions may be
    // called; prctl is a bare system call and touches no memory of ours.
    unsafe {
        command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_command: &mut Command) {}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(seconds: &str) -> Command {
        let mut command = Command::new("sleep");
        command.arg(seconds);
        command
    }

    #[test]
    fn dropping_it_ends_and_reaps_it() {
        let process = Process::start(sleeper("600")).unwrap();
        let pid = process.pid();
        assert!(process.exit().is_none());
        drop(process);
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }

    #[test]
    fn its_own_end_is_noticed() {
        let process = Process::start(sleeper("0")).unwrap();
        let exit = crate::wait_until(Duration::from_secs(10), "the end", || Ok(process.exit()));
        assert!(exit.unwrap().success());
    }

    #[test]
    fn it_outlives_the_thread_that_asked_for_it() {
        let process = std::thread::spawn(|| Process::start(sleeper("600")).unwrap()).join().unwrap();
        std::thread::sleep(Duration::from_millis(250));
        assert!(process.exit().is_none());
    }

    #[test]
    fn what_cannot_be_started_is_named() {
        let error = Process::start(Command::new("/no/such/program")).unwrap_err();
        assert!(error.to_string().contains("/no/such/program"));
    }
}
