//! A picture: figures, and of when and of whom they are.

use super::history::Trends;
use super::report::{Report, Rollout};
use super::snapshot::Snapshot;
use super::source::{self, Endpoint, Readings};

/// All that one picture shows.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) endpoints: &'a [Endpoint],
    pub(super) readings: &'a Readings,
    pub(super) span: Span,
    pub(super) report: Report,
    /// What only a watch knows.
    pub(super) trends: Option<&'a Trends>,
}

/// Of when figures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// Since each Envoy started.
    Totals,
    /// Since the watch began, which is less than its window ago.
    Young { seconds: u64, window: u64 },
    /// The watch's window.
    Window { seconds: u64 },
}

impl<'a> Frame<'a> {
    /// The endpoints that figures are of.
    pub(super) fn read(&self) -> Vec<&'a Endpoint> {
        let both = self.endpoints.iter().zip(self.readings);
        both.filter(|(_, reading)| reading.is_ok()).map(|(endpoint, _)| endpoint).collect()
    }

    /// A line for each endpoint that could not be read.
    pub(super) fn unreadable(&self) -> Vec<String> {
        source::unreadable(self.endpoints, self.readings)
    }

    /// What is to be said of the whole.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        let empty = self
            .endpoints
            .iter()
            .zip(self.readings)
            .filter(|(_, reading)| reading.as_ref().is_ok_and(Snapshot::is_empty));
        let empty =
            empty.map(|(endpoint, _)| format!("{endpoint} has no metrics of the filter: is it loaded?"));
        let none = self.report.rollouts.is_empty().then(|| "no rollouts".to_owned());
        let restarted = self.trends.into_iter().flat_map(Trends::restarted).filter_map(|place| {
            let endpoint = self.endpoints.get(*place)?;
            Some(format!("{endpoint} restarted while watched: what it counted around that is missing"))
        });
        empty.chain(none).chain(self.report.notes.iter().cloned()).chain(restarted)
    }

    /// A heading and a line for each side.
    pub(super) fn sparklines(&self, rollout: &Rollout) -> Vec<String> {
        self.trends.map(|trends| trends.lines(rollout)).unwrap_or_default()
    }
}
