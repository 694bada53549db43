//! Which metrics a `PromQL` expression names.
//!
//! No parser, and it need not be one: whether an expression is `PromQL` says promtool. It knows
//! what stands between names: strings, labels, durations, numbers, functions, keywords.
//! It depends on nothing, so that other tests can include it.

use std::collections::BTreeSet;

/// Words of the language that stand where a name could.
const KEYWORDS: [&str; 8] = ["and", "or", "unless", "bool", "offset", "atan2", "inf", "nan"];

/// Behind these stands a list of labels.
const BEFORE_LABELS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// Every name of a metric in an expression, once.
pub(crate) fn metric_names(expression: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut rest = expression;
    loop {
        let word = first_word(rest);
        let mut chars = rest.chars();
        let Some(first) = chars.next() else { return names };
        if word.is_empty() {
            let inside = chars.as_str();
            rest = match first {
                '"' | '\'' | '`' => after_string(inside, first),
                '{' => after_labels(inside),
                '[' => after(inside, ']'),
                _ => inside,
            };
            continue;
        }
        rest = rest.strip_prefix(word).unwrap_or_default();
        let next = rest.trim_start();
        if BEFORE_LABELS.contains(&word) {
            if next.starts_with('(') {
                rest = after(next, ')');
            }
        } else if !first.is_ascii_digit() && !KEYWORDS.contains(&word) && !is_function(next) {
            names.insert(word.to_owned());
        }
    }
}

/// What a histogram's series are called without their suffix.
pub(crate) fn histogram(name: &str) -> Option<&str> {
    ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix))
}

/// What an expression begins with: a name, a keyword, a number with its unit; or nothing.
fn first_word(text: &str) -> &str {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':').next().unwrap_or_default()
}

/// Whether the word before was a function's, or an aggregation's with its labels in front.
fn is_function(next: &str) -> bool {
    next.starts_with('(') || ["by", "without"].contains(&first_word(next))
}

fn after(text: &str, end: char) -> &str {
    text.split_once(end).map_or("", |(_, after)| after)
}

fn after_string(inside: &str, quote: char) -> &str {
    let mut chars = inside.chars();
    let mut escaped = false;
    for c in chars.by_ref() {
        if c == quote && !escaped {
            break;
        }
        escaped = c == '\\' && !escaped && quote != '`';
    }
    chars.as_str()
}

fn after_labels(inside: &str) -> &str {
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        match c {
            '}' => break,
            '"' | '\'' | '`' => chars = after_string(chars.as_str(), c).chars(),
            _ => {}
        }
    }
    chars.as_str()
}

pub(crate) fn names_are_found_between_functions_labels_and_durations() {
    let names = |expression| metric_names(expression).into_iter().collect::<Vec<_>>();
    assert_eq!(names("sum by (a, b) (rate(x_total{c=\"}y_total\", d=~'z'}[5m])) / 1e6"), ["x_total"]);
    assert_eq!(names("sum(x) by (a) > bool 0.5 and on (b) (y offset 30m)"), ["x", "y"]);
    assert_eq!(names("l:x:rate5m * on (a) group_left (b) max without (c) (y) == inf"), ["l:x:rate5m", "y"]);
    assert_eq!(names(r#"count_values("a\"b", x{c="\\"}) unless y{} or - z"#), ["x", "y", "z"]);
    assert_eq!(names("a and on () b group_left_total"), ["a", "b", "group_left_total"]);
    assert_eq!(names("time() - 5 * vector(1)"), [""; 0]);
    assert_eq!(histogram("x_ms_bucket"), Some("x_ms"));
    assert_eq!(histogram("x_total"), None);
}
