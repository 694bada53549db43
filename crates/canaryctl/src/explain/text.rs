//! A decision in words: one sentence that says why, then the facts it stands on.

use std::fmt::Write;

use canary_core::bucket::MILLION;
use canary_core::decide::{Decision, Reason, Token};
use canary_core::geo::Geo;
use canary_core::policy::Policy;
use canary_core::request::{RequestView, Source, SourceKind};
use canary_core::rollout::{Anonymous, BucketBy, Rollout, Rule, Variant};
use canary_core::split::VariantId;
use canary_core::timeline::Instant;
use canary_core::visitor::asks_for_a_page;

/// The sentence and the facts, without a last line feed.
pub(super) fn text(
    policy: &Policy,
    view: &impl RequestView,
    decision: &Decision<'_>,
    now: Instant,
) -> String {
    let mut text = decision.rollout.map_or_else(
        || "No rollout matches this request: the filter chooses no variant.".to_owned(),
        |rollout| why(rollout, decision, now, view),
    );
    text.push('\n');
    let mut fact = |name: &str, value: String| {
        let _ = write!(text, "\n  {name:<9} {value}");
    };
    let dash = || "-".to_owned();
    if let Some(rollout) = decision.rollout {
        let release = rollout.release.as_ref().map(|release| format!(" (release {release})"));
        fact("rollout", format!("{}{}", rollout.name, release.unwrap_or_default()));
        fact("variant", decision.variant.map_or_else(|| "drawn for each request".to_owned(), name));
        let cluster = decision.variant.and_then(|variant| variant.cluster.as_deref());
        fact("cluster", cluster.map_or_else(dash, ToOwned::to_owned));
    }
    fact("reason", decision.reason.as_str().to_owned());
    if let Some(rollout) = decision.rollout {
        fact("rule", decision.rule.map_or_else(dash, |rule| rule.name.to_string()));
        fact("bucket", decision.point.map_or_else(dash, |point| format!("{} of {MILLION}", point.bucket())));
        fact("hash", decision.point.map_or_else(dash, |point| format!("{:016x}", point.get())));
        fact("key", key(rollout.bucket_by).to_owned());
        fact("weights", weights(rollout, decision.rule, now));
        if !rollout.flags.is_empty() {
            let on = super::flags_on(decision);
            fact("flags", if on.is_empty() { "none is on".to_owned() } else { on.join(", ") });
        }
        if decision.token == Token::Rejected {
            fact("token", "refused: it changes nothing".to_owned());
        }
        if rollout.observe {
            fact("observe", "counted, but nothing is stamped or routed".to_owned());
        }
    }
    let known = |value: &[u8]| (!policy.ignore_identities.contains(value)).then(|| readable(value));
    let visitor = decision.rollout.and_then(|rollout| match &rollout.anonymous {
        Anonymous::Cookie(cookie) => {
            let id = cookie.read(view)?;
            Some(format!("visitor {} (cookie {})", readable(id.as_bytes()), cookie.name))
        }
        Anonymous::Baseline | Anonymous::Random => None,
    });
    let identity = first(&policy.identity, view, known);
    fact("identity", visitor.filter(|_| identity.starts_with('-')).unwrap_or(identity));
    fact("geo", first(&policy.geo, view, |value| Geo::parse(value).map(|geo| geo.to_string())));
    text
}

