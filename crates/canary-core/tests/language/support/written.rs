//! Policies written down, and what is wrong with them.

use canary_core::policy::Policy;

/// Every problem of a policy, as it is printed.
pub fn problems(text: &str) -> Vec<String> {
    match Policy::parse(text.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.to_string().lines().map(str::to_owned).collect(),
    }
}

/// A policy with one rollout, `{fields}` added to it.
pub fn rollout(fields: &str) -> String {
    format!(
        r#"{{"version": 1, "rollouts": [{{"name": "r", "baseline": {{"name": "stable"}},
            "variants": [{{"name": "canary", "weight": 5}}, {{"name": "beta", "weight": 10}}]{fields}}}]}}"#
    )
}

/// One with this rule.
pub fn rule(fields: &str) -> String {
    rollout(&format!(r#", "rules": [{{"name": "x", {fields}}}]"#))
}

/// One with this condition.
pub fn when(condition: &str) -> String {
    rule(&format!(r#""variant": "canary", "when": {{{condition}}}"#))
}

/// One with this field at its top.
pub fn top(field: &str) -> String {
    rollout("").replacen(r#""rollouts""#, &format!(r#"{field}, "rollouts""#), 1)
}

/// One with this schedule.
pub fn schedule(schedule: &str) -> String {
    rollout(&format!(r#", "schedule": {schedule}"#))
}

/// One with a schedule of `canary`: times and weights.
pub fn steps(steps: &[(&str, u32)]) -> String {
    let step =
        |(from, weight): &(&str, u32)| format!(r#"{{"from": "{from}", "weights": {{"canary": {weight}}}}}"#);
    schedule(&format!(r#"{{"steps": [{}]}}"#, steps.iter().map(step).collect::<Vec<_>>().join(",")))
}
