//! Against values of `SciPy` 1.17: `binomtest(k, n).proportion_ci(0.95, "wilson")`,
//! `fisher_exact(table, alternative)`, `chisquare(observed, expected)`.

use super::*;

fn close(ours: f64, theirs: f64) {
    let off = (ours - theirs).abs();
    assert!(off <= theirs.abs() * 1e-6 + 1e-12, "{ours} is not {theirs}");
}

#[test]
fn wilson_intervals_are_those_of_scipy() {
    for (hits, of, low, high) in [
        (0, 50, 0.0, 0.071_347_599_133_358_72),
        (1, 50, 0.003_539_259_271_646_222_3, 0.104_954_435_896_378_14),
        (9, 1000, 0.004_742_060_667_477_062_5, 0.017_015_816_165_338_07),
        (21, 1000, 0.013_775_739_567_924_29, 0.031_890_295_061_237_53),
        (50, 50, 0.928_652_400_866_641_2, 1.0),
        (1, 1_000_000, 1.765_245_767_453_709e-7, 5.664_911_804_311_442e-6),
    ] {
        let interval = Ratio::new(hits, of).interval().unwrap();
        close(interval.low, low);
        close(interval.high, high);
    }
    assert_eq!(Ratio::new(0, 0).interval(), None);
}

#[test]
fn one_sided_exact_tests_are_those_of_scipy() {
    for (hits, of, other_hits, other_of, greater, less) in [
        (21, 1000, 9, 1000, 0.020_620_618_676_723_23, 0.992_323_413_483_746_5),
        (9, 1000, 21, 1000, 0.992_323_413_483_746_5, 0.020_620_618_676_723_23),
        (10, 10, 0, 100, 2.132_303_612_691_331_5e-14, 1.0),
        (0, 500, 0, 500, 1.0, 1.0),
        (3, 60, 1, 1000, 0.000_663_550_197_715_170_4, 0.999_990_677_258_745_5),
        (0, 50, 3, 50, 1.0, 0.121_212_121_212_121_22),
        (5, 200, 100, 4000, 0.565_968_706_665_582_5, 0.616_113_212_864_182_1),
        (2_100, 100_000, 1_900, 100_000, 0.000_738_945_222_617_290_1, 0.999_338_522_303_973_1),
        // Millions are as exact and as fast.
        (20_500, 1_000_000, 380_000, 19_000_000, 0.000_266_452_986_342_272_16, 0.999_740_658_488_143_9),
    ] {
        let (side, other) = (Ratio::new(hits, of), Ratio::new(other_hits, other_of));
        close(side.above(other), greater);
        close(side.below(other), less);
    }
}

#[test]
fn nothing_is_known_where_nothing_was_counted() {
    let none = Ratio::new(0, 0);
    close(none.above(Ratio::new(3, 10)), 1.0);
    close(Ratio::new(3, 10).above(none), 1.0);
    close(none.below(none), 1.0);
}

#[test]
fn chi_square_is_that_of_scipy() {
    for (counts, p) in [
        (&[(950, 950), (50, 50)][..], 1.0),
        (&[(930, 950), (70, 50)], 0.003_709_009_990_974_805_3),
        (&[(900, 900), (60, 50), (40, 50)], 0.135_335_283_236_612_7),
        (&[(100, 90), (20, 30), (30, 20), (10, 20)], 0.002_358_567_160_311_317_4),
        (&[(96_000, 95_000), (4_000, 5_000)], 1.054_482_283_967_349_3e-47),
        // A side that nobody is to be on, and nobody is.
        (&[(930, 950), (70, 50), (0, 0)], 0.003_709_009_990_974_805_3),
    ] {
        close(chi_square(counts).unwrap(), p);
    }
}

#[test]
fn chi_square_says_nothing_of_few() {
    assert_eq!(chi_square(&[(96, 96), (4, 4)]), None);
    assert_eq!(chi_square(&[(100, 100)]), None);
    assert_eq!(chi_square(&[]), None);
}

#[test]
fn an_expected_share_narrows_with_the_sample() {
    // 0.05 ± 1.96 √(0.05 · 0.95 / 10 000)
    let interval = expected_interval(0.05, 10_000);
    close(interval.low, 0.045_728_356_273_203_58);
    close(interval.high, 0.054_271_643_726_796_43);
    assert_eq!(expected_interval(0.0, 10), Interval { low: 0.0, high: 0.0 });
    assert_eq!(expected_interval(0.5, 0), Interval { low: 0.0, high: 1.0 });
}
