//! What a watch remembers: differences of snapshots over a window that slides.
//!
//! An Envoy whose counters went back has restarted; counting goes on from there, so that
//! nothing is negative and nothing is counted twice.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::frame::Span;
use super::guardrail::Knowledge;
use super::report::{Report, Rollout};
use super::snapshot::Snapshot;
use super::source::Readings;
use super::spark;
use super::statistics::Ratio;

/// So many intervals does a sparkline show.
const INTERVALS: usize = 40;

/// So many snapshots at most make up a window; it may be longer than asked for by one in so many.
const POINTS: u32 = 200;

/// The memory of a watch.
#[derive(Debug)]
pub(super) struct History {
    window: Duration,
    /// What each endpoint had last; nothing before it could first be read.
    last: Vec<Option<Snapshot>>,
    /// All that was counted since the watch began.
    total: Snapshot,
    /// What the total was, the oldest first.
    points: VecDeque<(Instant, Snapshot)>,
    trends: Trends,
}

/// What goes into a picture beside figures.
#[derive(Debug, Default)]
pub(super) struct Trends {
    /// Endpoints that restarted since the watch began.
    restarted: Vec<usize>,
    intervals: VecDeque<Interval>,
}

/// Of each rollout and side that had responses in an interval, its errors.
type Interval = Vec<(String, String, Ratio)>;

impl History {
    pub(super) fn new(window: Duration) -> Self {
        Self {
            window,
            last: Vec::new(),
            total: Snapshot::default(),
            points: VecDeque::new(),
            trends: Trends::default(),
        }
    }

    /// Takes what was read at this instant, and gives the figures to show.
    pub(super) fn take(&mut self, now: Instant, readings: &Readings) -> (Snapshot, Span) {
        self.last.resize(readings.len(), None);
        let (mut sum, mut since) = (Snapshot::default(), Snapshot::default());
        for (place, (reading, last)) in readings.iter().zip(&mut self.last).enumerate() {
            let Ok(reading) = reading else { continue };
            sum.add_all(reading);
            match last.replace(reading.clone()).map(|last| reading.since(&last)) {
                None => {}
                Some(Some(counted)) => since.add_counts(&counted),
                Some(None) => self.trends.restart(place),
            }
        }
        let Some((began, _)) = self.points.front() else {
            self.points.push_back((now, Snapshot::default()));
            return (sum, Span::Totals);
        };
        let age = now.saturating_duration_since(*began);
        self.trends.push(&since);
        self.total.add_counts(&since);
        let (figures, span) = self.figures(now, age);
        (figures.with_gauges_of(&sum), span)
    }

    /// What was counted within the window.
    fn figures(&mut self, now: Instant, age: Duration) -> (Snapshot, Span) {
        // The newest that is at least a window old; those before it have served.
        while self.points.get(1).is_some_and(|(at, _)| now.saturating_duration_since(*at) >= self.window) {
            self.points.pop_front();
        }
        let before = self.points.front().map(|(_, total)| total.clone()).unwrap_or_default();
        // The total never goes back.
        let figures = self.total.since(&before).unwrap_or_default();
        let newest = self.points.back().map_or(now, |(at, _)| *at);
        if now.saturating_duration_since(newest) >= self.window / POINTS {
            self.points.push_back((now, self.total.clone()));
        }
        let window = self.window.as_secs();
        let young = Span::Young { seconds: age.as_secs(), window };
        let span = if age < self.window { young } else { Span::Window { seconds: window } };
        (figures, span)
    }

    pub(super) fn trends(&self) -> &Trends {
        &self.trends
    }
}

impl Trends {
    /// The places of the endpoints that restarted.
    pub(super) fn restarted(&self) -> &[usize] {
        &self.restarted
    }

    fn restart(&mut self, place: usize) {
        if !self.restarted.contains(&place) {
            self.restarted.push(place);
        }
    }

    fn push(&mut self, since: &Snapshot) {
        let report = Report::of(since, None, &Knowledge::default());
        let sides = report.rollouts.into_iter().flat_map(|rollout| {
            let name = rollout.name;
            rollout.sides.into_iter().map(move |side| (name.clone(), side.name, side.errors))
        });
        self.intervals.push_back(sides.filter(|(_, _, errors)| errors.of() > 0).collect());
        if self.intervals.len() > INTERVALS {
            self.intervals.pop_front();
        }
    }

    /// A sparkline for each side; one scale for all, so that they can be compared.
    pub(super) fn lines(&self, rollout: &Rollout) -> Vec<String> {
        let series = rollout.sides.iter().map(|side| {
            let find = |interval: &Interval| {
                let found = interval.iter().find(|it| it.0 == rollout.name && it.1 == side.name);
                found.and_then(|(_, _, errors)| errors.value())
            };
            (side.name.as_str(), self.intervals.iter().map(find).collect())
        });
        if self.intervals.is_empty() {
            Vec::new()
        } else {
            spark::lines(&series.collect::<Vec<_>>(), INTERVALS)
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "an instant can only be had from the clock")]
mod tests {
    use super::super::snapshot::Labels;
    use super::*;

    fn reading(requests: u64) -> Snapshot {
        let labels = [("rollout", "checkout"), ("variant", "canary")];
        let labels: Labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let mut snapshot = Snapshot::default();
        snapshot.add("canary_requests_total", labels.clone(), requests);
        snapshot.add("canary_weight_ppm", labels, 50_000);
        snapshot
    }

    /// What is shown after each of these, ten seconds apart, in a window of 20 s.
    fn watch(readings: Vec<Readings>) -> Vec<(u64, Span)> {
        let (mut history, start) = (History::new(Duration::from_secs(20)), Instant::now());
        let instants = (0..).map(|step| start + Duration::from_secs(10) * step);
        let shown = instants.zip(readings).map(|(now, readings)| {
            let (figures, span) = history.take(now, &readings);
            assert!(figures.gauge("canary_weight_ppm", &[]).is_some());
            (figures.count("canary_requests_total", &[]), span)
        });
        shown.collect()
    }

    #[test]
    fn the_window_slides() {
        let readings = [1_000, 1_001, 1_010, 1_110, 1_111].map(|requests| vec![Ok(reading(requests))]);
        let young = Span::Young { seconds: 10, window: 20 };
        let (full, totals) = (Span::Window { seconds: 20 }, Span::Totals);
        assert_eq!(
            watch(readings.into()),
            [(1_000, totals), (1, young), (10, full), (109, full), (101, full)]
        );
    }

    #[test]
    fn a_restart_is_neither_negative_nor_a_flood() {
        let counts = [1_000, 1_010, 7, 9].map(|requests| vec![Ok(reading(requests))]);
        let counts: Vec<_> = watch(counts.into()).into_iter().map(|(count, _)| count).collect();
        assert_eq!(counts, [1_000, 10, 10, 2]);
    }

    #[test]
    fn a_proxy_that_was_away_goes_on_where_it_was() {
        let gone = || Err(anyhow::anyhow!("gone"));
        let readings = vec![
            vec![Ok(reading(100)), gone()],
            vec![Ok(reading(101)), Ok(reading(500))],
            vec![Ok(reading(102)), gone()],
            vec![gone(), Ok(reading(530))],
        ];
        let counts: Vec<_> = watch(readings).into_iter().map(|(count, _)| count).collect();
        // One that is first read later brings no past with it.
        assert_eq!(counts, [100, 1, 2, 31]);
    }
}
