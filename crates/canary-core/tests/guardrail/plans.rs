//! How long it takes.

use canary_core::guardrail::plan::{Case, Plan, expected};

use crate::support::errors;

fn case(baseline_rate: f64, variant_rate: f64, share: f64, rate: f64) -> Case {
    Case { baseline_rate, variant_rate, share, rate }
}

fn requests(ratio: f64, case: Case) -> f64 {
    match expected(&errors(ratio), case) {
        Plan::Found { requests, seconds } => {
            assert!((seconds - requests / (case.share * case.rate)).abs() < 1e-6);
            requests
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_is_the_planning_formula_for_small_shares() {
    let formula = (100_f64.ln() + 12_f64.ln()) / (0.01 * (2.0 * 2_f64.ln() - 1.0));
    assert!((requests(1.0, case(0.01, 0.02, 1e-4, 1e4)) / formula - 1.0).abs() < 0.01);
}

#[test]
fn it_is_a_little_above_what_is_measured() {
    let measured = [
        (1.0, 0.01, 0.02, 0.01, 1_448.0),
        (1.0, 0.01, 0.02, 0.1, 1_714.0),
        (1.0, 0.01, 0.05, 0.1, 199.0),
        (1.25, 0.01, 0.02, 0.1, 3_586.0),
    ];
    for (ratio, stable, canary, share, median) in measured {
        let off = requests(ratio, case(stable, canary, share, 100.0)) / median;
        assert!((0.9..1.35).contains(&off), "{ratio}, {stable}, {canary}, {share}: {off}");
    }
}

#[test]
fn a_canary_of_a_ten_thousandth_is_too_small() {
    let plan = expected(&errors(1.25), case(0.01, 0.02, 0.0001, 50.0));
    assert!(matches!(plan, Plan::TooSmall { .. }), "{plan:?}");
}

#[test]
fn what_is_borne_or_cannot_be_is_never_found() {
    for (stable, canary, share, rate) in [
        (0.01, 0.01, 0.1, 100.0),
        (0.01, 0.012, 0.1, 100.0),
        (0.0001, 0.0005, 0.1, 100.0),
        (0.01, 0.02, 0.0, 100.0),
        (0.01, 0.02, 1.0, 100.0),
        (0.01, 0.02, 0.1, 0.0),
        (0.0, 0.02, 0.1, 100.0),
        (f64::NAN, 0.02, 0.1, 100.0),
        (0.01, f64::NAN, 0.1, 100.0),
        (0.01, 0.02, f64::NAN, 100.0),
    ] {
        assert_eq!(expected(&errors(1.25), case(stable, canary, share, rate)), Plan::Never);
    }
}

#[test]
fn the_guards_have_their_minimum() {
    assert!((requests(1.25, case(0.001, 0.9, 0.01, 100.0)) - 50.0).abs() < 1e-9);
}
