//! Business events of a rollout.

use super::condition::{self, condition};
use super::{entries, names, text, unique};
use crate::code_class::CodeClass;
use crate::event::{Event, MAX_EVENTS, Sign, Statuses};
use crate::load_report;
use crate::policy::field::{Field, List};
use crate::policy::problem::{Path, Problems, quote};
use crate::policy::wire;
use crate::stamp::Stamps;

/// What an event must know of the rest of the policy.
#[derive(Clone, Copy)]
pub(super) struct Scope<'w> {
    pub(super) conditions: condition::Scope<'w>,
    pub(super) stamps: Option<&'w Stamps>,
}

/// Checks the events of a rollout.
pub(super) fn events(
    list: &List<wire::Event>,
    at: &Path<'_>,
    scope: Scope<'_>,
    problems: &mut Problems,
) -> Box<[Event]> {
    text::not_empty(list, at, problems);
    let len = list.given().map_or(0, Vec::len);
    if len > MAX_EVENTS {
        problems.add(at, format!("must have at most {MAX_EVENTS} entries, got {len}"));
    }
    let mut names = names(list, |event| &event.name);
    names.truncate(MAX_EVENTS);
    unique(&names, at, problems);
    let events = entries(list).take(MAX_EVENTS);
    events.filter_map(|(index, wire)| event(wire, &at.index(index), scope, problems)).collect()
}

/// The response headers that name events, each once.
pub(super) fn headers(events: &[Event]) -> Box<[Box<str>]> {
    let mut headers: Vec<Box<str>> = Vec::new();
    for event in events {
        if let Sign::Header(name) = &event.sign
            && !headers.contains(name)
        {
            headers.push(name.clone());
        }
    }
    headers.into()
}

fn event(wire: &wire::Event, at: &Path<'_>, scope: Scope<'_>, problems: &mut Problems) -> Option<Event> {
    let name = text::required(&wire.name, at, "name", problems, text::name);
    let when = wire.when.given().map(|when| exchange(when, &at.key("when"), scope, problems));
    let header = header(&wire.response_header, &at.key("response_header"), scope, problems);
    if matches!(wire.when, Field::Missing) == matches!(wire.response_header, Field::Missing) {
        problems.add(at, "must have one of when, response_header");
    }
    Some(Event { name: name?, sign: when.or(header)? })
}

fn exchange(wire: &wire::Condition, at: &Path<'_>, scope: Scope<'_>, problems: &mut Problems) -> Sign {
    let conditions = condition::Scope { of_event: true, ..scope.conditions };
    let when = condition(wire, at, conditions, problems);
    let statuses = text::list(&wire.status, &at.key("status"), problems, text::status);
    Sign::Exchange(when, statuses.map_or(Statuses::Any, |list| self::statuses(&list)))
}

fn statuses(list: &[Box<str>]) -> Statuses {
    let class = |raw: &str| CodeClass::ALL.into_iter().find(|class| class.as_str() == raw);
    let classes = list.iter().filter_map(|raw| class(raw)).collect();
    Statuses::Of(classes, list.iter().filter_map(|raw| raw.parse().ok()).collect())
}

fn header(field: &Field<String>, at: &Path<'_>, scope: Scope<'_>, problems: &mut Problems) -> Option<Sign> {
    let name = text::optional(field, at, problems, text::header)?;
    let stamp = scope.stamps.and_then(|stamps| stamps.response.as_deref());
    if stamp == Some(&*name) || &*name == load_report::HEADER {
        problems.add(
            at,
            format!("must be a header without another use: {} is kept from the client", quote(&name)),
        );
    }
    Some(Sign::Header(name))
}
