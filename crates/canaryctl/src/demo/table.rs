//! Shares against weights, as a table with a verdict in each row.

use std::fmt;

use super::batch::Batch;
use super::scene::{Country, Expected};

/// How far a share may be from its weight, in standard errors: one honest demo in a
/// thousand rows is further off.
const TOLERANCE: f64 = 3.3;

/// The line above the rows.
pub(super) fn head() -> String {
    line(["country", "rule", "users", "requests", "variant", "weight", "share", "difference", "verdict"])
}

/// One variant in one country.
#[derive(Debug)]
pub(super) struct Row {
    country: String,
    rule: String,
    variant: String,
    users: u32,
    requests: u32,
    weight: f64,
    share: f64,
}

impl Row {
    /// A row for each variant of a country.
    pub(super) fn of(
        country: &Country,
        rule: Option<&str>,
        expected: &[Expected],
        batch: &Batch,
    ) -> Vec<Self> {
        let rows = expected.iter().map(|expected| {
            let count = batch.counted.get(&expected.variant).copied().unwrap_or_default();
            Self {
                country: country.code.clone(),
                rule: rule.unwrap_or("(no rule)").to_owned(),
                variant: expected.variant.clone(),
                users: country.users,
                requests: batch.requests,
                weight: f64::from(expected.ppm) / 1e6,
                share: f64::from(count) / f64::from(batch.requests.max(1)),
            }
        });
        rows.collect()
    }

    /// How far the share is from the weight, in standard errors. It is users who are drawn, so
    /// it is users who count here, however many requests each of them sends.
    fn errors(&self) -> f64 {
        let difference = self.share - self.weight;
        let error = (self.weight * (1.0 - self.weight) / f64::from(self.users.max(1))).sqrt();
        if difference.abs() < 1e-12 { 0.0 } else { difference / error }
    }

    /// What does not hold, where something does not.
    pub(super) fn failure(&self) -> Option<String> {
        let errors = self.errors();
        (errors.abs() > TOLERANCE).then(|| {
            let (share, weight) = (self.share * 100.0, self.weight * 100.0);
            let Self { country, variant, .. } = self;
            format!("{country}: {variant} has {share:.2} %, {errors:+.1} standard errors from {weight} %")
        })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { country, rule, variant, .. } = self;
        let (users, requests) = (self.users.to_string(), self.requests.to_string());
        let weight = format!("{} %", (self.weight * 1e6).round() / 1e4);
        let share = format!("{:.2} %", self.share * 100.0);
        let difference = format!("{:+.2} s.e.", self.errors());
        let verdict = if self.failure().is_none() { "ok" } else { "OFF" };
        f.write_str(&line([country, rule, &users, &requests, variant, &weight, &share, &difference, verdict]))
    }
}

fn line([country, rule, users, requests, variant, weight, share, difference, verdict]: [&str; 9]) -> String {
    format!(
        "  {country:<7}  {rule:<15}  {users:>6}  {requests:>8}  {variant:<9}  {weight:>8}  {share:>8}  \
         {difference:>11}  {verdict}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(users: u32, weight: f64, share: f64) -> Row {
        let text = String::new();
        Row {
            country: text.clone(),
            rule: text.clone(),
            variant: text,
            users,
            requests: users * 3,
            weight,
            share,
        }
    }

    #[test]
    fn the_error_goes_by_users_and_not_by_requests() {
        // sqrt(0.1 * 0.9 / 900) = 0.01, however many requests each user sends.
        assert!((row(900, 0.1, 0.12).errors() - 2.0).abs() < 1e-9);
        assert!(row(900, 0.1, 0.12).failure().is_none());
        assert!(row(900, 0.1, 0.14).failure().is_some());
    }

    #[test]
    fn a_weight_of_nobody_or_everybody_is_met_exactly_or_not_at_all() {
        for weight in [0.0, 1.0] {
            assert!(row(1000, weight, weight).failure().is_none());
            assert!(row(1000, weight, 0.999).failure().is_some());
        }
    }
}
