//! Whether users are on the sides where the weights put them (a sample ratio test).

use super::report::{Basis, Side};
use super::statistics::{Ratio, chi_square};
use super::verdict::{Finding, Verdict};
use super::words::{self, percent, probability};

/// More strictly than other verdicts: it is looked at often, and off means that something broke.
const OFF: f64 = 0.001;

/// Not broken for sure, and nothing to be called expected.
const UNUSUAL: f64 = 0.01;

/// Judges decisions against the weights; requests say nothing, since a user sends many.
pub(super) fn finding(basis: Basis, sides: &[Side]) -> Option<Finding> {
    if basis == Basis::Requests {
        let text = "no split decisions were counted: shares are of requests, against the weights of now";
        let any = sides.iter().any(|side| side.requests > 0);
        return any.then(|| Finding::new("split", Verdict::Note, text.to_owned(), None));
    }
    let counts: Vec<_> = sides.iter().map(|side| (side.observed, side.expected)).collect();
    let Some(p) = chi_square(&counts).or_else(|| stray(&counts)) else {
        let text = "too few users to judge the split".to_owned();
        return Some(Finding::new("split", Verdict::TooFew, text, None));
    };
    let (verdict, text) = match p {
        p if p < OFF => (Verdict::Off, format!("split is off: {}", farthest(sides))),
        p if p < UNUSUAL => (Verdict::Unproven, format!("split may be off: {}", farthest(sides))),
        _ => (Verdict::Same, "split as expected".to_owned()),
    };
    Some(Finding::new("split", verdict, format!("{text}, {}", probability(p)), Some(p)))
}

/// Where a side is to have next to nobody, chi-square does not hold; many are off all the same.
fn stray(counts: &[(u64, u64)]) -> Option<f64> {
    let all: u64 = counts.iter().map(|(observed, _)| observed).sum();
    let tests = counts
        .iter()
        .map(|(observed, expected)| Ratio::new(*observed, all).above(Ratio::new(*expected, all)));
    tests.min_by(f64::total_cmp).filter(|p| *p < OFF)
}

/// The side that is farthest off; the baseline, which takes what is left, only where it is alone.
fn farthest(sides: &[Side]) -> String {
    let far = sides.iter().filter_map(|side| {
        let (share, expected) = (side.share?, side.expected_share?);
        Some((side, share, expected, (share - expected.share).abs()))
    });
    let far = far.max_by(|one, other| one.3.total_cmp(&other.3).then(other.0.baseline.cmp(&one.0.baseline)));
    far.map_or_else(String::new, |(side, share, expected, _)| {
        let (name, share) = (&side.name, percent(share));
        format!("{name} has {share} of users, expected are {}", words::interval(expected.interval))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::report::Expected;
    use crate::status::statistics::expected_interval;

    fn side(name: &str, observed: u64, expected: u64) -> Side {
        let share = 0.05;
        let wanted = Expected { share, interval: expected_interval(share, 1_000) };
        Side {
            name: name.to_owned(),
            observed,
            expected,
            share: Some(0.08),
            expected_share: Some(wanted),
            ..Side::default()
        }
    }

    fn judge(stable: (u64, u64), canary: (u64, u64)) -> Option<(Verdict, String)> {
        let stable = Side { baseline: true, ..side("stable", stable.0, stable.1) };
        let finding = finding(Basis::Decisions, &[stable, side("canary", canary.0, canary.1)]);
        finding.map(|finding| (finding.verdict, finding.text))
    }

    #[test]
    fn a_split_is_judged_by_users() {
        let (verdict, text) = judge((920, 950), (80, 50)).unwrap();
        assert_eq!(verdict, Verdict::Off);
        assert_eq!(text, "split is off: canary has 8.00 % of users, expected are 3.65-6.35 %, p < 0.0001");
        assert_eq!(judge((930, 950), (70, 50)).unwrap().0, Verdict::Unproven);
        assert_eq!(
            judge((945, 950), (55, 50)).unwrap(),
            (Verdict::Same, "split as expected, p = 0.47".into())
        );
    }

    #[test]
    fn few_users_say_nothing_unless_none_should_be_there() {
        assert_eq!(judge((95, 97), (5, 3)).unwrap().0, Verdict::TooFew);
        assert_eq!(judge((900, 1_000), (100, 0)).unwrap().0, Verdict::Off);
    }

    #[test]
    fn requests_say_nothing_of_a_split() {
        assert_eq!(finding(Basis::Requests, &[side("canary", 0, 0)]), None);
        let busy = Side { requests: 900, ..side("canary", 0, 0) };
        assert_eq!(finding(Basis::Requests, &[busy]).unwrap().verdict, Verdict::Note);
    }
}
