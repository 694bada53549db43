//! Lengths of time as people write them: `90s`, `30m`, `1h`, `30d`.

/// A day, in seconds.
pub const DAY: u64 = 24 * 3_600;

/// A number and one of `s`, `m`, `h`, `d`, in seconds; `u64::MAX` for what is longer.
pub fn seconds(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => DAY,
        _ => return None,
    };
    let number =
        if number.bytes().all(|byte| byte.is_ascii_digit()) { number.parse::<u64>() } else { return None };
    Some(number.ok()?.saturating_mul(unit))
}
