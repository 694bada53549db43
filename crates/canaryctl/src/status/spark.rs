//! Sparklines: one character for each interval.

use std::env;

use super::words::percent;

/// From nothing to the top.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 8] = ['_', '.', '.', ':', ':', '|', '|', '#'];

/// One side's values, the newest last; `None` where there was nothing to take a ratio of.
type Series<'s> = (&'s str, Vec<Option<f64>>);

/// A heading with the scale, and a line for each side.
pub(super) fn lines(series: &[Series<'_>], width: usize) -> Vec<String> {
    draw(series, width, if has_blocks() { BLOCKS } else { ASCII })
}

fn draw(series: &[Series<'_>], width: usize, ink: [char; 8]) -> Vec<String> {
    let values = series.iter().flat_map(|(_, values)| values.iter().flatten());
    let top = values.copied().fold(0.0, f64::max);
    let name = series.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let heading = if top > 0.0 {
        format!("  errors by interval, the highest {}", percent(top))
    } else {
        "  errors by interval: none".to_owned()
    };
    let line = |(side, values): &Series<'_>| {
        let cells: String = values.iter().map(|value| cell(*value, top, ink)).collect();
        let last = values.last().copied().flatten().map(percent).unwrap_or_default();
        format!("  {side:<name$}  {cells:>width$}  {last}").trim_end().to_owned()
    };
    [String::new(), heading].into_iter().chain(series.iter().map(line)).collect()
}

/// A ratio above zero is never drawn as zero.
fn cell(value: Option<f64>, top: f64, ink: [char; 8]) -> char {
    let Some(value) = value else { return ' ' };
    // How many of the seven steps above the floor it takes.
    let steps = (1_u8..=7).filter(|step| value > 0.0 && value / top * 7.0 > f64::from(*step) - 1.0);
    ink.get(steps.count()).copied().unwrap_or(' ')
}

/// Whether the locale says that the terminal can show blocks.
fn has_blocks() -> bool {
    let set = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let name = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find(set).and_then(env::var_os);
    let locale = name.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sides_have_one_scale() {
        let series = [
            ("stable", vec![None, Some(0.0), Some(0.001)]),
            ("canary", vec![Some(0.02), Some(0.035), Some(0.07)]),
        ];
        let lines = draw(&series, 4, BLOCKS);
        assert_eq!(
            lines[1..],
            ["  errors by interval, the highest 7.00 %", "  stable    ▁▂  0.10 %", "  canary   ▃▅█  7.00 %"]
        );
    }

    #[test]
    fn no_errors_are_a_flat_line() {
        let lines = draw(&[("stable", vec![Some(0.0); 3])], 3, ASCII);
        assert_eq!(lines[1..], ["  errors by interval: none", "  stable  ___  0 %"]);
    }
}
