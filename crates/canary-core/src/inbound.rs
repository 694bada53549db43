//! The side that an outer proxy has chosen, as a request carries it.

use crate::baggage;
use crate::decide::Reason;
use crate::request::RequestView;
use crate::rollout::{Rollout, Variant};
use crate::stamp::Stamps;

/// The side of this rollout that the stamps name, or else the baggage; one that the rollout
/// does not know is none.
pub(crate) fn side<'p>(
    rollout: &'p Rollout,
    stamps: &Stamps,
    view: &impl RequestView,
) -> Option<&'p Variant> {
    if let Some(stamped) = stamped(rollout, stamps, view) {
        return rollout.side(stamped);
    }
    let baggage = stamps.baggage.then(|| view.joined("baggage", b",")).flatten()?;
    rollout.side(baggage::variant(&baggage, &rollout.name)?)
}

/// Whether a request that follows an outer proxy follows it in the features too: it does where
/// they came along.
pub(crate) fn brings_features(reason: Reason, stamps: &Stamps, view: &impl RequestView) -> bool {
    reason == Reason::Inbound && stamps.flags.as_ref().is_some_and(|name| view.header(name).is_some())
}

fn stamped<'v>(rollout: &Rollout, stamps: &Stamps, view: &'v impl RequestView) -> Option<&'v [u8]> {
    let name = view.header(stamps.rollout.as_deref()?)?;
    (name == rollout.name.as_bytes()).then(|| view.header(&stamps.variant)).flatten()
}