fn why(rollout: &Rollout, decision: &Decision<'_>, now: Instant, view: &impl RequestView) -> String {
    let issues =
        matches!(rollout.anonymous, Anonymous::Cookie(_)) && !rollout.observe && asks_for_a_page(view);
    let variant = decision.variant.map_or("a variant drawn for each request", |variant| &variant.name);
    let by_rule = decision.rule.map(|rule| format!(", by rule {}", rule.name)).unwrap_or_default();
    match decision.reason {
        Reason::Split => match (decision.point, share(rollout, decision, now)) {
            (Some(point), Some(share)) => {
                format!("Bucket {} falls to {variant}, which has {share} %{by_rule}.", point.bucket())
            }
            _ => format!("The bucket falls to {variant}."),
        },
        Reason::TargetingMatch => {
            let rule = decision.rule.map_or("-", |rule| &rule.name);
            format!("Rule {rule} holds, and whoever it is for gets {variant}.")
        }
        Reason::Anonymous if decision.variant.is_none() => {
            format!("There is no identity, so the variant is drawn anew for each request{by_rule}.")
        }
        Reason::Anonymous if decision.variant.is_some_and(|variant| variant.id != VariantId::BASELINE) => {
            format!("There is no identity, but {variant} has 100 %, so everyone gets it{by_rule}.")
        }
        Reason::Anonymous if issues => {
            format!(
                "A page without identity: Envoy issues an id in a cookie and draws the side by it; without one it gets {variant}."
            )
        }
        Reason::Anonymous => format!("There is no identity to split by, so it gets {variant}."),
        Reason::Disabled => format!("Rollout {} is not enabled, so everyone gets {variant}.", rollout.name),
        Reason::RolledBack => {
            let chosen = decision.chosen.map_or("The chosen variant", |chosen| &chosen.name);
            format!("{chosen} was chosen{by_rule}, but it is rolled back, so it gets {variant}.")
        }
        Reason::Override => format!("A signed token asks for {variant}."),
        Reason::Inbound => format!("An outer proxy has chosen {variant}, and the policy trusts it here."),
        Reason::Excluded => {
            format!("The request is excluded, so it gets {variant} and is in no figure of a variant.")
        }
        Reason::Default => format!("It gets {variant}."),
    }
}

/// The share of the side that was chosen, in percent.
fn share(rollout: &Rollout, decision: &Decision<'_>, now: Instant) -> Option<f64> {
    let variant = decision.variant?;
    let split = rollout.split(decision.rule, now)?;
    let taken: u32 = split.weights().iter().map(|weight| weight.ppm()).sum();
    let ppm = match variant.id.slot().checked_sub(1) {
        None => MILLION - taken,
        Some(index) => split.weights().get(index)?.ppm(),
    };
    Some(percent(ppm))
}

fn weights(rollout: &Rollout, rule: Option<&Rule>, now: Instant) -> String {
    let Some(split) = rollout.split(rule, now) else { return "-".to_owned() };
    let taken: u32 = split.weights().iter().map(|weight| weight.ppm()).sum();
    let ppm = [MILLION - taken].into_iter().chain(split.weights().iter().map(|weight| weight.ppm()));
    let sides = rollout.variants.iter().zip(ppm).map(|(variant, ppm)| {
        let rolled_back = if variant.rolled_back { " (rolled back)" } else { "" };
        format!("{} {} %{rolled_back}", variant.name, percent(ppm))
    });
    sides.collect::<Vec<_>>().join(", ")
}

/// The first source with a value that can be used, and which it was.
fn first(sources: &[Source], view: &impl RequestView, usable: impl Fn(&[u8]) -> Option<String>) -> String {
    let found = sources.iter().find_map(|source| Some((usable(&source.read(view)?)?, source)));
    match found {
        Some((value, source)) => format!("{value} ({})", place(source)),
        None if sources.is_empty() => "- (the policy names no source)".to_owned(),
        None => {
            let places: Vec<_> = sources.iter().map(place).collect();
            format!("- (looked at {})", places.join(", "))
        }
    }
}

fn place(source: &Source) -> String {
    let kind = match source.kind {
        SourceKind::Header => "header",
        SourceKind::Cookie => "cookie",
        SourceKind::JwtClaim => "jwt claim",
        SourceKind::Query => "query",
        SourceKind::SourceAddress => return "source address".to_owned(),
    };
    format!("{kind} {}", source.name)
}

fn key(bucket_by: BucketBy) -> &'static str {
    match bucket_by {
        BucketBy::Identity => "identity",
        BucketBy::IdentityAndGeo => "identity and geo",
    }
}

fn name(variant: &Variant) -> String {
    variant.name.to_string()
}

/// Bytes of a request as they can stand on a terminal.
fn readable(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) => text.escape_debug().to_string(),
        Err(_) => value.escape_ascii().to_string(),
    }
}

fn percent(ppm: u32) -> f64 {
    f64::from(ppm) / 1e4
}
