//! What the proxies' guardrails say of a variant, and what they can find at this traffic.

use std::collections::BTreeMap;

use canary_core::guardrail::plan::{self, Case, Plan};
use canary_core::guardrail::settings::{Errors, EventDrop, Latency, Settings};
use canary_core::policy::Policy;

use super::report::Side;
use super::snapshot::{Gauge, Snapshot};
use super::statistics::float;
use super::verdict::{Finding, Verdict};
use super::words;

/// The states that the filter exports, by their numbers.
const STATES: [&str; 5] = ["off", "too little data", "healthy", "suspicious", "rolled back"];
const OFF: u64 = 0;
const TOO_LITTLE: u64 = 1;
const HEALTHY: u64 = 2;
const SUSPICIOUS: u64 = 3;
const BREACHED: u64 = 4;

/// Less evidence is not worth a word.
const SOME: f64 = 0.05;

/// By less time than this no rate is known.
const ENOUGH_SECONDS: f64 = 10.0;

/// The rise that is spoken of, as shares.
const RISE: [f64; 2] = [0.01, 0.02];

/// What is known beside stats.
#[derive(Debug, Default)]
pub(super) struct Knowledge<'a> {
    /// What people say that the proxies have.
    pub(super) policy: Option<&'a Policy>,
    /// For how long the figures were counted, summed over the proxies.
    pub(super) proxy_seconds: Option<f64>,
    /// How many proxies there are.
    pub(super) proxies: usize,
}

/// A variant's guardrail.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Guardrail {
    /// One of the five.
    pub(super) state: Gauge,
    /// The decimal logarithm of the evidence, by metric; of several proxies the most, since each
    /// judges for itself.
    pub(super) evidence: BTreeMap<String, f64>,
    pub(super) breaches: u64,
    /// What the evidence must reach, where the policy is known.
    pub(super) needed: Option<f64>,
    pub(super) outlook: Option<Outlook>,
}

/// What is to be expected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Outlook {
    /// Requests per second of the variant and the baseline, at one proxy.
    pub(super) rate: f64,
    pub(super) plan: Plan,
    several: bool,
    by_defaults: bool,
}

impl Guardrail {
    /// Reads what a variant's guardrail exports; `None` where it has none.
    pub(super) fn of(snapshot: &Snapshot, labels: &[(&str, &str)]) -> Option<Self> {
        let evidence = snapshot.gauges("canary_guardrail_log10_e_milli", labels);
        let evidence =
            evidence.filter_map(|(own, milli)| Some((own.get("metric")?.clone(), float(milli.most) / 1e3)));
        Some(Self {
            state: snapshot.gauge("canary_guardrail_state", labels)?,
            evidence: evidence.collect(),
            breaches: snapshot.count("canary_guardrail_breaches_total", labels),
            needed: None,
            outlook: None,
        })
    }

    /// The evidence of all metrics together.
    pub(super) fn all(&self) -> f64 {
        self.evidence.get("all").copied().unwrap_or_default()
    }

    /// The state in a word, where all proxies agree on it.
    pub(super) fn word(&self) -> Option<&'static str> {
        word(self.state.agreed()?)
    }

    /// The settings that can be told from what is exported: the defaults of what is watched.
    fn defaults(&self) -> Settings {
        let has = |metric: &str| self.evidence.contains_key(metric);
        let events = self.evidence.keys().filter_map(|metric| metric.strip_prefix("event."));
        let events = events.map(|name| EventDrop { name: name.into(), max_drop: Settings::MAX_DROP });
        Settings {
            errors: has("errors").then(Errors::default),
            latency: has("p90").then(Latency::default),
            events: events.collect(),
            ..Settings::default()
        }
    }
}

fn word(state: u64) -> Option<&'static str> {
    STATES.get(usize::try_from(state).ok()?).copied()
}

