//! What holds for every policy and every user.

use crate::support::{get, variant, with_rollouts};
use canary_core::bucket::{MILLION, Point, Salt};
use canary_core::policy::Policy;
use canary_core::split::{Split, VariantId, Weight};
use proptest::prelude::*;

fn split(ppm: &[u32]) -> Split {
    let weights: Vec<Weight> = ppm.iter().map(|ppm| weight(*ppm)).collect();
    Split::try_new(&weights).unwrap()
}

fn weight(ppm: u32) -> Weight {
    Weight::from_percent(f64::from(ppm) / 1e4).unwrap()
}

/// Points that see every border of a layout: one in each of 20,000 equal parts.
fn circle() -> impl Iterator<Item = Point> {
    (0..20_000_u64).map(|i| Point::new(i * (u64::MAX / 20_000)))
}

/// The size of each variant's stripe, where all of them are declared.
fn stripes(variants: usize) -> Vec<u32> {
    let mut anchors: Vec<(u32, usize)> = (0..variants)
        .map(|i| ((0..6).filter(|bit| i >> bit & 1 == 1).map(|bit| MILLION >> (bit + 1)).sum(), i))
        .collect();
    anchors.sort_unstable();
    let mut sizes = vec![0; variants];
    for (place, (anchor, i)) in anchors.iter().enumerate() {
        sizes[*i] = anchors.get(place + 1).map_or(MILLION, |next| next.0) - anchor;
    }
    sizes
}

/// A ramp: weights that only rise, and that fit their stripes.
fn ramp() -> impl Strategy<Value = (Vec<u32>, Vec<u32>)> {
    (1_usize..=6).prop_flat_map(|variants| {
        let each: Vec<_> = stripes(variants).into_iter().map(|size| (0..=size, 0..=size)).collect();
        each.prop_map(|pairs| pairs.into_iter().map(|(a, b)| (a.min(b), a.max(b))).unzip())
    })
}

