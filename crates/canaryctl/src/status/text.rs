//! A picture as lines for people: at most 100 columns with usual names.

use std::fmt::Write;

use super::frame::{Frame, Span};
use super::report::{Rollout, Side};
use super::statistics::Ratio;
use super::verdict::{Finding, Verdict};
use super::words::{self, percent};

/// How wide lines may become.
const WIDTH: usize = 100;

/// One line, and how much it asks to be seen.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) tone: Tone,
}

/// Colours are for what needs somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Suspicious,
    Bad,
}

/// One row of a table, not padded yet.
type Row = Vec<String>;

/// The whole picture.
pub(super) fn lines(frame: &Frame<'_>) -> Vec<Line> {
    let mut lines: Vec<_> = heading(frame).into_iter().map(plain).collect();
    lines.extend(frame.unreadable().into_iter().map(|text| Line { text, tone: Tone::Bad }));
    lines.extend(frame.notes().map(|text| Line { text, tone: Tone::Suspicious }));
    for rollout in &frame.report.rollouts {
        lines.push(plain(String::new()));
        lines.push(plain(rollout.name.clone()));
        lines.extend(block(frame, rollout));
    }
    lines
}

/// Of when and of whom the figures are; several proxies have lines of their own.
fn heading(frame: &Frame<'_>) -> Vec<String> {
    let when = match frame.span {
        Span::Totals => "Totals since Envoy started".to_owned(),
        Span::Young { seconds, window } => {
            format!("Since the watch began, {seconds} s ago (its window is {})", duration(window))
        }
        Span::Window { seconds } => format!("The last {}", duration(seconds)),
    };
    let names: Vec<_> = frame.read().iter().map(ToString::to_string).collect();
    match (names.as_slice(), frame.endpoints.len()) {
        ([name], 1) => vec![format!("{when}, from {name}")],
        (names, all) => {
            let read = if names.len() == all { String::new() } else { format!("{} of ", names.len()) };
            let heading = format!("{when}, from {read}{all} proxies:");
            [heading].into_iter().chain(wrapped(names)).collect()
        }
    }
}

/// Names with commas between them, on as many lines as they need.
fn wrapped(names: &[String]) -> Vec<String> {
    let mut lines = Vec::<String>::new();
    for name in names {
        match lines.last_mut() {
            Some(line) if line.len() + name.len() + 2 <= WIDTH => *line = format!("{line}, {name}"),
            _ => lines.push(format!("  {name}")),
        }
    }
    lines
}

fn duration(seconds: u64) -> String {
    if seconds.is_multiple_of(60) { format!("{} min", seconds / 60) } else { format!("{seconds} s") }
}

fn block(frame: &Frame<'_>, rollout: &Rollout) -> Vec<Line> {
    let head = ["side", "weight", "share", "expected", "requests", "errors", "95 %", "p50", "p90", "p99"];
    let rows = rollout.sides.iter().map(row);
    let rows: Vec<_> = [head.map(str::to_owned).to_vec()].into_iter().chain(rows).collect();
    let mut lines = table(&rows);
    lines.extend(events(rollout));
    lines.extend(frame.sparklines(rollout).into_iter().map(plain));
    lines.push(plain(String::new()));
    let width = rollout.sides.iter().map(|side| side.name.len()).max().unwrap_or_default();
    lines.extend(rollout.findings.iter().map(|finding| said(finding, width)));
    lines
}

fn row(side: &Side) -> Row {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let quantile = |share| or_none(side.latency.quantile(share).map(words::quantile));
    vec![
        side.name.clone(),
        or_none(side.weight.map(words::weight)),
        or_none(side.share.map(percent)),
        or_none(side.expected_share.map(|expected| words::interval(expected.interval))),
        words::count(side.requests),
        or_none(side.errors.value().map(percent)),
        or_none(side.errors.interval().map(words::interval)),
        quantile(0.5),
        quantile(0.9),
        quantile(0.99),
    ]
}

/// A row for each event, a column for each side.
fn events(rollout: &Rollout) -> Vec<Line> {
    let names = rollout.events();
    if names.is_empty() {
        return Vec::new();
    }
    let sides = rollout.sides.iter().map(|side| side.name.clone());
    let head = ["events".to_owned()].into_iter().chain(sides).collect();
    let rows = names.into_iter().map(|name| {
        let rates = rollout.sides.iter().map(|side| rate(side.event(name)));
        [name.to_owned()].into_iter().chain(rates).collect()
    });
    let rows: Vec<_> = [head].into_iter().chain(rows).collect();
    [plain(String::new())].into_iter().chain(table(&rows)).collect()
}

fn rate(ratio: Ratio) -> String {
    ratio.value().map_or_else(|| "-".to_owned(), percent)
}

/// Numbers stand on the right of their columns.
fn table(rows: &[Row]) -> Vec<Line> {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max();
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &Row| {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ =
                if column == 0 { write!(line, "  {cell:<width$}") } else { write!(line, "  {cell:>width$}") };
        }
        plain(line.trim_end().to_owned())
    };
    rows.iter().map(line).collect()
}

fn said(finding: &Finding, width: usize) -> Line {
    let side = finding.side.as_deref().unwrap_or("all");
    let tone = match finding.verdict {
        Verdict::Worse | Verdict::Off => Tone::Bad,
        Verdict::Unproven => Tone::Suspicious,
        Verdict::TooFew | Verdict::Same | Verdict::Better | Verdict::Note => Tone::Plain,
    };
    let width = width.max("all".len());
    Line { text: format!("  {side:<width$}  {}", finding.text), tone }
}

fn plain(text: String) -> Line {
    Line { text, tone: Tone::Plain }
}
