//! The instants at which weights change, as a table with a line for each.

use std::fmt::Write;

use canary_core::timeline::Instant;

use super::{Course, Future, percent, rfc3339};

/// One row, not padded yet: the instant, the weights, and whether it is past.
type Row = Vec<String>;

/// A heading and a table for the rollout, then for each rule under which weights change.
pub(super) fn text(future: &Future<'_>, now: Instant) -> String {
    let mut text = String::new();
    for course in &future.courses {
        let _ = match course.rule {
            None => writeln!(text, "{}", heading(future)),
            Some(rule) => writeln!(text, "\n  rule {}", rule.name),
        };
        push(&mut text, &rows(course, now));
    }
    text
}

fn heading(future: &Future<'_>) -> String {
    let rollout = future.rollout;
    let mut text = rollout.name.to_string();
    if let Some(release) = &rollout.release {
        let _ = write!(text, " (release {release})");
    }
    if let (false, Some(baseline)) = (rollout.enabled, rollout.variants.first()) {
        let _ = write!(text, ", not enabled: everyone gets {}", baseline.name);
    } else if rollout.observe {
        text.push_str(", observed: counted, but nothing is stamped or routed");
    }
    text
}

fn rows(course: &Course<'_>, now: Instant) -> Vec<Row> {
    let sides = course.rollout.variants.iter().map(|side| {
        let rolled_back = if side.rolled_back { " (rolled back)" } else { "" };
        format!("{}{rolled_back}", side.name)
    });
    let head = ["from".to_owned()].into_iter().chain(sides).chain([String::new()]).collect();
    let in_force = course.changes().take_while(|from| from.is_none_or(|from| from <= now)).last();
    let beginning = if course.changes().nth(1).is_none() { "always" } else { "before the first step" };
    let rows = course.changes().map(|from| {
        let when = match from {
            from if Some(from) == in_force => "<- now",
            Some(from) if from > now => "to come",
            _ => "past",
        };
        let weights = course.weights(from).map(|(_, ppm)| format!("{} %", percent(ppm)));
        let from = from.map_or_else(|| beginning.to_owned(), rfc3339);
        [from].into_iter().chain(weights).chain([when.to_owned()]).collect()
    });
    [head].into_iter().chain(rows).collect()
}

/// Weights stand on the right of their columns, so that their sizes can be seen.
fn push(text: &mut String, rows: &[Row]) {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max();
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let left = column == 0 || column + 1 == columns;
            let _ = if left { write!(line, "  {cell:<width$}") } else { write!(line, "  {cell:>width$}") };
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
}
