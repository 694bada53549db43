//! The clock of this machine; whoever can, is told another time.

use canary_core::timeline::Instant;
use canary_core::zone::parse_rfc3339;

/// Seconds since 1970.
#[allow(clippy::disallowed_methods, reason = "this is where the tool reads the clock")]
pub fn now() -> Instant {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.ok().and_then(|now| Instant::try_from(now.as_secs()).ok()).unwrap_or_default()
}

/// Reads an argument such as `2026-12-01T09:00:00+01:00`.
///
/// # Errors
/// Says what it must be.
pub(crate) fn parse(text: &str) -> Result<Instant, &'static str> {
    parse_rfc3339(text).ok_or("must be a time with an offset as in RFC 3339: 2026-12-01T09:00:00+01:00")
}
