//! What a drill has shown, for people: at most 100 columns.

use std::time::Duration;

use canary_core::guardrail::plan::{self, Case};
use canary_core::rollback::NOTHING;

use super::course::Standing;
use super::report::{Caught, Hit, Others, Report, float};
use crate::clock;
use crate::policy_file::count;
use crate::status::{self, about};

/// How few requests per second a small service has, for a comparison.
const SMALL: f64 = 50.0;

/// What stands beside a row's name.
const WIDTH: usize = 84;

impl Report<'_> {
    /// For people.
    pub(super) fn lines(&self) -> Vec<String> {
        let plan = self.plan;
        let variant = &plan.variant.name;
        let users = plan.people.count(plan.variant.id);
        let mut lines = vec![String::new()];
        let Standing { state, log10_e } = self.standing;
        if let Some(Caught { trip, after, requests, followed }) = &self.caught {
            let after = after.as_secs_f64();
            lines.push(format!(
                "Caught {after:.1} s after {variant} began to fail, and after {requests} of its requests."
            ));
            lines.extend(rows("by", &trip.why));
            lines.extend(rows("users hit", &self.hurt(users)));
            lines.extend(rows("rollback", &self.rollback(*followed, users)));
        } else {
            lines.push("Not caught.".to_owned());
            let needed = self.needed();
            lines.extend(rows("guardrail", &format!("{state}; E = 10^{log10_e:.1}, 10^{needed:.1} needed")));
            lines.extend(rows("users hit", &self.hurt(users)));
        }
        lines.extend(rows("others", &self.others()));
        let alarms = match self.false_alarms.len() {
            0 => "none".to_owned(),
            count => count.to_string(),
        };
        let healthy = about(self.healthy.as_secs_f64());
        lines.extend(rows(
            "false alarms",
            &format!("{alarms} in the {healthy} in which {variant} was healthy"),
        ));
        lines.extend(rows("traffic", &self.traffic()));
        lines.extend(self.planned().into_iter().flat_map(|text| rows("", &text)));
        lines
    }

    fn hurt(&self, users: usize) -> String {
        let Hit { users: hit, requests } = self.hit;
        format!("{hit} of {}'s {users} users, by {}", self.plan.variant.name, count(requests, "request"))
    }

    fn others(&self) -> String {
        let Others { requests, errors, moved } = self.others;
        let requests = status::count(u64::try_from(requests).unwrap_or(u64::MAX));
        match (errors, moved) {
            (0, 0) => format!("{requests} requests, no error, and nobody was moved"),
            _ => format!("{requests} requests, {errors} errors, {} moved", count(moved, "user")),
        }
    }

    /// Where the variant's users are, and how soon they were there.
    fn rollback(&self, followed: Duration, users: usize) -> String {
        let (variant, baseline) = (&self.plan.variant.name, &self.plan.baseline.name);
        if self.plan.only_alerts() {
            return format!("none: `on_breach` is `alert`, so {variant}'s users stay on it");
        }
        let who =
            if self.back == users { format!("all {users}") } else { format!("{} of {users}", self.back) };
        let last = match followed.as_millis() {
            0 => format!("no worker sent {variant} a request once the breach was in the log"),
            millis => {
                format!("the last request came to {variant} {millis} ms after the breach was in the log")
            }
        };
        format!("{who} are on {baseline}; {last}")
    }

    /// What the drill's traffic was, and what less of it would mean.
    fn traffic(&self) -> String {
        let [all, own] = self.rates;
        let here = format!("{all:.0} requests/s, {own:.0} of {}'s users", self.plan.variant.name);
        match &self.caught {
            Some(caught) if all > SMALL && own > 0.0 => {
                let seconds = float(caught.requests) / own * all / SMALL;
                format!(
                    "{here}; at {SMALL}/s in production {} requests take {}",
                    caught.requests,
                    about(seconds)
                )
            }
            _ => here,
        }
    }

    /// What is to be expected of a smaller fault.
    fn planned(&self) -> Option<String> {
        let rate = self.rates[0];
        let variant = f64::from(self.plan.weight);
        let baseline = self.plan.rollout.effective_weights(clock::now(), &NOTHING).next();
        let both = variant + f64::from(baseline.map_or(0, |(_, ppm)| ppm));
        let case =
            Case { baseline_rate: 0.01, variant_rate: 0.02, share: variant / both, rate: rate * both / 1e6 };
        match plan::expected(&self.plan.guardrail.settings, case) {
            plan::Plan::Found { seconds, .. } => Some(format!(
                "a rise of errors from 1 % to 2 % would take about {} at this rate",
                about(seconds)
            )),
            plan::Plan::TooSmall { .. } => {
                Some("too little to find a rise of errors from 1 % to 2 %".to_owned())
            }
            plan::Plan::Never => None,
        }
    }
}

/// A name and a text, on as many lines of at most 100 columns as it needs.
fn rows(name: &str, text: &str) -> Vec<String> {
    let mut lines = Vec::<String>::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    let names = std::iter::once(name).chain(std::iter::repeat(""));
    names.zip(lines).map(|(name, line)| format!("  {name:<12}  {line}")).collect()
}
