//! Segments: named conditions that others refer to.

use std::collections::BTreeMap;

use super::condition::{Scope, condition};
use super::text;
use crate::condition::{SegmentId, Test};
use crate::facts::MAX_SEGMENTS;
use crate::policy::Segment;
use crate::policy::field::Field;
use crate::policy::problem::{Path, Problems, quote};
use crate::policy::wire;

/// Segments in segments, in a row; deciding goes as deep.
const MAX_DEPTH: usize = 16;

type Wire = Field<BTreeMap<String, Field<wire::Condition>>>;

/// The names of a policy's segments, in order, whatever else is wrong with them.
#[derive(Default)]
pub(super) struct Names<'w> {
    names: Vec<&'w str>,
    /// Where they could not be read, any name may be meant.
    all_known: bool,
}

impl<'w> Names<'w> {
    pub(super) fn of(wire: &'w Wire) -> Self {
        let names: Vec<_> = wire.given().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        let all_known = !matches!(wire, Field::Bad) && names.len() <= MAX_SEGMENTS;
        Self { names: names.into_iter().take(MAX_SEGMENTS).collect(), all_known }
    }

    /// A segment by name; reports one that does not exist.
    pub(super) fn find(&self, name: &str, at: &Path<'_>, problems: &mut Problems) -> Option<SegmentId> {
        let found = self.names.binary_search(&name).ok();
        if found.is_none() && self.all_known {
            let message = format!("must be the name of a segment of this policy, got {}", quote(name));
            problems.add(at, message);
        }
        found.and_then(|place| u8::try_from(place).ok()).map(SegmentId)
    }
}

/// Checks all segments; reports those that refer to themselves.
pub(super) fn segments(wire: &Wire, names: &Names<'_>, problems: &mut Problems) -> Box<[Segment]> {
    let at = Path::Root.key("segments");
    let len = wire.given().map_or(0, BTreeMap::len);
    if len > MAX_SEGMENTS {
        problems.add(&at, format!("must have at most {MAX_SEGMENTS} entries, got {len}"));
    }
    let wire = wire.given().into_iter().flatten().take(MAX_SEGMENTS);
    let segments: Vec<Segment> = wire
        .map(|(name, field)| {
            let at = at.key(name);
            text::check(name, &at, problems, text::name);
            let scope = Scope { segments: names, inside: Some(name), of_event: false };
            let when = field.given().map(|wire| condition(wire, &at, scope, problems));
            Segment { name: name.as_str().into(), when: when.unwrap_or_default() }
        })
        .collect();
    let mut walk = Walk { segments: &segments, depths: vec![None; segments.len()], path: Vec::new() };
    for place in 0..segments.len() {
        if let Err((place, message)) = walk.depth(place) {
            let name = segments.get(place).map_or("", |segment| &segment.name);
            problems.add(&at.key(name), message);
            walk.path.push(place);
            walk.give_up();
        }
    }
    segments.into()
}

/// A walk along references.
struct Walk<'s> {
    segments: &'s [Segment],
    /// How many segments deep each goes, where that is known.
    depths: Vec<Option<usize>>,
    path: Vec<usize>,
}

impl Walk<'_> {
    /// How deep a segment goes, or which one is wrong and how.
    fn depth(&mut self, place: usize) -> Result<usize, (usize, String)> {
        if let Some(Some(depth)) = self.depths.get(place) {
            return Ok(*depth);
        }
        if let Some(from) = self.path.iter().position(|other| *other == place) {
            let ring = self.path.iter().skip(from).chain([&place]);
            let ring = ring.filter_map(|place| Some(&*self.segments.get(*place)?.name));
            return Err((place, format!("refers to itself: {}", ring.collect::<Vec<_>>().join(" > "))));
        }
        self.path.push(place);
        let mut references = Vec::new();
        if let Some(segment) = self.segments.get(place) {
            segment.when.visit(&mut |test| {
                if let Test::Segment(id) = test {
                    references.push(id.place());
                }
            });
        }
        let mut deepest = 0;
        for reference in references {
            deepest = deepest.max(self.depth(reference)?);
        }
        self.path.pop();
        if deepest == MAX_DEPTH {
            return Err((place, format!("must refer to segments at most {MAX_DEPTH} deep")));
        }
        if let Some(depth) = self.depths.get_mut(place) {
            *depth = Some(deepest + 1);
        }
        Ok(deepest + 1)
    }

    /// Takes what stands on the way to something wrong for done: it has been told once.
    fn give_up(&mut self) {
        for place in std::mem::take(&mut self.path) {
            if let Some(depth) = self.depths.get_mut(place) {
                *depth = Some(0);
            }
        }
    }
}
