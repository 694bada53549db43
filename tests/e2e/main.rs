//! The built filter in a real Envoy: what users are promised, seen from outside.
//!
//! `ENVOY` names the binary and `CANARY_WASM` the filter (`make test` sets both). Without them
//! every test is listed as ignored and a line says why; with `CI=true` that is a failure.
//! Each test boots an Envoy of its own on free ports, so any two can run side by side.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod anonymous;
mod bad_policy;
mod boot;
mod coherence;
mod compose;
mod counts;
mod dead_vm;
mod demo;
mod differential;
mod empty;
mod exclude;
mod figures;
mod flags;
mod guardrail;
mod hostile;
mod hot_updates;
mod inner;
mod istio;
mod observe;
mod overrides;
mod prometheus;
mod ramp;
mod rollback;
mod scene;
mod schedule;
mod segments;
mod spoof;
mod strict;
mod visitors;
mod workers;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// Each Envoy has threads of its own: more at a time would only wait for each other.
const AT_ONCE: usize = 2;

/// The one test that needs a third thing.
const EXPLAIN: &str = "differential::canaryctl_explains_what_envoy_does";

/// Those that need a Prometheus.
const PROMETHEUS: [&str; 2] = [
    "prometheus::errors_of_the_canary_fire_their_alert_alone_and_an_a_a_run_none",
    "prometheus::a_slower_canary_fires_its_alert_alone",
];

