//! Names of variants, and weights by those names.

use std::collections::BTreeMap;

use super::text;
use crate::decimal::number;
use crate::policy::field::Field;
use crate::policy::problem::{Path, Problems, quote};
use crate::policy::wire;
use crate::split::{MAX_VARIANTS, Overfull, VariantId, Weight};

/// The names of a rollout's sides, good or bad, so that references can be followed
/// whatever else is wrong.
pub(super) struct Names<'w> {
    baseline: Option<&'w str>,
    variants: Vec<Option<&'w str>>,
    /// A name that could not be read may be the one that a reference means.
    all_known: bool,
}

impl<'w> Names<'w> {
    pub(super) fn of(rollout: &'w wire::Rollout) -> Self {
        let baseline = rollout.baseline.given().and_then(|baseline| baseline.name.given());
        let list = rollout.variants.given().map_or(&[][..], Vec::as_slice);
        let variants = list.iter().take(MAX_VARIANTS);
        let variants = variants.map(|variant| Some(variant.given()?.name.given()?.as_str()));
        let variants: Vec<_> = variants.collect();
        let all_known =
            baseline.is_some() && list.len() == variants.len() && variants.iter().all(Option::is_some);
        Self { baseline: baseline.map(String::as_str), variants, all_known }
    }

    /// Reports names that stand twice.
    pub(super) fn check(&self, rollout: &Path<'_>, problems: &mut Problems) {
        let list = rollout.key("variants");
        super::unique(&self.variants, &list, problems);
        for (index, name) in self.variants.iter().enumerate() {
            if let Some(name) = name.filter(|name| self.baseline == Some(name)) {
                let message = format!("duplicate name {}, also at {}", quote(name), rollout.key("baseline"));
                problems.add(&list.index(index).key("name"), message);
            }
        }
    }

    /// Every variant, without the baseline.
    pub(super) fn variants(&self) -> impl Iterator<Item = VariantId> {
        (0..self.variants.len()).map(VariantId::variant)
    }

    /// A variant, or the baseline, by name; reports one that does not exist.
    pub(super) fn side(&self, name: &str, at: &Path<'_>, problems: &mut Problems) -> Option<VariantId> {
        if self.baseline == Some(name) {
            return Some(VariantId::BASELINE);
        }
        self.find(name, self.baseline, at, problems)
    }

    /// A variant by name, not the baseline; `why` says why that cannot be meant.
    pub(super) fn variant(
        &self,
        name: &str,
        why: &str,
        at: &Path<'_>,
        problems: &mut Problems,
    ) -> Option<VariantId> {
        if self.baseline == Some(name) {
            problems.add(at, why);
            return None;
        }
        self.find(name, None, at, problems)
    }

    fn find(
        &self,
        name: &str,
        also: Option<&str>,
        at: &Path<'_>,
        problems: &mut Problems,
    ) -> Option<VariantId> {
        let found = self.variants.iter().position(|other| *other == Some(name));
        if found.is_none() && self.all_known {
            let known = also.into_iter().chain(self.variants.iter().copied().flatten());
            problems.add(at, format!("must be {}, got {}", one_of(known), quote(name)));
        }
        found.map(VariantId::variant)
    }
}

/// Which names there are: the good ones, and not more than fit on a line.
fn one_of<'n>(names: impl Iterator<Item = &'n str>) -> String {
    const SHOWN: usize = 10;
    let names: Vec<&str> = names.filter(|name| text::name(name).is_ok()).collect();
    let more = if names.len() > SHOWN { ", …" } else { "" };
    match names.get(..SHOWN).unwrap_or(&names) {
        [] => "the name of a variant".to_owned(),
        names => format!("one of {}{more}", names.join(", ")),
    }
}

/// One weight in percent.
pub(super) fn weight(percent: f64, at: &Path<'_>, problems: &mut Problems) -> Option<Weight> {
    let weight = Weight::from_percent(percent);
    if weight.is_none() {
        let wanted = if (0.0..=100.0).contains(&percent) {
            "must have at most four decimals"
        } else {
            "must be between 0 and 100"
        };
        problems.add(at, format!("{wanted}, got {}", number(percent)));
    }
    weight
}

/// Weights by the names of variants. Without `names` the references are not followed.
pub(super) fn by_name(
    field: &Field<BTreeMap<String, Field<f64>>>,
    names: Option<&Names<'_>>,
    at: &Path<'_>,
    problems: &mut Problems,
) -> Vec<(VariantId, Weight)> {
    let mut weights = Vec::new();
    let given = field.given();
    if given.is_some_and(BTreeMap::is_empty) {
        problems.add(at, "must not be empty; leave it out instead");
    }
    for (name, percent) in given.into_iter().flatten() {
        let at = at.key(name);
        let percent = percent.given().and_then(|percent| weight(*percent, &at, problems));
        let why = "the baseline has no weight: it takes what the variants leave";
        let id = names.and_then(|names| names.variant(name, why, &at, problems));
        weights.extend(id.zip(percent));
    }
    weights
}

/// What is wrong with weights that sum to more than everyone.
pub(super) fn overfull(what: &str, full: Overfull) -> String {
    let percent = format!("{}.{:04}", full.sum / 10_000, full.sum % 10_000);
    let percent = percent.trim_end_matches('0').trim_end_matches('.');
    format!("{what} must sum to at most 100, got {percent}")
}
