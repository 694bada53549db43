//! The side that an outer proxy has chosen, as a request carries it.

use crate::baggage;
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
    let stamped = || {
        let name = view.header(stamps.rollout.as_deref()?)?;
        (name == rollout.name.as_bytes()).then(|| view.header(&stamps.variant)).flatten()
    };
    let carried =
        || stamps.baggage.then(|| baggage::variant(view.header("baggage")?, &rollout.name)).flatten();
    rollout.side(stamped().or_else(carried)?)
}