/// Tests by their functions' names.
macro_rules! trials {
    ($($module:ident::$test:ident,)*) => {
        vec![$(Trial::test(concat!(stringify!($module), "::", stringify!($test)), || {
            $module::$test();
            Ok(())
        })),*]
    };
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    // The long ones first, so that none of them runs alone at the end.
    let mut trials = trials![
        prometheus::errors_of_the_canary_fire_their_alert_alone_and_an_a_a_run_none,
        prometheus::a_slower_canary_fires_its_alert_alone,
        hot_updates::no_request_fails_and_nobody_moves_while_policies_are_pushed_under_load,
        differential::envoy_decides_as_the_core_under_the_example_policies,
        differential::canaryctl_explains_what_envoy_does,
        ramp::a_renamed_file_changes_the_share_within_a_second,
        schedule::steps_come_into_force_by_themselves_and_move_users_into_the_canary_only,
        schedule::a_step_that_is_due_waits_for_the_end_of_the_freeze,
        rollback::a_rollback_moves_the_variants_users_to_the_baseline_and_nobody_else,
        rollback::gauges_of_a_rollout_that_left_the_policy_go_to_zero,
        workers::two_workers_agree_with_each_other_and_with_the_core,
        demo::the_demo_stamps_logs_and_counts_as_the_core_decides,
        bad_policy::a_bad_policy_leaves_the_last_good_one_serving,
        bad_policy::each_problem_is_logged_once_and_not_by_every_vm,
        bad_policy::a_vm_built_anew_takes_over_the_last_good_policy,
        boot::the_default_configuration_serves_before_there_is_a_policy,
        boot::a_bad_policy_at_boot_means_all_stable_until_a_good_one_comes,
        boot::problems_of_a_policy_at_boot_are_logged_once,
        strict::a_strict_filter_refuses_a_bad_policy_and_keeps_the_old_one,
        strict::a_refused_policy_at_boot_leaves_the_default_configuration,
        strict::a_policy_rendered_strict_refuses_without_the_environment,
        anonymous::at_100_percent_those_without_identity_follow,
        anonymous::below_100_percent_those_without_identity_stay_on_stable,
        spoof::a_client_cannot_stamp_itself_into_the_canary,
        spoof::a_client_cannot_stamp_itself_where_there_are_no_rollouts,
        spoof::the_filter_itself_removes_stamps_where_nothing_else_does,
        dead_vm::a_dead_vm_serves_stable_whatever_a_client_stamps,
        hostile::no_bytes_of_a_client_stop_the_filter,
        guardrail::one_client_a_dead_baseline_and_the_clients_own_errors_trip_nothing,
        guardrail::a_canary_that_fails_half_its_requests_is_rolled_back_within_three_seconds,
        guardrail::a_rollback_survives_edits_and_new_vms_and_ends_by_a_resume_or_a_release,
        guardrail::a_canary_whose_grpc_calls_fail_in_their_trailers_is_rolled_back,
        guardrail::a_canary_whose_errors_are_hidden_by_retries_is_rolled_back,
        guardrail::a_canary_that_hangs_is_rolled_back,
        counts::stats_equal_the_requests_sent,
        figures::every_counter_equals_what_was_sent,
        figures::absurd_geos_events_and_loads_make_no_series_and_take_no_memory,
        figures::a_websocket_is_an_active_stream_until_it_ends,
        figures::what_goes_elsewhere_than_the_variant_says_is_counted,
        counts::a_request_in_flight_is_counted_though_its_vm_is_replaced,
        counts::counters_go_on_though_every_vm_is_replaced,
        counts::a_client_that_goes_away_counts_as_no_response,
        istio::the_wasm_plugins_configuration_decides_as_istio_sends_it,
        empty::no_configuration_is_all_stable_and_warned_about_once,
        empty::an_object_as_a_string_value_is_all_stable_or_refused,
        compose::the_rewritten_bootstrap_of_the_container_serves,
        schedule::a_step_that_is_due_does_not_come_into_force_outside_of_its_windows,
        segments::a_segment_in_a_rule_pins_those_who_are_in_it,
        segments::an_ignored_identity_is_none_and_the_next_source_is_asked,
        overrides::a_token_in_the_header_the_cookie_or_the_query_forces_its_side,
        overrides::no_token_reaches_the_upstream_whatever_it_is_worth,
        overrides::a_token_that_is_worth_nothing_changes_nothing_and_is_counted,
        overrides::without_a_key_every_token_is_refused_and_that_is_logged_once,
        visitors::a_visitor_who_brings_the_cookie_back_stays_on_one_side,
        visitors::a_cookie_is_issued_with_pages_to_those_who_have_none_that_is_good,
        visitors::new_visitors_are_shared_by_weight,
        visitors::what_the_upstream_says_of_cookies_and_caches_survives,
        flags::a_part_of_the_variants_users_has_the_feature_and_services_are_told,
        flags::a_client_cannot_give_itself_a_feature,
        observe::an_observed_rollout_counts_and_logs_and_nobody_notices,
        observe::an_observed_rollout_lets_no_stamps_of_a_client_through,
        exclude::excluded_requests_get_the_baseline_and_are_in_no_figure_of_a_variant,
        coherence::an_inner_proxy_follows_the_edge_where_it_trusts_it,
        coherence::an_inner_proxy_follows_the_baggage_where_the_stamps_are_lost,
        coherence::baggage_of_others_survives_and_a_clients_decision_does_not,
        coherence::baggage_in_several_headers_is_no_way_around_the_edge,
        inner::an_inner_proxy_keeps_the_stamps_of_rollouts_that_it_does_not_know,
    ];
    let skipped = skipped();
    for (what, why) in &skipped {
        eprintln!("skipped: {what}: run make test ({why})");
    }
    if !skipped.is_empty() && std::env::var("CI").is_ok_and(|ci| ci == "true") {
        eprintln!("with CI=true nothing may be skipped");
        return ExitCode::FAILURE;
    }
    let is_skipped = |trial: &Trial| skipped.iter().any(|(what, _)| *what == "e2e" || *what == trial.name());
    trials = trials
        .into_iter()
        .map(|trial| {
            let ignored = is_skipped(&trial);
            trial.with_ignored_flag(ignored)
        })
        .collect();
    // Asked to run what is ignored, there is still nothing to run it with.
    arguments.ignored = false;
    arguments.include_ignored = false;
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// What cannot be run here, all of it or a test, and why.
fn skipped() -> Vec<(&'static str, String)> {
    if let Some(missing) = scene::missing() {
        return vec![("e2e", format!("{missing} not set"))];
    }
    let mut skipped = Vec::new();
    if differential::canaryctl().is_none() {
        skipped.push((EXPLAIN, "canaryctl is not built".to_owned()));
    }
    if prometheus::binary().is_none() {
        let why = "no prometheus: PROMETHEUS, or install the package prometheus";
        skipped.extend(PROMETHEUS.map(|test| (test, why.to_owned())));
    }
    skipped
}