/// Works out what is needed and what is to be expected of each variant that is watched.
pub(super) fn look_ahead(rollout: &str, sides: &mut [Side], knowledge: &Knowledge<'_>) {
    let settings = knowledge.policy.and_then(|policy| {
        let own = policy.rollouts.iter().find(|own| &*own.name == rollout)?;
        Some(&own.guardrail.as_ref()?.settings)
    });
    let baseline = sides.iter().find(|side| side.baseline);
    let baseline = baseline.and_then(|side| Some((side.weight()?, side.requests)));
    for side in sides {
        let (weight, requests) = (side.weight(), side.requests);
        let Some(guardrail) = &mut side.guardrail else { continue };
        guardrail.needed = settings.map(needed);
        let seconds = knowledge.proxy_seconds.filter(|seconds| *seconds >= ENOUGH_SECONDS);
        let (Some(seconds), Some(weight), Some((of_baseline, others))) = (seconds, weight, baseline) else {
            continue;
        };
        let [baseline_rate, variant_rate] = RISE;
        let rate = float(requests.saturating_add(others)) / seconds;
        let case = Case { baseline_rate, variant_rate, share: weight / (weight + of_baseline), rate };
        let defaults = guardrail.defaults();
        let plan = plan::expected(settings.unwrap_or(&defaults), case);
        let is_open = guardrail.state.most < BREACHED && plan != Plan::Never;
        let outlook = Outlook { rate, plan, several: knowledge.proxies > 1, by_defaults: settings.is_none() };
        guardrail.outlook = is_open.then_some(outlook);
    }
}

/// The decimal logarithm that the evidence must reach, without the last digits' noise.
pub(crate) fn needed(settings: &Settings) -> f64 {
    (settings.threshold() / std::f64::consts::LN_10 * 1e6).round() / 1e6
}

/// What is said of a variant of which this was found otherwise.
pub(super) fn findings(side: &Side, others: &[Finding]) -> Vec<Finding> {
    let Some(guardrail) = &side.guardrail else { return Vec::new() };
    // What looks bad by any measure is not called healthy.
    let doubtful =
        others.iter().any(|it| matches!(it.verdict, Verdict::Worse | Verdict::Unproven | Verdict::Off));
    let was_moved = side.rolled_back.is_some_and(|gauge| gauge.most > 0);
    let name = |state| match word(state).unwrap_or("in a state of which this tool knows nothing") {
        "rolled back" if !was_moved => "breached, and nobody was moved",
        "healthy" if doubtful => "nothing proven",
        word => word,
    };
    let Gauge { least, most, .. } = guardrail.state;
    let state = if least == most {
        name(most).to_owned()
    } else {
        format!("{} on some proxies, {} on others", name(most), name(least))
    };
    let verdict = match most {
        OFF => Verdict::Note,
        HEALTHY if least == HEALTHY && !doubtful => Verdict::Same,
        TOO_LITTLE => Verdict::TooFew,
        // Whoever knows too little on some proxies has not found them healthy.
        HEALTHY if !doubtful => Verdict::TooFew,
        HEALTHY | SUSPICIOUS => Verdict::Unproven,
        _ => Verdict::Off,
    };
    let text = format!("guardrail: {state}{}", evidence(guardrail));
    let outlook =
        guardrail.outlook.map(|outlook| Finding::new("guardrail", Verdict::Note, outlook.text(), None));
    [Finding::new("guardrail", verdict, text, None)].into_iter().chain(outlook).collect()
}

/// `, E = 10^1.3 of 10^2.0 needed, most from errors`.
fn evidence(guardrail: &Guardrail) -> String {
    let all = guardrail.all();
    if all < SOME {
        return String::new();
    }
    let needed = guardrail.needed.map(|needed| format!(" of 10^{needed:.1} needed")).unwrap_or_default();
    let parts = guardrail.evidence.iter().filter(|(metric, _)| *metric != "all");
    let most = parts.max_by(|(_, one), (_, other)| one.total_cmp(other));
    let most = most.map(|(metric, _)| format!(", most from {metric}")).unwrap_or_default();
    format!(", E = 10^{all:.1}{needed}{most}")
}

