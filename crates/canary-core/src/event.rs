//! Business events: what a rollout's users do, counted for the side that served them.

use crate::code_class::CodeClass;
use crate::condition::Condition;
use crate::facts::Facts;
use crate::request::RequestView;

/// A rollout has at most this many events.
pub const MAX_EVENTS: usize = 32;

/// Something that users do, by the name that stats give it.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its name.
    pub name: Box<str>,
    /// How it is noticed.
    pub sign: Sign,
}

/// How an event is noticed.
#[derive(Clone, Debug)]
pub enum Sign {
    /// A request for which the condition holds ended with one of the statuses.
    Exchange(Condition, Statuses),
    /// The upstream names it in this response header.
    Header(Box<str>),
}

/// Which outcomes an event takes.
#[derive(Clone, Debug)]
pub enum Statuses {
    /// Whatever came of the request.
    Any,
    /// Outcomes of one of these classes, or answers with one of these codes.
    Of(Box<[CodeClass]>, Box<[u16]>),
}

/// Some of a rollout's events, by their places in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventSet(u32);

impl Statuses {
    fn fit(&self, class: CodeClass, code: u16) -> bool {
        match self {
            Self::Any => true,
            Self::Of(classes, codes) => classes.contains(&class) || codes.contains(&code),
        }
    }
}

impl EventSet {
    /// The events whose condition holds for a request: they wait for its outcome.
    pub(crate) fn waiting<V: RequestView>(events: &[Event], facts: &Facts<'_, V>) -> Self {
        Self::of(events, |event| matches!(&event.sign, Sign::Exchange(when, _) if when.holds(facts)))
    }

    /// Those of the waiting events that the outcome fits.
    pub(crate) fn happened(self, events: &[Event], class: CodeClass, code: u16) -> Self {
        let fit =
            |event: &Event| matches!(&event.sign, Sign::Exchange(_, statuses) if statuses.fit(class, code));
        if self.0 == 0 { self } else { Self(self.0 & Self::of(events, fit).0) }
    }

    /// The events that a response header's value names: a list with commas. Names that the
    /// rollout does not declare are nothing.
    pub(crate) fn named(events: &[Event], header: &str, value: &[u8]) -> Self {
        let names = || value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let is_named = |event: &Event| names().any(|name| name == event.name.as_bytes());
        Self::of(events, |event| {
            matches!(&event.sign, Sign::Header(name) if **name == *header) && is_named(event)
        })
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The places of the events.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let place = left.trailing_zeros();
            left &= left.checked_sub(1)?;
            usize::try_from(place).ok()
        })
    }

    fn of(events: &[Event], is: impl Fn(&Event) -> bool) -> Self {
        let bits = events.iter().zip((0..u32::BITS).map(|place| 1 << place));
        Self(bits.fold(0, |set, (event, bit)| if is(event) { set | bit } else { set }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str) -> Event {
        Event { name: name.into(), sign: Sign::Header("x-canary-event".into()) }
    }

    #[test]
    fn a_set_tells_its_places_in_order() {
        assert_eq!(EventSet(0).iter().count(), 0);
        assert_eq!(EventSet(0b1011).iter().collect::<Vec<_>>(), [0, 1, 3]);
        assert_eq!(EventSet(1 << 31).iter().collect::<Vec<_>>(), [31]);
    }

    #[test]
    fn only_declared_names_count_and_each_once() {
        let events = [header("signup"), header("purchase")];
        let named = |value: &str| EventSet::named(&events, "x-canary-event", value.as_bytes()).0;
        assert_eq!(named("purchase"), 0b10);
        assert_eq!(named(" signup ,\tpurchase,signup"), 0b11);
        assert_eq!(named("Signup,sign,up,signups,;.;,"), 0);
        assert_eq!(EventSet::named(&events, "x-other", b"signup").0, 0);
    }
}
