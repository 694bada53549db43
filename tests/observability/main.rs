//! `envoy/prometheus` and `envoy/grafana`: what is shipped to watch releases with.
//!
//! Rules and queries are run by `promtool` (`PROMTOOL`, or on the path; in Debian's package
//! `prometheus`). Without it the tests that need it are listed as ignored and a line says why;
//! with `CI=true` that is a failure.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod dashboard;
mod exported;
mod metric_names;
mod promtool;
mod rules;
mod unit_tests;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use serde_json::Value;

use promtool::Promtool;

/// A path in the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A text file of the repository.
fn text(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A file of YAML (JSON is YAML) as JSON.
fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The entries of a list; none where there is none.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text in a file of YAML or JSON.
fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// Tests by their functions' names.
macro_rules! trials {
    ($($module:ident::$test:ident,)*) => {
        vec![$(Trial::test(concat!(stringify!($module), "::", stringify!($test)), || {
            $module::$test();
            Ok(())
        })),*]
    };
}

/// Tests that need promtool; ignored where there is none.
macro_rules! with_promtool {
    ($promtool:expr, $($module:ident::$test:ident,)*) => {
        vec![$({
            let promtool: Option<Promtool> = $promtool.clone();
            let ignored = promtool.is_none();
            Trial::test(concat!(stringify!($module), "::", stringify!($test)), move || {
                $module::$test(&promtool.expect("ignored where there is none"));
                Ok(())
            })
            .with_ignored_flag(ignored)
        }),*]
    };
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.ignored = false;
    arguments.include_ignored = false;
    let promtool = Promtool::find();
    if promtool.is_none() {
        eprintln!("skipped: observability: no promtool (PROMTOOL, or install the package prometheus)");
        if std::env::var("CI").is_ok_and(|ci| ci == "true") {
            eprintln!("with CI=true nothing may be skipped");
            return ExitCode::FAILURE;
        }
    }
    let mut trials = with_promtool![
        promtool,
        unit_tests::the_rules_fire_and_do_not_fire_as_their_tests_say,
        rules::promtool_accepts_the_configuration,
        rules::promtool_accepts_the_rules_with_other_windows,
        rules::promtool_refuses_a_rule_that_does_not_parse,
        dashboard::every_query_parses,
    ];
    trials.extend(trials![
        unit_tests::every_alert_is_tested_for_firing_and_for_not_firing,
        unit_tests::all_files_of_rules_are_tested,
        rules::every_alert_has_a_severity_a_summary_and_a_section_in_the_runbook,
        rules::the_runbook_has_no_section_for_an_alert_that_is_gone,
        rules::every_metric_in_a_rule_is_exported_or_recorded,
        rules::every_recorded_series_is_read,
        rules::no_rule_knows_a_name,
        rules::the_readme_names_every_rule,
        rules::the_readmes_command_wraps_the_rules_for_the_operator,
        dashboard::every_metric_in_a_query_is_exported_or_recorded,
        dashboard::every_exported_metric_is_on_the_dashboard,
        dashboard::every_panel_says_what_it_shows,
        dashboard::rollout_and_geo_are_variables_and_panels_are_apart,
        dashboard::the_provisioning_finds_the_dashboard,
        metric_names::names_are_found_between_functions_labels_and_durations,
        exported::a_table_in_the_documentation_is_read,
    ]);
    libtest_mimic::run(&arguments, trials).exit_code()
}
