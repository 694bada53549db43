//! Numbers as people read them.

use super::histogram::Quantile;
use super::snapshot::Gauge;
use super::statistics::Interval;

/// A share with as many digits as it needs to be told from its neighbours: `2.10 %`, `0.012 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", hundredths(share))
}

fn hundredths(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        it if it <= 0.0 => "0".to_owned(),
        it if it >= 100.0 => "100".to_owned(),
        // Never rounded to all.
        it if it >= 9.995 => format!("{:.1}", it.min(99.9)),
        it if it >= 0.0995 => format!("{it:.2}"),
        it if it >= 0.000_95 => format!("{it:.3}"),
        _ => "<0.001".to_owned(),
    }
}

/// `0.71-1.13 %`.
pub(super) fn interval(interval: Interval) -> String {
    format!("{}-{}", hundredths(interval.low), percent(interval.high))
}

/// A weight; a span where proxies disagree.
pub(super) fn weight(gauge: Gauge) -> String {
    let [least, most] = [gauge.least, gauge.most].map(|ppm| super::statistics::float(ppm) / 1e4);
    if least.total_cmp(&most).is_eq() { format!("{most} %") } else { format!("{least} to {most} %") }
}

/// `p = 0.003`; what is smaller than anyone cares for is said to be so.
pub(super) fn probability(p: f64) -> String {
    match p {
        p if p < 0.000_1 => "p < 0.0001".to_owned(),
        p if p < 0.000_95 => format!("p = {p:.4}"),
        p if p < 0.1 => format!("p = {p:.3}"),
        _ => format!("p = {p:.2}"),
    }
}

/// A time; what is above the last bucket is `>1 h`.
pub(super) fn quantile(quantile: Quantile) -> String {
    match quantile {
        Quantile::At(value) => milliseconds(value),
        Quantile::Above(bound) => format!(">{}", milliseconds(bound)),
    }
}

fn milliseconds(value: f64) -> String {
    match value {
        // Whole milliseconds are counted.
        it if it < 1.0 => "<1 ms".to_owned(),
        it if it < 9.95 => format!("{it:.1} ms"),
        it if it < 999.5 => format!("{it:.0} ms"),
        it if it < 9_950.0 => format!("{:.1} s", it / 1e3),
        it if it < 59_500.0 => format!("{:.0} s", it / 1e3),
        it if it < 3_570_000.0 => format!("{:.0} min", it / 60e3),
        it => format!("{:.0} h", it / 3_600e3),
    }
}

/// A length of time as people plan by it: `40 s`, `12 min`, `3.5 h`, `4 days`.
pub(crate) fn about(seconds: f64) -> String {
    match seconds {
        it if it < 99.5 => format!("{it:.0} s"),
        it if it < 5_970.0 => format!("{:.0} min", it / 60.0),
        it if it < 35_640.0 => format!("{:.1} h", it / 3_600.0),
        it if it < 129_600.0 => format!("{:.0} h", it / 3_600.0),
        it => format!("{:.0} days", it / 86_400.0),
    }
}

/// A count in groups of three digits.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_the_digits_that_they_need() {
        for (share, text) in [
            (0.0, "0 %"),
            (0.000_000_1, "<0.001 %"),
            (0.000_12, "0.012 %"),
            (0.021, "2.10 %"),
            (0.099_99, "10.0 %"),
            (0.999_99, "99.9 %"),
            (1.0, "100 %"),
        ] {
            assert_eq!(percent(share), text);
        }
        assert_eq!(interval(Interval { low: 0.0071, high: 0.0113 }), "0.71-1.13 %");
    }

    #[test]
    fn times_go_from_milliseconds_to_hours() {
        for (value, text) in [
            (0.3, "<1 ms"),
            (3.06, "3.1 ms"),
            (620.4, "620 ms"),
            (999.6, "1.0 s"),
            (42_000.0, "42 s"),
            (90_000.0, "2 min"),
            (3_600_000.0, "1 h"),
        ] {
            assert_eq!(milliseconds(value), text);
        }
        assert_eq!(quantile(Quantile::Above(3_600_000.0)), ">1 h");
    }

    #[test]
    fn probabilities_are_never_zero() {
        for (p, text) in
            [(0.0, "p < 0.0001"), (0.0004, "p = 0.0004"), (0.003, "p = 0.003"), (0.43, "p = 0.43")]
        {
            assert_eq!(probability(p), text);
        }
    }

    #[test]
    fn counts_are_grouped() {
        for (number, text) in [(7, "7"), (640, "640"), (1_234, "1,234"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn weights_on_which_proxies_disagree_are_a_span() {
        assert_eq!(weight(Gauge { least: 50_000, most: 50_000, sum: 100_000 }), "5 %");
        assert_eq!(weight(Gauge { least: 50_000, most: 125_000, sum: 175_000 }), "5 to 12.5 %");
    }
}
