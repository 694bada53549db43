//! Numbers in messages. The standard library's way of writing one adds 11 KB to the filter and
//! more with decimals; that of JSON is there anyway.

/// A number as it is written in JSON, a whole one without `.0`.
pub(crate) fn number(value: f64) -> String {
    let text = serde_json::Number::from_f64(value).map(|number| number.to_string());
    let text = text.unwrap_or_else(|| "no number".to_owned());
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// A number with at most so many decimals.
pub(crate) fn rounded(value: f64, decimals: i32) -> String {
    let unit = 10_f64.powi(decimals);
    number((value * unit).round() / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_more_decimals_than_they_need() {
        assert_eq!([number(5.0), number(0.0001), number(f64::NAN)], ["5", "0.0001", "no number"]);
        assert_eq!([rounded(48.1481, 2), rounded(45.96, 1), rounded(819.5, 0)], ["48.15", "46", "820"]);
        assert_eq!(rounded(f64::INFINITY, 1), "no number");
    }
}