impl Outlook {
    fn text(self) -> String {
        let [from, to] = RISE.map(|share| format!("{:.0} %", share * 100.0));
        let rate = if self.rate < 9.95 { format!("{:.1}", self.rate) } else { format!("{:.0}", self.rate) };
        let each = if self.several { " a proxy" } else { "" };
        let when = if self.by_defaults { " (defaults)" } else { "" };
        match self.plan {
            Plan::Found { seconds, .. } => {
                let time = words::about(seconds);
                format!(
                    "guardrail: finds a rise of errors from {from} to {to} in about {time} at {rate}/s{each}{when}"
                )
            }
            Plan::TooSmall { seconds } => {
                let time = words::about(seconds);
                format!(
                    "guardrail: too small to judge: a rise from {from} to {to} takes {time} at {rate}/s{each}{when}"
                )
            }
            Plan::Never => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(name: &str, weight: u64, requests: u64) -> Side {
        let weight = Some(Gauge { least: weight, most: weight, sum: weight });
        Side { name: name.to_owned(), baseline: name == "stable", weight, requests, ..Side::default() }
    }

    fn guarded(least: u64, most: u64, all: f64) -> Side {
        let evidence = [("all", all), ("errors", all), ("p90", 0.0)].map(|(name, it)| (name.to_owned(), it));
        let guardrail = Guardrail {
            state: Gauge { least, most, sum: least + most },
            evidence: evidence.into(),
            breaches: 0,
            needed: Some(2.0),
            outlook: None,
        };
        Side { guardrail: Some(guardrail), ..side("canary", 100_000, 1_000) }
    }

    fn said(side: &Side, others: &[Finding]) -> (Verdict, String) {
        let finding = findings(side, others).swap_remove(0);
        (finding.verdict, finding.text)
    }

    #[test]
    fn each_state_has_its_words() {
        for (state, verdict, text) in [
            (0, Verdict::Note, "guardrail: off"),
            (1, Verdict::TooFew, "guardrail: too little data"),
            (2, Verdict::Same, "guardrail: healthy"),
            (3, Verdict::Unproven, "guardrail: suspicious"),
            (4, Verdict::Off, "guardrail: breached, and nobody was moved"),
        ] {
            assert_eq!(said(&guarded(state, state, 0.0), &[]), (verdict, text.to_owned()));
        }
        let moved = Gauge { least: 1, most: 1, sum: 1 };
        let rolled_back = Side { rolled_back: Some(moved), ..guarded(4, 4, 12.3) };
        let text = "guardrail: rolled back, E = 10^12.3 of 10^2.0 needed, most from errors";
        assert_eq!(said(&rolled_back, &[]), (Verdict::Off, text.to_owned()));
    }

    #[test]
    fn what_looks_bad_is_not_called_healthy() {
        for (verdict, is_healthy) in [
            (Verdict::Worse, false),
            (Verdict::Unproven, false),
            (Verdict::Off, false),
            (Verdict::Same, true),
            (Verdict::TooFew, true),
        ] {
            let (_, text) =
                said(&guarded(2, 2, 0.6), &[Finding::new("errors", verdict, String::new(), None)]);
            assert_eq!(text.contains("healthy"), is_healthy, "{text}");
        }
    }

    #[test]
    fn the_worst_proxy_decides() {
        let (verdict, text) = said(&guarded(2, 3, 1.2), &[]);
        assert_eq!(verdict, Verdict::Unproven);
        assert!(
            text.starts_with("guardrail: suspicious on some proxies, healthy on others, E = 10^1.2"),
            "{text}"
        );
        assert_eq!(said(&guarded(1, 2, 0.0), &[]).0, Verdict::TooFew);
    }

    #[test]
    fn what_can_be_found_goes_by_the_traffic_of_one_proxy() {
        let outlook = |requests: u64, proxies: usize, seconds: f64| {
            let mut canary = guarded(2, 2, 0.0);
            canary.requests = requests / 10;
            let mut sides = [side("stable", 900_000, requests / 10 * 9), canary];
            let knowledge = Knowledge { policy: None, proxy_seconds: Some(seconds), proxies };
            look_ahead("checkout", &mut sides, &knowledge);
            findings(&sides[1], &[]).into_iter().nth(1).map(|finding| finding.text)
        };
        let text = outlook(60_000, 1, 600.0).unwrap();
        assert!(text.starts_with("guardrail: finds a rise of errors from 1 % to 2 % in about "), "{text}");
        assert!(text.ends_with(" min at 100/s (defaults)"), "{text}");
        assert!(outlook(60_000, 2, 1_200.0).unwrap().ends_with(" at 50/s a proxy (defaults)"));
        assert!(outlook(60, 1, 6_000.0).unwrap().starts_with("guardrail: too small to judge: a rise "));
        // Too young for a rate.
        assert_eq!(outlook(60, 1, 6.0), None);
    }
}
