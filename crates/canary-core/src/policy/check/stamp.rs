//! The headers that carry a decision.

use super::{or, text};
use crate::policy::field::Field;
use crate::policy::problem::{Path, Problems, quote};
use crate::policy::wire;
use crate::stamp::Stamps;

pub(super) fn stamps(field: &Field<wire::Stamp>, at: &Path<'_>, problems: &mut Problems) -> Option<Stamps> {
    let mut stamps = Stamps::default();
    let Some(wire) = field.given() else { return Some(stamps) };
    let before = problems.len();
    if let Some(name) =
        text::optional(&wire.request_header, &at.key("request_header"), problems, text::header)
    {
        stamps.variant = name;
    }
    for (field, key, stamp) in [
        (&wire.rollout_header, "rollout_header", &mut stamps.rollout),
        (&wire.cluster_header, "cluster_header", &mut stamps.cluster),
        (&wire.response_header, "response_header", &mut stamps.response),
        (&wire.flags_header, "flags_header", &mut stamps.flags),
    ] {
        match field.given() {
            Some(Some(name)) => *stamp = text::check(name, &at.key(key), problems, text::header),
            Some(None) => *stamp = None,
            None => {}
        }
    }
    stamps.filter_state = or(&wire.filter_state, true);
    stamps.fields = or(&wire.filter_state_fields, false);
    stamps.baggage = or(&wire.baggage, false);
    let named = [
        ("request_header", Some(&stamps.variant)),
        ("rollout_header", stamps.rollout.as_ref()),
        ("cluster_header", stamps.cluster.as_ref()),
        ("flags_header", stamps.flags.as_ref()),
    ];
    for (later, (key, name)) in named.iter().enumerate().skip(1) {
        let earlier = named.iter().take(later).find(|(_, other)| name.is_some() && other == name);
        if let (Some((other, _)), Some(name)) = (earlier, name) {
            problems.add(&at.key(key), format!("must differ from {other}, both are {}", quote(name)));
        }
    }
    (problems.len() == before).then_some(stamps)
}
