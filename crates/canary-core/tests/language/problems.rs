//! What is wrong with a policy is told completely: one row, one rule.

use crate::support::rows;
use crate::support::written::{problems, rollout, rule, when};

rows! {
    // The document
    no_text_is_the_policy_without_rollouts: " \n" => [];
    not_json: "{" => ["policy: must be JSON: EOF while parsing an object at line 1 column 1"];
    not_an_object: "[]" => ["policy: must be an object, got a list"];
    an_empty_object_has_no_version: "{}" => ["version: is required"];
    another_version: r#"{"version": 2}"# => ["version: must be 1, got 2"];
    a_version_of_the_wrong_type: r#"{"version": "1"}"# => [r#"version: must be a number, got "1""#];
    ignored_fields_take_anything:
        r#"{"version": 1, "$schema": "x", "description": {"a": 1}, "owner": ["b"]}"# => [];
    an_unknown_field_is_told_with_the_known_ones: r#"{"version": 1, "role": "edge", "rolouts": []}"# => [
        "rolouts: unknown field, must be one of $schema, description, owner, version, revision, role, \
         identity, geo, ignore_identities, stamp, stats, segments, exclude, rollouts, state"
    ];
    an_unknown_role: r#"{"version": 1, "role": "Edge"}"# => [r#"role: must be "edge" or "inner", got "Edge""#];
    a_null_is_not_left_out: r#"{"version": 1, "revision": null}"# => ["revision: must be a string, got null"];
    a_revision_goes_on_a_log_line:
        r#"{"version": 1, "revision": "a\nb"}"# =>
        [r#"revision: must be 1 to 256 bytes without control characters, got "a\nb""#];
    duplicate_keys_at_every_level: r#"{"version": 1, "version": 1, "stamp": {"filter_state": true, "filter_state": true}}"# =>
        ["version: duplicate key", "stamp.filter_state: duplicate key"];
    keys_are_compared_after_unescaping: r#"{"version": 1, "vers\u0069on": 1}"# => ["version: duplicate key"];

    // Sources
    a_source_has_one_place:
        r#"{"version": 1, "identity": [{}, {"header": "a", "cookie": "b"}]}"# => [
        "identity[0]: must have exactly one of header, cookie, jwt_claim, query, source_address",
        "identity[1]: must have exactly one of header, cookie, jwt_claim, query, source_address",
    ];
    a_source_address_is_true_or_left_out: r#"{"version": 1, "identity": [{"source_address": false}]}"# =>
        ["identity[0].source_address: must be true, got false"];
    a_source_stands_once: r#"{"version": 1, "identity": [{"header": "X-A"}, {"header": "x-a"}]}"# =>
        ["identity[1]: duplicate source"];
    a_geo_has_no_source_address: r#"{"version": 1, "geo": [{"source_address": true}]}"# => [
        "geo[0].source_address: unknown field, must be one of header, cookie, jwt_claim, query",
        "geo[0]: must have exactly one of header, cookie, jwt_claim, query",
    ];
    a_header_name_is_a_token: r#"{"version": 1, "identity": [{"header": "x user"}]}"# =>
        [r#"identity[0].header: must be a header name, got "x user""#];
    no_sources_are_left_out: r#"{"version": 1, "identity": []}"# =>
        ["identity: must not be empty; leave it out instead"];

    // Stamps
    the_request_stamp_cannot_be_switched_off: r#"{"version": 1, "stamp": {"request_header": null}}"# =>
        ["stamp.request_header: must be a string, got null"];
    stamps_differ: r#"{"version": 1, "stamp": {"rollout_header": "X-Deployment-Variant"}}"# =>
        [r#"stamp.rollout_header: must differ from request_header, both are "x-deployment-variant""#];
    a_stamp_is_no_pseudo_header: r#"{"version": 1, "stamp": {"cluster_header": ":path"}}"# =>
        [r#"stamp.cluster_header: must be a header name, got ":path""#];

    // Rollouts
    a_rollout_needs_name_baseline_and_variants: r#"{"version": 1, "rollouts": [{}]}"# => [
        "rollouts[0].name: is required",
        "rollouts[0].baseline: is required",
        "rollouts[0].variants: is required",
    ];
    a_name_is_short_and_plain: r#"{"version": 1, "rollouts": [{"name": "a b", "baseline": {"name": ""},
        "variants": [{"name": "c", "weight": 1}]}]}"# => [
        r#"rollouts[0].name: must be 1 to 64 characters of `[A-Za-z0-9._-]`, got "a b""#,
        r#"rollouts[0].baseline.name: must be 1 to 64 characters of `[A-Za-z0-9._-]`, got """#,
    ];
    the_name_none_is_reserved: rollout("").replace(r#""r""#, r#""none""#) =>
        [r#"rollouts[0].name: "none" is reserved for requests that no rollout matches"#];
    names_are_unique: r#"{"version": 1, "rollouts": [
        {"name": "r", "match": {"hosts": ["a"]}, "baseline": {"name": "s"}, "variants": [{"name": "s", "weight": 1}]},
        {"name": "r", "baseline": {"name": "s"}, "variants": [{"name": "c", "weight": 1}, {"name": "c", "weight": 1}],
         "rules": [{"name": "x", "variant": "c"}, {"name": "x", "variant": "c"}]}]}"# => [
        r#"rollouts[0].variants[0].name: duplicate name "s", also at rollouts[0].baseline"#,
        r#"rollouts[1].variants[1].name: duplicate name "c", also at rollouts[1].variants[0]"#,
        r#"rollouts[1].rules[1].name: duplicate name "x", also at rollouts[1].rules[0]"#,
        r#"rollouts[1].name: duplicate name "r", also at rollouts[0]"#,
    ];
    a_cluster_is_visible_ascii: rollout("").replace(r#""name": "canary""#, r#""name": "canary", "cluster": "a b""#) =>
        [r#"rollouts[0].variants[0].cluster: must be 1 to 256 visible ASCII characters, got "a b""#];
    the_key_is_the_identity_with_or_without_geo: rollout(r#", "bucket_by": ["geo", "identity"]"#) =>
        [r#"rollouts[0].bucket_by: must be ["identity"] or ["identity", "geo"]"#];
    an_unknown_key_field: rollout(r#", "bucket_by": ["user"]"#) =>
        [r#"rollouts[0].bucket_by[0]: must be "identity" or "geo", got "user""#];
    anonymous_is_one_of_two_words: rollout(r#", "anonymous": "canary""#) =>
        [r#"rollouts[0].anonymous: must be "baseline", "random" or {"cookie": …}, got "canary""#];
    anonymous_is_no_number: rollout(r#", "anonymous": 5"#) =>
        [r#"rollouts[0].anonymous: must be "baseline", "random" or {"cookie": …}, got 5"#];

    // Weights
    a_weight_is_in_range: rollout("").replace("10}", "120}") =>
        ["rollouts[0].variants[1].weight: must be between 0 and 100, got 120"];
    a_weight_is_not_negative: rollout("").replace("10}", "-0.5}") =>
        ["rollouts[0].variants[1].weight: must be between 0 and 100, got -0.5"];
    a_weight_has_at_most_four_decimals: rollout("").replace("10}", "33.33333}") =>
        ["rollouts[0].variants[1].weight: must have at most four decimals, got 33.33333"];
    a_weight_is_a_number: rollout("").replace("10}", r#""10%"}"#) =>
        [r#"rollouts[0].variants[1].weight: must be a number, got "10%""#];
    a_variant_needs_a_weight: rollout("").replace(r#", "weight": 5"#, "") =>
        ["rollouts[0].variants[0].weight: is required"];
    weights_sum_to_at_most_all: rollout("").replace("10}", "95.5}") =>
        ["rollouts[0].variants: weights must sum to at most 100, got 100.5"];

    // Rules
    a_rule_does_one_thing: rollout(r#", "rules": [{"name": "a"}, {"name": "b", "variant": "canary", "weights": {"beta": 1}}]"#) => [
        "rollouts[0].rules[0]: must have one of variant, weights, schedule",
        "rollouts[0].rules[1]: must have one of variant, weights, schedule, not several",
    ];
    a_rule_names_a_side: rule(r#""variant": "canray""#) =>
        [r#"rollouts[0].rules[0].variant: must be one of stable, canary, beta, got "canray""#];
    weights_name_variants: rule(r#""weights": {"stable": 5, "x": 5, "canary": 101}"#) => [
        "rollouts[0].rules[0].weights.canary: must be between 0 and 100, got 101",
        "rollouts[0].rules[0].weights.stable: the baseline has no weight: it takes what the variants leave",
        r#"rollouts[0].rules[0].weights.x: must be one of canary, beta, got "x""#,
    ];
    a_rules_weights_fit_with_the_others: rule(r#""weights": {"canary": 95}"#) => [
        "rollouts[0].rules[0].weights: weights, with those of the other variants, must sum to at most 100, got 105"
    ];
    references_are_followed_when_other_fields_are_wrong:
        rule(r#""variant": "canray""#).replace(r#""weight": 5"#, r#""weight": true, "wight": 5"#) => [
        "rollouts[0].variants[0].weight: must be a number, got true",
        "rollouts[0].variants[0].wight: unknown field, must be one of name, cluster, weight",
        r#"rollouts[0].rules[0].variant: must be one of stable, canary, beta, got "canray""#,
    ];
    references_to_a_name_that_cannot_be_read_are_not_told_twice:
        rule(r#""variant": "canary""#).replace(r#""name": "canary""#, r#""name": 5"#) =>
        ["rollouts[0].variants[0].name: must be a string, got 5"];
    references_to_an_illegal_name_hold: rule(r#""variant": "can ary""#).replace(r#""name": "canary""#, r#""name": "can ary""#) => [
        r#"rollouts[0].variants[0].name: must be 1 to 64 characters of `[A-Za-z0-9._-]`, got "can ary""#
    ];

    // Conditions
    geos_name_places: when(r#""geo": ["de", "XX", "D E", "DE"]"#) => [
        r#"rollouts[0].rules[0].when.geo[1]: must be 1 to 32 characters of `[A-Z0-9-]` that name a place (not -, XX, ZZ, T1), or `*`, got "XX""#,
        r#"rollouts[0].rules[0].when.geo[2]: must be 1 to 32 characters of `[A-Z0-9-]` that name a place (not -, XX, ZZ, T1), or `*`, got "D E""#,
        r#"rollouts[0].rules[0].when.geo[3]: duplicate "DE""#,
    ];
    methods_are_written_as_sent: when(r#""methods": ["get"]"#) => [
        r#"rollouts[0].rules[0].when.methods[0]: must be a method in upper case: methods are compared with case, got "get""#
    ];
    hosts_have_no_port: when(r#""hosts": ["a.com:80", "*", "*.a.com", "*.A.com"]"#) => [
        r#"rollouts[0].rules[0].when.hosts[0]: must be a host without a port: hosts are compared without port, got "a.com:80""#,
        r#"rollouts[0].rules[0].when.hosts[1]: must be a host name of 1 to 253 characters, or `*.` and one, got "*""#,
        r#"rollouts[0].rules[0].when.hosts[3]: duplicate "*.A.com""#,
    ];
    path_prefixes_begin_with_a_slash: when(r#""path_prefixes": ["a", "/a?b"]"#) => [
        r#"rollouts[0].rules[0].when.path_prefixes[0]: must be a path that begins with `/`, got "a""#,
        r#"rollouts[0].rules[0].when.path_prefixes[1]: must be visible ASCII without `?` and `#`: the query is no part of the path, got "/a?b""#,
    ];
    a_named_value_has_one_test: when(r#""header": {"equals": "a", "prefix": "b"}, "cookie": {"name": "c"}"#) => [
        "rollouts[0].rules[0].when.header.name: is required",
        "rollouts[0].rules[0].when.header: must have exactly one of equals, one_of, prefix, suffix, contains, present",
        "rollouts[0].rules[0].when.cookie: must have exactly one of equals, one_of, prefix, suffix, contains, present",
    ];
    a_bad_test_is_told_once: when(r#""header": {"name": "a", "prefix": ""}, "query": {"name": "q", "present": "yes"}"#) => [
        r#"rollouts[0].rules[0].when.query.present: must be true or false, got "yes""#,
        r#"rollouts[0].rules[0].when.header.prefix: must be 1 to 256 bytes, got """#,
    ];
    conditions_nest_with_their_paths: when(r#""any": [{"not": {"geo": []}}, {"any": []}]"#) => [
        "rollouts[0].rules[0].when.any[0].not.geo: must not be empty; leave it out instead",
        "rollouts[0].rules[0].when.any[1].any: must not be empty; leave it out instead",
    ];
    an_unknown_condition: when(r#""country": ["DE"]"#) => [
        "rollouts[0].rules[0].when.country: unknown field, must be one of geo, methods, hosts, path_prefixes, \
         identity, identity_hashes, source, segment, jwt, header, cookie, query, not, any, status"
    ];

    // State
    a_state_names_a_rollout: rollout("").replace(r#""rollouts""#, r#""state": {"x.y": {}}, "rollouts""#) =>
        [r#"state["x.y"]: must be the name of a rollout of this policy"#];
    a_state_names_variants: rollout("").replace(r#""rollouts""#,
        r#""state": {"r": {"rolled_back": ["canary", "stable", "c", "canary"], "weights": {"canary": 95}}}, "rollouts""#) => [
        "state.r.rolled_back[1]: the baseline cannot be rolled back",
        r#"state.r.rolled_back[2]: must be one of canary, beta, got "c""#,
        "state.r.rolled_back[3]: duplicate name",
        "state.r.weights: weights, with those of the other variants, must sum to at most 100, got 105",
    ];
    a_state_of_another_release_may_name_its_variants: rollout(r#", "release": "v2""#).replace(r#""rollouts""#,
        r#""state": {"r": {"release": "v1", "rolled_back": ["gone"], "weights": {"old": 200}}}, "rollouts""#) =>
        ["state.r.weights.old: must be between 0 and 100, got 200"];
}

// Matches that meet

fn matches(first: &str, second: &str) -> Vec<String> {
    let rollout = |name: &str, matching: &str| {
        format!(
            r#"{{"name": "{name}", {matching} "baseline": {{"name": "s"}}, "variants": [{{"name": "c", "weight": 1}}]}}"#
        )
    };
    problems(&format!(r#"{{"version": 1, "rollouts": [{}, {}]}}"#, rollout("a", first), rollout("b", second)))
}

#[test]
fn two_rollouts_that_match_everything_tie() {
    assert_eq!(
        matches("", ""),
        [r#"rollouts[1].match: "b" ties with "a" (rollouts[0]) on any host, any path, any method"#]
    );
}

#[test]
fn a_tie_says_where_the_two_meet() {
    assert_eq!(
        matches(
            r#""match": {"hosts": ["x.com", "*.y.com"], "path_prefixes": ["/p"], "methods": ["GET", "POST"]},"#,
            r#""match": {"hosts": ["*.Y.com"], "path_prefixes": ["/q", "/p"], "methods": ["POST"]},"#,
        ),
        [r#"rollouts[1].match: "b" ties with "a" (rollouts[0]) on host *.y.com, path /p, method POST"#]
    );
}

#[test]
fn more_specific_matches_do_not_tie() {
    let general = r#""match": {"path_prefixes": ["/p"]},"#;
    for specific in [
        r#""match": {"hosts": ["x.com"], "path_prefixes": ["/p"]},"#,
        r#""match": {"path_prefixes": ["/p/"]},"#,
        r#""match": {"path_prefixes": ["/p"], "methods": ["GET"]},"#,
    ] {
        assert_eq!(matches(general, specific), Vec::<String>::new(), "{specific}");
    }
}

#[test]
fn a_rollout_behind_one_that_takes_every_path_is_never_reached() {
    assert_eq!(
        matches("", r#""match": {"path_prefixes": ["/"]},"#),
        [r#"rollouts[0].match: "a" can never be reached: "b" (rollouts[1]) takes every path before it"#]
    );
    assert_eq!(
        matches("", r#""match": {"path_prefixes": ["/"], "methods": ["GET"]},"#),
        Vec::<String>::new()
    );
    assert_eq!(
        matches(
            r#""match": {"hosts": ["x"], "methods": ["GET"]},"#,
            r#""match": {"hosts": ["x", "y"], "path_prefixes": ["/"], "methods": ["GET", "PUT"]},"#
        )
        .len(),
        1
    );
}

// Limits

#[test]
fn more_than_a_mebibyte_is_refused() {
    let text = " ".repeat(1 << 20) + "1";
    assert_eq!(problems(&text), ["policy: must be at most 1 MiB, got 1048577 bytes"]);
}

#[test]
fn deeper_than_sixteen_is_refused_with_the_path() {
    let nested = |depth: usize| when(&format!("{}{}", r#""not": {"#.repeat(depth), "}".repeat(depth)));
    assert_eq!(problems(&nested(10)), Vec::<String>::new());
    let found = problems(&nested(11));
    assert_eq!(found.len(), 1);
    assert!(found[0].ends_with(".not: must be nested at most 16 deep"), "{found:?}");
    assert_eq!(problems(&"[".repeat(100_000)).len(), 1);
}

#[test]
fn lists_end_at_ten_thousand() {
    let ids = |count: usize| {
        let ids: Vec<String> = (0..count).map(|id| format!("\"u{id}\"")).collect();
        when(&format!(r#""identity": [{}]"#, ids.join(",")))
    };
    assert_eq!(problems(&ids(10_000)), Vec::<String>::new());
    assert_eq!(
        problems(&ids(10_001)),
        ["rollouts[0].rules[0].when.identity: must have at most 10000 entries, got 10001"]
    );
}

#[test]
fn a_product_of_lists_that_would_fill_the_memory_is_refused() {
    let list = |prefix: &str| {
        let entries: Vec<String> = (0..400).map(|i| format!("\"{prefix}{i}\"")).collect();
        entries.join(",")
    };
    let matching = format!(r#", "match": {{"hosts": [{}], "path_prefixes": [{}]}}"#, list("h"), list("/p"));
    assert_eq!(
        problems(&rollout(&matching)),
        [
            "rollouts: hosts times (segments of path_prefixes and methods behind each) must be at most 100000 over all rollouts, got 320000"
        ]
    );
}

#[test]
fn long_prefixes_count_by_their_segments() {
    let hosts: Vec<String> = (0..200).map(|i| format!("\"h{i}\"")).collect();
    let prefixes: Vec<String> = (0..20).map(|i| format!("\"/{i}{}\"", "/a".repeat(31))).collect();
    let matching = format!(
        r#", "match": {{"hosts": [{}], "path_prefixes": [{}]}}"#,
        hosts.join(","),
        prefixes.join(",")
    );
    let found = problems(&rollout(&matching));
    assert!(found[0].ends_with("got 132000"), "{found:?}");
    assert_eq!(
        problems(&rollout(&format!(r#", "match": {{"path_prefixes": ["{}"]}}"#, "/a".repeat(33)))),
        [format!(
            r#"rollouts[0].match.path_prefixes[0]: must be at most 32 segments, got "{}"…"#,
            "/a".repeat(32)
        )]
    );
}

#[test]
fn what_is_over_a_limit_is_not_looked_into() {
    let items = vec!["1"; 10_001].join(",");
    let text = format!(r#"{{"version": 1, "rollouts": [{items}], "nonsense": 1}}"#);
    assert_eq!(problems(&text), ["rollouts: must have at most 10000 entries, got 10001"]);
}

#[test]
fn a_policy_of_nothing_but_problems_does_not_fill_the_memory() {
    let long = "k".repeat(400_000);
    let unknown: Vec<String> = (0..9_000).map(|i| format!(r#""{i}":1"#)).collect();
    let text =
        format!(r#"{{"version": 1, "{long}": {{{0}}}, "state": {{"{long}": {{{0}}}}}}}"#, unknown.join(","));
    let told = problems(&text);
    assert!(told.iter().map(String::len).sum::<usize>() < 3 << 20, "{}", told.len());
    assert!(told.iter().any(|line| line.contains(&format!("[\"{}\"…]", "k".repeat(64)))), "{:?}", told[0]);
    assert!(told.last().unwrap().starts_with("and "), "{:?}", told.last());
}

#[test]
fn a_list_of_names_in_a_problem_is_short_and_stays_on_its_line() {
    let variants: Vec<String> = (0..20).map(|i| format!(r#"{{"name": "v{i}", "weight": 1}}"#)).collect();
    let text = format!(
        r#"{{"version": 1, "rollouts": [{{"name": "r", "baseline": {{"name": "a\nerror: forged"}},
            "variants": [{}], "rules": [{{"name": "x", "variant": "y"}}]}}]}}"#,
        variants.join(",")
    );
    assert_eq!(
        problems(&text),
        [
            r#"rollouts[0].baseline.name: must be 1 to 64 characters of `[A-Za-z0-9._-]`, got "a\nerror: forged""#,
            r#"rollouts[0].rules[0].variant: must be one of v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, …, got "y""#,
        ]
    );
}

#[test]
fn at_most_sixteen_places_are_searched_for_an_identity() {
    let sources: Vec<String> = (0..17).map(|i| format!(r#"{{"header": "x-{i}"}}"#)).collect();
    let text =
        rollout("").replace(r#""rollouts""#, &format!(r#""identity": [{}], "rollouts""#, sources.join(",")));
    assert_eq!(problems(&text), ["identity: must have at most 16 entries, got 17"]);
}

#[test]
fn more_than_sixty_four_variants_are_refused() {
    let variants: Vec<String> = (0..65).map(|i| format!(r#"{{"name": "v{i}", "weight": 1}}"#)).collect();
    let text = format!(
        r#"{{"version": 1, "rollouts": [{{"name": "r", "baseline": {{"name": "s"}}, "variants": [{}]}}]}}"#,
        variants.join(",")
    );
    assert_eq!(problems(&text), ["rollouts[0].variants: must have 1 to 64 entries, got 65"]);
}
