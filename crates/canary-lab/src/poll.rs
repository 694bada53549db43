//! Waiting for something to become true: polled, with a deadline, never a fixed sleep.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long to leave the machine to others between two looks.
const PAUSE: Duration = Duration::from_millis(15);

/// Asks `look` until it answers with a value, and fails naming `what` once `deadline` has passed.
///
/// `look` is asked at least once; an error from it ends the wait.
pub fn wait_until<T>(
    deadline: Duration,
    what: &str,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = look()? {
            return Ok(value);
        }
        if start.elapsed() >= deadline {
            bail!("gave up after {deadline:?} waiting for {what}");
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_with_the_first_value() {
        let mut looks = 0;
        let value = wait_until(Duration::from_secs(5), "three looks", || {
            looks += 1;
            Ok((looks == 3).then_some(looks))
        });
        assert_eq!(value.unwrap(), 3);
    }

    #[test]
    fn names_what_did_not_come() {
        let error = wait_until::<()>(Duration::ZERO, "rain", || Ok(None)).unwrap_err();
        assert!(error.to_string().contains("waiting for rain"));
    }
}
