//! What is wrong with segments, schedules, overrides, flags and their like: one row, one rule.

use crate::support::rows;
use crate::support::written::{problems, rollout, rule, schedule, steps, top, when};

// Anonymous visitors

rows! {
    a_visitors_cookie_is_given_as_one: rollout(r#", "anonymous": {"cokie": {}}"#) => [
        "rollouts[0].anonymous.cokie: unknown field, must be one of cookie",
        "rollouts[0].anonymous.cookie: is required",
    ];
    every_field_of_a_visitors_cookie_is_checked: rollout(r#", "anonymous": {"cookie": {"name": "a b", "max_age": "401d",
        "domain": "*.x.com", "path": "p", "same_site": "Lax", "secure": false}}"#) => [
        r#"rollouts[0].anonymous.cookie.same_site: must be "lax", "strict" or "none", got "Lax""#,
        "rollouts[0].anonymous.cookie.secure: unknown field, must be one of name, max_age, domain, path, same_site",
        r#"rollouts[0].anonymous.cookie.name: must be a cookie name, got "a b""#,
        r#"rollouts[0].anonymous.cookie.max_age: must be 1s to 400d, as a number and one of s, m, h, d, got "401d""#,
        r#"rollouts[0].anonymous.cookie.domain: must be a domain such as example.com, got "*.x.com""#,
        r#"rollouts[0].anonymous.cookie.path: must be a path that begins with `/`, of at most 256 visible ASCII characters without `;`, got "p""#,
    ];
    a_host_cookie_has_neither_domain_nor_path: rollout(r#", "anonymous": {"cookie": {"name": "__Host-id", "path": "/x"}}"#) =>
        ["rollouts[0].anonymous.cookie: must have neither path nor domain: its name begins with __Host-"];

    // Segments
    a_segment_that_does_not_exist: when(r#""segment": "staff""#) =>
        [r#"rollouts[0].rules[0].when.segment: must be the name of a segment of this policy, got "staff""#];
    a_segments_name_is_checked: top(r#""segments": {"a b": {}}"#) =>
        [r#"segments["a b"]: must be 1 to 64 characters of `[A-Za-z0-9._-]`, got "a b""#];
    a_segment_is_a_condition: top(r#""segments": {"a": {"country": ["DE"]}, "b": []}"#) => [
        "segments.a.country: unknown field, must be one of geo, methods, hosts, path_prefixes, identity, identity_hashes, source, segment, jwt, header, cookie, query, not, any, status",
        "segments.b: must be an object, got a list",
    ];
    segments_in_a_ring: top(r#""segments": {"a": {"any": [{"segment": "b"}]}, "b": {"not": {"segment": "c"}}, "c": {"segment": "a"}}"#) =>
        ["segments.a: refers to itself: a > b > c > a"];
    each_ring_is_told_once_at_one_of_its_own: top(r#""segments": {"a": {"segment": "b"}, "b": {"segment": "c"}, "c": {"segment": "b"}, "d": {"segment": "d"}}"#) =>
        ["segments.b: refers to itself: b > c > b", "segments.d: refers to itself: d > d"];
    a_segment_in_itself: top(r#""segments": {"a": {"segment": "a"}}"#) => ["segments.a: refers to itself: a > a"];
    hashes_stand_in_a_segment: when(r#""identity_hashes": ["0123456789abcdef"]"#) =>
        ["rollouts[0].rules[0].when.identity_hashes: must stand in a segment: its name is the salt of the hashes"];
    a_hash_has_sixteen_digits: top(r#""segments": {"a": {"identity_hashes": ["0123456789abcde", "0123456789abcdeg", "0123456789ABCDEF", "0123456789abcdef"]}}"#) => [
        r#"segments.a.identity_hashes[0]: must be 16 hexadecimal digits, as canaryctl hash-ids prints them, got "0123456789abcde""#,
        r#"segments.a.identity_hashes[1]: must be 16 hexadecimal digits, as canaryctl hash-ids prints them, got "0123456789abcdeg""#,
        r#"segments.a.identity_hashes[3]: duplicate "0123456789abcdef""#,
    ];
    bad_networks: when(r#""source": ["10.0.0.0/33", "10.0.0.1/8", "ten", "10.0.0.0/8", "10.0.0.0/8", 1]"#) => [
        "rollouts[0].rules[0].when.source[5]: must be a string, got 1",
        r#"rollouts[0].rules[0].when.source[0]: must be a network with at most 32 bits (IPv6: 128), got "10.0.0.0/33""#,
        r#"rollouts[0].rules[0].when.source[1]: must be a network without bits behind its prefix, got "10.0.0.1/8""#,
        r#"rollouts[0].rules[0].when.source[2]: must be a network such as 10.0.0.0/8 or 2001:db8::/32, or an address, got "ten""#,
        r#"rollouts[0].rules[0].when.source[4]: duplicate "10.0.0.0/8""#,
    ];
    a_claim_needs_a_name_and_one_test: when(r#""jwt": {"one_of": ["a"], "present": true}"#) => [
        "rollouts[0].rules[0].when.jwt.claim: is required",
        "rollouts[0].rules[0].when.jwt: must have exactly one of equals, one_of, prefix, suffix, contains, present",
    ];
    ignored_identities_are_texts: top(r#""ignore_identities": ["null", "null", 5]"#) => [
        "ignore_identities[2]: must be a string, got 5",
        r#"ignore_identities[1]: duplicate "null""#,
    ];

    // Schedules
    a_schedule_has_steps: schedule("{}") => ["rollouts[0].schedule.steps: is required"];
    a_schedule_is_not_empty: schedule(r#"{"steps": [], "windows": [], "freezes": []}"#) => [
        "rollouts[0].schedule.windows: must not be empty; leave it out instead",
        "rollouts[0].schedule.freezes: must not be empty; leave it out instead",
        "rollouts[0].schedule.steps: must not be empty; leave it out instead",
    ];
    a_step_has_a_time_and_weights: schedule(r#"{"steps": [{}]}"#) => [
        "rollouts[0].schedule.steps[0].from: is required",
        "rollouts[0].schedule.steps[0].weights: is required",
    ];
    a_step_has_an_offset: schedule(r#"{"steps": [{"from": "2026-12-01T09:00:00", "weights": {"canary": 1}}]}"#) => [
        r#"rollouts[0].schedule.steps[0].from: must be a time with an offset as in RFC 3339, such as 2026-12-01T09:00:00+01:00, got "2026-12-01T09:00:00""#
    ];
    steps_stand_in_the_order_of_time: steps(&[("2026-12-02T00:00:00Z", 1), ("2026-12-01T00:00:00Z", 5), ("2026-12-01T01:00:00+01:00", 6)]) => [
        "rollouts[0].schedule.steps[1].from: must be later than that of rollouts[0].schedule.steps[0]",
        "rollouts[0].schedule.steps[2].from: must be later than that of rollouts[0].schedule.steps[1]",
    ];
    a_step_names_variants: schedule(r#"{"steps": [{"from": "2026-12-01T00:00:00Z", "weights": {"canray": 1, "stable": 2, "beta": 101}}]}"#) => [
        "rollouts[0].schedule.steps[0].weights.beta: must be between 0 and 100, got 101",
        r#"rollouts[0].schedule.steps[0].weights.canray: must be one of canary, beta, got "canray""#,
        "rollouts[0].schedule.steps[0].weights.stable: the baseline has no weight: it takes what the variants leave",
    ];
    a_step_leaves_room_for_the_others: steps(&[("2026-12-01T00:00:00Z", 50), ("2026-12-02T00:00:00Z", 91)]) =>
        ["rollouts[0].schedule.steps[1].weights: weights, with those of the other variants, must sum to at most 100, got 101"];
    a_window_is_checked_whole: schedule(r#"{"steps": [{"from": "2026-12-01T00:00:00Z", "weights": {"canary": 1}}], "windows":
        [{"days": ["mon", "Tue", "mon"], "from": "9:00", "to": "24:01", "timezone": "Europe/Berln"}, {}]}"#) => [
        r#"rollouts[0].schedule.windows[0].days[1]: must be "mon", "tue", "wed", "thu", "fri", "sat" or "sun", got "Tue""#,
        "rollouts[0].schedule.windows[0].days[2]: duplicate day",
        r#"rollouts[0].schedule.windows[0].from: must be a time of the day from 00:00 to 24:00, got "9:00""#,
        r#"rollouts[0].schedule.windows[0].to: must be a time of the day from 00:00 to 24:00, got "24:01""#,
        r#"rollouts[0].schedule.windows[0].timezone: must be the IANA name of a time zone such as Europe/Berlin, got "Europe/Berln""#,
        "rollouts[0].schedule.windows[1].from: is required",
        "rollouts[0].schedule.windows[1].to: is required",
        "rollouts[0].schedule.windows[1].timezone: is required",
    ];
    a_window_ends_on_its_day: schedule(r#"{"steps": [{"from": "2026-12-01T00:00:00Z", "weights": {"canary": 1}}], "windows":
        [{"from": "22:00", "to": "06:00", "timezone": "UTC"}]}"#) =>
        ["rollouts[0].schedule.windows[0].to: must be later than from; write a night as two windows"];
    a_freeze_ends_after_it_began: schedule(r#"{"steps": [{"from": "2026-12-01T00:00:00Z", "weights": {"canary": 1}}], "freezes":
        [{"from": "2026-12-24T00:00:00Z", "to": "2026-12-24T00:00:00Z", "reason": "x"}, {"from": "soon"}]}"#) => [
        "rollouts[0].schedule.freezes[0].to: must be later than from",
        r#"rollouts[0].schedule.freezes[1].from: must be a time with an offset as in RFC 3339, such as 2026-12-01T09:00:00+01:00, got "soon""#,
        "rollouts[0].schedule.freezes[1].to: is required",
    ];
    a_weight_may_be_left_out_only_where_a_step_names_the_variant: schedule(
        r#"{"steps": [{"from": "2026-12-01T00:00:00Z", "weights": {"beta": 1}}]}"#).replace(r#""canary", "weight": 5"#, r#""canary""#) =>
        ["rollouts[0].variants[0].weight: is required"];
    a_rules_schedule_is_checked_too: rule(r#""schedule": {"steps": [{"from": "2026-12-01T00:00:00Z", "weights": {"canary": 91}}]}"#) =>
        ["rollouts[0].rules[0].schedule.steps[0].weights: weights, with those of the other variants, must sum to at most 100, got 101"];
    a_rules_schedule_is_named_where_the_rollouts_makes_it_too_full: schedule(r#"{"steps": [{"from": "2026-12-02T00:00:00Z", "weights": {"beta": 60}}]}"#)
        .replace("}}]}}]}", r#"}}]}, "rules": [{"name": "x", "schedule": {"steps": [{"from": "2026-12-01T00:00:00Z", "weights": {"canary": 50}}]}}]}]}"#) =>
        ["rollouts[0].rules[0].schedule: weights, with those of the other variants, must sum to at most 100, got 110"];
    a_rollbacks_time_is_one: top(r#""state": {"r": {"rolled_back": ["canary"], "since": "yesterday"}}"#) =>
        [r#"state.r.since: must be a time with an offset as in RFC 3339, such as 2026-12-01T09:00:00+01:00, got "yesterday""#];

    // Overrides
    an_override_has_a_place_and_a_key: rollout(r#", "override": {}"#) => [
        "rollouts[0].override.key_env: is required",
        "rollouts[0].override: must have at least one of header, cookie, query",
    ];
    an_overrides_names_are_checked: rollout(r#", "override": {"header": "host", "cookie": "a=b", "query": "a&b", "key_env": "1KEY", "key": "x"}"#) => [
        "rollouts[0].override.key: unknown field, must be one of header, cookie, query, key_env",
        r#"rollouts[0].override.header: must be a header without a meaning in HTTP, got "host""#,
        r#"rollouts[0].override.cookie: must be a cookie name, got "a=b""#,
        r#"rollouts[0].override.query: must be a parameter name of visible ASCII without `&`, `=`, `#` and `?`, got "a&b""#,
        r#"rollouts[0].override.key_env: must be the name of a variable: 1 to 128 of `[A-Za-z0-9_]`, no digit first, got "1KEY""#,
    ];

    a_token_has_a_place_of_its_own: rollout(r#", "anonymous": {"cookie": {}}, "override": {"header": "x-deployment-variant", "cookie": "canary_id", "query": "uid", "key_env": "KEY"}"#)
        .replacen(r#""rollouts""#, r#""identity": [{"query": "uid"}], "rollouts""#, 1) => [
        r#"rollouts[0].override.header: must have a place of its own, "x-deployment-variant" is a stamp"#,
        r#"rollouts[0].override.cookie: must have a place of its own, "canary_id" is the visitors' cookie"#,
        r#"rollouts[0].override.query: must have a place of its own, "uid" is a source of the policy"#,
    ];
    the_key_of_strictness_is_no_key: rollout(r#", "override": {"header": "x", "key_env": "CANARY_STRICT"}"#) =>
        [r#"rollouts[0].override.key_env: must be the name of a variable: 1 to 128 of `[A-Za-z0-9_]`, no digit first, got "CANARY_STRICT""#];

    // Flags
    a_flag_has_a_salt_of_its_own: rollout(r#", "salt": "s", "flags": [{"name": "f", "percent": 1, "salt": "s"}]"#) =>
        ["rollouts[0].flags[0].salt: must differ from the rollout's: the same users would be first in both"];
    a_flag_has_a_name_and_a_share: rollout(r#", "flags": [{}]"#) =>
        ["rollouts[0].flags[0].name: is required", "rollouts[0].flags[0].percent: is required"];
    a_flag_is_checked_whole: rollout(r#", "flags": [{"name": "a", "percent": 101, "variants": ["canary", "canary", "x"], "salt": "\n",
        "rules": [{"when": {"segment": "s"}}]}, {"name": "a", "percent": 1}]"#) => [
        r#"rollouts[0].flags[1].name: duplicate name "a", also at rollouts[0].flags[0]"#,
        r#"rollouts[0].flags[0].variants[1]: duplicate "canary""#,
        r#"rollouts[0].flags[0].variants[2]: must be one of stable, canary, beta, got "x""#,
        "rollouts[0].flags[0].percent: must be between 0 and 100, got 101",
        r#"rollouts[0].flags[0].salt: must be 1 to 256 bytes without control characters, got "\n""#,
        "rollouts[0].flags[0].rules[0].name: is required",
        r#"rollouts[0].flags[0].rules[0].when.segment: must be the name of a segment of this policy, got "s""#,
        "rollouts[0].flags[0].rules[0].percent: is required",
    ];

    // Observe, exclude, inbound
    observe_is_a_boolean: rollout(r#", "observe": "yes""#) => [r#"rollouts[0].observe: must be true or false, got "yes""#];
    an_exclusion_is_a_condition: rollout(r#", "exclude": {"path": "/healthz"}"#) => [
        "rollouts[0].exclude.path: unknown field, must be one of geo, methods, hosts, path_prefixes, identity, identity_hashes, source, segment, jwt, header, cookie, query, not, any, status"
    ];
    an_exclusion_at_the_top_is_one_too: top(r#""exclude": {"methods": ["options"]}"#) =>
        [r#"exclude.methods[0]: must be a method in upper case: methods are compared with case, got "options""#];
    an_edge_trusts_no_inbound_stamp: rollout(r#", "trust_inbound": {}"#) =>
        [r#"rollouts[0].trust_inbound: must stand in a policy with "role": "inner": an edge believes no stamp"#];
    what_can_never_hold_is_told: rollout(r#", "trust_inbound": {}"#)
        .replacen(r#""rollouts""#, r#""role": "inner", "stamp": {"rollout_header": null}, "rollouts""#, 1) =>
        ["rollouts[0].trust_inbound: can never hold: with \"rollout_header\": null and no baggage nothing names the rollout"];
    the_stamps_of_flags_and_baggage_are_checked: top(r#""stamp": {"flags_header": "x-deployment-variant", "baggage": 1}"#) => [
        "stamp.baggage: must be true or false, got 1",
        r#"stamp.flags_header: must differ from request_header, both are "x-deployment-variant""#,
    ];
    a_stamp_is_no_part_of_http: top(r#""stamp": {"request_header": "Content-Length"}"#) =>
        [r#"stamp.request_header: must be a header without a meaning in HTTP, got "Content-Length""#];
}

// Limits

#[test]
fn segments_are_at_most_sixteen_deep_and_two_hundred_and_fifty_six() {
    let chain = |len: usize| {
        let segments: Vec<String> =
            (1..len).map(|i| format!(r#""s{i}": {{"segment": "s{}"}}"#, i - 1)).collect();
        top(&format!(r#""segments": {{"s0": {{}}, {}}}"#, segments.join(",")))
    };
    assert_eq!(problems(&chain(16)), Vec::<String>::new());
    assert_eq!(problems(&chain(17)), ["segments.s16: must refer to segments at most 16 deep"]);
    let many: Vec<String> = (0..257).map(|i| format!(r#""s{i}": {{}}"#)).collect();
    let fields = format!(r#""segments": {{{}}}, "exclude": {{"segment": "s99"}}"#, many.join(","));
    assert_eq!(problems(&top(&fields)), ["segments: must have at most 256 entries, got 257"]);
}

#[test]
fn schedules_and_rules_that_would_fill_the_memory_are_refused() {
    let step = |i: usize| {
        format!(
            r#"{{"from": "20{:02}-{:02}-01T00:00:00Z", "weights": {{"canary": {}}}}}"#,
            26 + i / 12,
            i % 12 + 1,
            i % 2
        )
    };
    let many: Vec<String> = (0..600).map(step).collect();
    let rules: Vec<String> =
        (0..60).map(|i| format!(r#"{{"name": "x{i}", "weights": {{"beta": 1}}}}"#)).collect();
    let fields =
        format!(r#", "schedule": {{"steps": [{}]}}, "rules": [{}]"#, many.join(","), rules.join(","));
    assert_eq!(
        problems(&rollout(&fields)),
        ["rollouts: steps of schedules, and rules with weights, must make at most 10000 layouts"]
    );
}

#[test]
fn lists_of_a_schedule_and_flags_have_limits() {
    let step = r#"{"from": "2026-12-01T00:00:00Z", "weights": {"canary": 1}}"#;
    let text = schedule(&format!(r#"{{"steps": [{}]}}"#, vec![step; 1_001].join(",")));
    assert_eq!(problems(&text)[0], "rollouts[0].schedule.steps: must have at most 1000 entries, got 1001");
    let flags: Vec<String> = (0..65).map(|i| format!(r#"{{"name": "f{i}", "percent": 1}}"#)).collect();
    assert_eq!(
        problems(&rollout(&format!(r#", "flags": [{}]"#, flags.join(",")))),
        ["rollouts[0].flags: must have at most 64 entries, got 65"]
    );
}
