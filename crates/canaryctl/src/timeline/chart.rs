//! Weights over time, drawn in a terminal: a band of blocks for each variant whose weight
//! changes, one above the other over the same time.

use std::env;
use std::fmt::Write;

use canary_core::bucket::MILLION;
use canary_core::timeline::Instant;

use super::{Course, Future, percent, rfc3339};

/// Columns of a band, without what stands on its left.
const COLUMNS: u8 = 60;

/// How wide that is.
const MARGIN: usize = 9;

/// Heights that a cell can show.
const LEVELS: u32 = 8;

const DAY: i64 = 86_400;

/// Where the scale may end, in parts per million; what no weight exceeds is taken.
const TOPS: [u32; 10] = [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, MILLION];

/// The time that is drawn: `from .. to`, at least a second.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: Instant,
    to: Instant,
}

/// One variant under one course.
#[derive(Clone, Copy, Debug)]
struct Band<'p> {
    course: Course<'p>,
    /// Its place among the sides.
    slot: usize,
}

/// How high a weight is drawn.
#[derive(Clone, Copy, Debug)]
struct Scale {
    /// The weight that fills all rows.
    top: u32,
    rows: u32,
}

/// What is drawn with.
#[derive(Debug)]
struct Ink {
    /// From an empty cell to a full one.
    cells: [char; 9],
    side: char,
    corner: char,
    floor: char,
    now: char,
}

/// The chart, or the reason why there is none; without a last line feed.
pub(super) fn text(future: &Future<'_>, from: Instant, days: Option<u32>, now: Instant) -> String {
    let Some(last) = future.last_change() else {
        return "No weight changes, so there is no chart.".to_owned();
    };
    let Some(next) = future.next_change(from) else {
        return format!("No weight changes after {}, so there is no chart.", rfc3339(from));
    };
    let to = match days {
        Some(days) => from + DAY * i64::from(days),
        None => last + ((last - from) / 20).max(1),
    };
    if next >= to {
        let (from, to, next) = (rfc3339(from), rfc3339(to), rfc3339(next));
        return format!(
            "No weight changes from {from} to {to}, so there is no chart; the next change is at {next}."
        );
    }
    draw(future, Span { from, to }, now, &Ink::of_locale())
}

fn draw(future: &Future<'_>, span: Span, now: Instant, ink: &Ink) -> String {
    let bands = bands(future, span);
    let scale = Scale::of(&bands, span);
    let mut text = String::new();
    for band in &bands {
        let _ = writeln!(text, "{:MARGIN$} {}", "", band.legend());
        push(&mut text, band, span, scale, ink);
    }
    let half = usize::from(COLUMNS / 2);
    let _ = write!(text, "{:MARGIN$} {:<half$}{:>half$}", "", rfc3339(span.from), rfc3339(span.to));
    if let Some(column) = span.column(now) {
        let _ = write!(text, "\n{:MARGIN$} {:column$}{} now", "", "", ink.now);
    }
    text
}

/// One band: its rows from the top to the floor, with the scale on the left.
fn push(text: &mut String, band: &Band<'_>, span: Span, scale: Scale, ink: &Ink) {
    let heights: Vec<_> =
        (0..COLUMNS).map(|column| scale.height(band.weight(span.last_of(column)))).collect();
    for row in (0..scale.rows).rev() {
        let cells: String =
            heights.iter().map(|height| ink.cell(height.saturating_sub(row * LEVELS))).collect();
        let line = format!("{:>8} {}{cells}", scale.label(row), ink.side);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let floor: String = (0..COLUMNS).map(|_| ink.floor).collect();
    let _ = writeln!(text, "{:>8} {}{floor}", "0 %", ink.corner);
}

/// Those whose weights change; the tables tell of the others.
fn bands<'p>(future: &Future<'p>, span: Span) -> Vec<Band<'p>> {
    let all = future.courses.iter().flat_map(|course| {
        let slots = 1..course.rollout.variants.len();
        slots.map(|slot| Band { course: *course, slot })
    });
    all.filter(|band| {
        let mut weights = band.weights(span);
        let first = weights.next();
        weights.any(|weight| Some(weight) != first)
    })
    .collect()
}

impl Span {
    /// In which column an instant is.
    fn column(self, at: Instant) -> Option<usize> {
        let inside = (self.from..self.to).contains(&at);
        let column = (at - self.from) * i64::from(COLUMNS) / (self.to - self.from);
        inside.then_some(column).and_then(|column| usize::try_from(column).ok())
    }

    /// The last instant in a column. Its weight is drawn, so that a step is drawn from the
    /// column on that it is in.
    fn last_of(self, column: u8) -> Instant {
        let seconds = (self.to - self.from) * (i64::from(column) + 1);
        self.from + (seconds - 1).div_euclid(i64::from(COLUMNS))
    }
}

impl Band<'_> {
    fn weight(&self, at: Instant) -> u32 {
        self.course.weights(Some(at)).nth(self.slot).map_or(0, |(_, ppm)| ppm)
    }

    /// What it has in a span, one after the other.
    fn weights(&self, span: Span) -> impl Iterator<Item = u32> {
        let changes = self.course.timeline.changes().filter(move |at| span.from < *at && *at < span.to);
        [span.from].into_iter().chain(changes).map(|at| self.weight(at))
    }

    fn legend(&self) -> String {
        let Some(variant) = self.course.rollout.variants.get(self.slot) else { return String::new() };
        let rolled_back = if variant.rolled_back { " (rolled back)" } else { "" };
        let rule = self.course.rule.map(|rule| format!(", rule {}", rule.name));
        format!("{}{rolled_back}{}", variant.name, rule.unwrap_or_default())
    }
}

impl Scale {
    /// One for all bands, so that they can be compared.
    fn of(bands: &[Band<'_>], span: Span) -> Self {
        let highest = bands.iter().flat_map(|band| band.weights(span)).max().unwrap_or_default();
        let top = TOPS.into_iter().find(|top| *top >= highest).unwrap_or(MILLION);
        let rows = match bands.len() {
            ..=1 => 10,
            2 => 6,
            _ => 4,
        };
        Self { top, rows }
    }

    /// In levels; whoever has some users can be seen.
    fn height(self, ppm: u32) -> u32 {
        let height = (ppm * self.rows * LEVELS + self.top / 2) / self.top;
        height.max(u32::from(ppm > 0))
    }

    /// The weight at the upper edge of a row, in the middle and at the top.
    fn label(self, row: u32) -> String {
        match row + 1 {
            edge if edge == self.rows => format!("{} %", percent(self.top)),
            edge if edge * 2 == self.rows => format!("{} %", percent(self.top / 2)),
            _ => String::new(),
        }
    }
}

impl Ink {
    const BLOCKS: Self = Self {
        cells: [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
        side: '│',
        corner: '└',
        floor: '─',
        now: '▲',
    };

    const ASCII: Self = Self {
        cells: [' ', '.', '.', '.', ':', ':', ':', ':', '#'],
        side: '|',
        corner: '+',
        floor: '-',
        now: '^',
    };

    /// Blocks where the locale says that the terminal can show them.
    fn of_locale() -> Self {
        let set = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let name = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find(set).and_then(env::var_os);
        let locale = name.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") { Self::BLOCKS } else { Self::ASCII }
    }

    /// A cell that is filled to a level, or more.
    fn cell(&self, level: u32) -> char {
        let full = self.cells.last();
        usize::try_from(level).ok().and_then(|level| self.cells.get(level)).or(full).copied().unwrap_or(' ')
    }
}