/// Weights of 1 to 64 variants that sum to at most everyone.
fn weights() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0..=MILLION, 1..=64).prop_map(|raw| {
        let sum: u64 = raw.iter().map(|ppm| u64::from(*ppm)).sum();
        let fit = |ppm: u32| u64::from(ppm) * u64::from(MILLION) / sum.max(u64::from(MILLION));
        raw.into_iter().map(|ppm| u32::try_from(fit(ppm)).unwrap()).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_user_moves_between_variants_while_weights_rise_within_their_stripes((before, after) in ramp()) {
        let (before, after) = (split(&before), split(&after));
        for point in circle() {
            let (from, to) = (before.owner(point), after.owner(point));
            prop_assert!(from == to || from == VariantId::BASELINE, "{from:?} to {to:?} at {}", point.bucket());
        }
    }

    #[test]
    fn a_variant_that_is_raised_alone_keeps_its_own_users(ppm in weights(), which in any::<prop::sample::Index>(), by in 0..=MILLION) {
        let index = which.index(ppm.len());
        let mut raised = ppm.clone();
        raised[index] += by.min(MILLION - ppm.iter().sum::<u32>());
        let (before, after) = (split(&ppm), split(&raised));
        let own = VariantId::variant(index);
        for point in circle().filter(|point| before.owner(*point) == own) {
            prop_assert_eq!(after.owner(point), own);
        }
    }

    #[test]
    fn every_weight_is_exact(ppm in weights()) {
        let split = split(&ppm);
        let mut counted = vec![0_u32; ppm.len() + 1];
        for (lo, hi, owner) in split.ranges() {
            prop_assert!(lo < hi);
            prop_assert_eq!(split.owner(Point::start_of(lo).unwrap()), owner);
            counted[owner.slot()] += hi - lo;
        }
        prop_assert_eq!(&counted[1..], &ppm[..]);
        prop_assert_eq!(counted.iter().sum::<u32>(), MILLION);
    }

    #[test]
    fn a_user_keeps_a_side_and_the_key_depends_on_nothing_else(id in "\\PC{1,40}", geo in "[A-Z]{2}") {
        let policy = with_rollouts(r#"{"name": "r", "baseline": {"name": "s"}, "variants": [{"name": "c", "weight": 50}]}"#);
        let plain = get(&[("x-user-id", &id), ("x-geo-country", &geo)]);
        let noisy = get(&[("accept", "*/*"), ("x-geo-country", &geo.to_lowercase()), ("x-user-id", &id), ("x-user-id", "other")]);
        prop_assert_eq!(variant(&policy, &plain), variant(&policy, &noisy));
    }

    #[test]
    fn any_bytes_are_a_policy_or_problems(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Policy::parse(&bytes);
    }

    #[test]
    fn any_json_is_a_policy_or_problems(text in any_json()) {
        if let Err(problems) = Policy::parse(text.as_bytes()) {
            prop_assert!(!problems.is_empty());
            prop_assert!(problems.to_string().lines().count() == problems.len(), "one line each:\n{problems}");
        }
    }
}

/// JSON built from the words of the language, so that it gets deep into the checks.
fn any_json() -> impl Strategy<Value = String> {
    const WORDS: [&str; 40] = [
        "version",
        "rollouts",
        "name",
        "baseline",
        "variants",
        "weight",
        "rules",
        "when",
        "variant",
        "weights",
        "geo",
        "identity",
        "header",
        "cookie",
        "query",
        "jwt_claim",
        "source_address",
        "stamp",
        "request_header",
        "state",
        "rolled_back",
        "release",
        "salt",
        "match",
        "hosts",
        "path_prefixes",
        "methods",
        "not",
        "any",
        "equals",
        "one_of",
        "contains",
        "present",
        "anonymous",
        "random",
        "bucket_by",
        "enabled",
        "role",
        "edge",
        "*.example.com",
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        prop_oneof![Just(1.0), -1.0..101.0, any::<f64>().prop_filter("finite", |f| f.is_finite())]
            .prop_map(|value| format!("{value:e}")),
        prop::sample::select(&WORDS[..]).prop_map(|word| format!("{word:?}")),
        "\\PC{0,8}".prop_map(|text| serde_json::Value::from(text).to_string()),
    ];
    leaf.prop_recursive(7, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|list| format!("[{}]", list.join(","))),
            prop::collection::vec((prop::sample::select(&WORDS[..]), inner), 0..8).prop_map(|members| {
                let members: Vec<String> =
                    members.iter().map(|(key, value)| format!("{key:?}:{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

// Statistics of the hash, on fixed data, so that nothing here is down to luck.

/// The chi-square of 100 buckets lies under the 99.99 % point of 99 degrees of freedom.
const CHI_SQUARE_99_DF: f64 = 161.3;

fn families() -> [(&'static str, fn(u32) -> String); 4] {
    [
        ("numbers", |i| i.to_string()),
        ("user-%06d", |i| format!("user-{i:06}")),
        ("emails", |i| format!("first.last{i}@example.com")),
        ("uuids", |i| {
            format!(
                "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                i.wrapping_mul(0x9e37_79b9),
                i & 0xffff,
                i >> 7 & 0xfff,
                i & 0xfff,
                u64::from(i) * 0x5_1234_5677
            )
        }),
    ]
}

#[test]
fn shares_stay_within_statistical_bounds_for_every_kind_of_id() {
    const USERS: u32 = 100_000;
    for (family, id) in families() {
        let salt = Salt::new("checkout");
        let points: Vec<Point> = (0..USERS).map(|i| salt.key().last(id(i).as_bytes())).collect();
        let mut buckets = [0_u32; 100];
        for point in &points {
            buckets[point.bucket() as usize / 10_000] += 1;
        }
        let expected = f64::from(USERS) / 100.0;
        let chi_square: f64 = buckets.iter().map(|n| (f64::from(*n) - expected).powi(2) / expected).sum();
        assert!(chi_square < CHI_SQUARE_99_DF, "{family}: {chi_square}");
        for ppm in [1_000, 10_000, 50_000, 100_000, 500_000] {
            let split = split(&[ppm]);
            let share = points.iter().filter(|point| split.owner(**point) != VariantId::BASELINE).count();
            let p = f64::from(ppm) / 1e6;
            let error = (f64::from(USERS) * p * (1.0 - p)).sqrt();
            let off = (f64::from(u32::try_from(share).unwrap()) - f64::from(USERS) * p) / error;
            assert!(off.abs() < 3.3, "{family} at {ppm}: {off} standard errors");
        }
    }
}

#[test]
fn two_salts_draw_independently_however_alike_they_are() {
    const USERS: u32 = 100_000;
    let half = split(&[500_000]);
    for (family, id) in families() {
        let canary = |salt: &str| -> Vec<bool> {
            let salt = Salt::new(salt);
            (0..USERS).map(|i| half.owner(salt.key().last(id(i).as_bytes())) != VariantId::BASELINE).collect()
        };
        let salts: Vec<Vec<bool>> = (1..=8).map(|i| canary(&format!("exp-{i}"))).collect();
        for (i, a) in salts.iter().enumerate() {
            for b in &salts[..i] {
                let both = a.iter().zip(b).filter(|(a, b)| a == b).count();
                let phi = 2.0 * f64::from(u32::try_from(both).unwrap()) / f64::from(USERS) - 1.0;
                // 28 pairs in 4 families at p = 1e-4 after Bonferroni: 4.9 standard errors.
                assert!(phi.abs() < 4.9 / f64::from(USERS).sqrt(), "{family}: phi {phi}");
            }
        }
    }
}
