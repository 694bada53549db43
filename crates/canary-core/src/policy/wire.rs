//! The policy language as it is written: the one place that names its fields.
//!
//! Every field may be missing or bad here; what must be there, and what it means, is
//! decided by the checks beside this file. The JSON Schema comes from these structs too.

#![allow(clippy::struct_field_names, reason = "the fields are named as users write them")]

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::Deserializer;

use super::field::{Field, List};
use super::tree::Node;

#[cfg(feature = "schema")]
use schemars::JsonSchema;

/// Declares wire structs: derives what all of them derive.
macro_rules! wire {
    ($($(#[$meta:meta])* struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* })*) => {$(
        #[derive(Clone, Debug, Default, Deserialize)]
        #[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
        #[serde(default)]
        $(#[$meta])*
        pub(crate) struct $name { $($(#[$field_meta])* pub(crate) $field: $type,)* }
    )*};
}

wire! {
    /// A canary policy, version 1.
    #[cfg_attr(feature = "schema", schemars(extend("required" = ["version"])))]
    struct Policy {
        /// Where the schema of this document is; ignored.
        #[serde(rename = "$schema")]
        json_schema: Field<Node>,
        /// For people; ignored.
        description: Field<Node>,
        /// For people; ignored.
        owner: Field<Node>,
        /// The version of the policy language: 1.
        #[cfg_attr(feature = "schema", schemars(extend("const" = 1)))]
        version: Field<f64>,
        /// Which edition of the policy this is, for logs and people.
        revision: Field<String>,
        /// Where the proxy stands. An edge (default) removes stamps that it did not set; an
        /// inner proxy leaves them alone unless a rollout here decides.
        role: Field<Role>,
        /// Where a user's identity is found; the first source with a value wins.
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 16)))]
        identity: List<Source>,
        /// Where a user's geo is found; the first source with a known one wins.
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 16)))]
        geo: List<GeoSource>,
        /// Values that stand for no identity, such as `null` or `anonymous`.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        ignore_identities: List<String>,
        /// The headers that carry a decision.
        stamp: Field<Stamp>,
        /// What Envoy's stats tell of each side; all of it by default.
        stats: Field<Stats>,
        /// Named conditions, for use in others as `{"segment": NAME}`.
        segments: Field<BTreeMap<String, Field<Condition>>>,
        /// Requests that get the baseline of their rollout and are in no figure of a variant.
        exclude: Field<Condition>,
        /// What is being released; the most specific match takes a request.
        rollouts: List<Rollout>,
        /// What operators write, by the name of the rollout.
        state: Field<BTreeMap<String, Field<State>>>,
    }

    /// One place to look for an identity: exactly one of the fields.
    #[cfg_attr(feature = "schema", schemars(extend("minProperties" = 1, "maxProperties" = 1)))]
    struct Source {
        /// A request header.
        header: Field<String>,
        /// A cookie.
        cookie: Field<String>,
        /// A claim of the bearer token, which is NOT verified here.
        jwt_claim: Field<String>,
        /// A parameter of the query; its raw value.
        query: Field<String>,
        /// The downstream remote address without port: `true`.
        source_address: Field<bool>,
    }

    /// One place to look for a geo: exactly one of the fields.
    #[cfg_attr(feature = "schema", schemars(extend("minProperties" = 1, "maxProperties" = 1)))]
    struct GeoSource {
        /// A request header.
        header: Field<String>,
        /// A cookie.
        cookie: Field<String>,
        /// A claim of the bearer token, which is NOT verified here.
        jwt_claim: Field<String>,
        /// A parameter of the query; its raw value.
        query: Field<String>,
    }

    /// The headers that carry a decision; `null` switches one off.
    struct Stamp {
        /// The request header that names the variant; `x-deployment-variant` by default.
        request_header: Field<String>,
        /// The request header that names the rollout; `x-deployment-rollout` by default.
        rollout_header: Field<Option<String>>,
        /// The request header that names the cluster; `x-deployment-cluster` by default.
        cluster_header: Field<Option<String>>,
        /// The response header that names the variant; `x-deployment-variant` by default.
        response_header: Field<Option<String>>,
        /// The request header that lists the features that are on; `x-feature-flags` by default.
        flags_header: Field<Option<String>>,
        /// Whether the decision is written to the `baggage` header too; false by default.
        baggage: Field<bool>,
        /// Whether the decision is written to the filter state for access logs; true by default.
        filter_state: Field<bool>,
        /// Whether the parts of the decision are written to filter states of their own too, for
        /// access logs in JSON: `wasm.canary.rollout`, `variant`, `reason`, `rule`, `bucket`;
        /// false by default.
        filter_state_fields: Field<bool>,
    }

    /// What Envoy's stats tell of each side beside requests, responses and decisions; `false`
    /// saves the series, and what they cost a request.
    struct Stats {
        /// How long responses were in coming.
        durations: Field<bool>,
        /// Requests and errors by the geos that the policy names.
        geos: Field<bool>,
        /// Requests that Envoy sent to the upstream more than once.
        retries: Field<bool>,
        /// Requests that went elsewhere than the variant says.
        routes: Field<bool>,
        /// Whether the split is as the weights say.
        splits: Field<bool>,
        /// Streams that are open.
        streams: Field<bool>,
    }

    /// One release in progress.
    #[cfg_attr(feature = "schema", schemars(extend("required" = ["name", "baseline", "variants"]), extend("if" = {"not": {"required": ["schedule"]}}, "then" = {"properties": {"variants": {"items": {"required": ["weight"]}}}})))]
    struct Rollout {
        /// Where the schema of this document is; ignored.
        #[serde(rename = "$schema")]
        json_schema: Field<Node>,
        /// For people; ignored.
        description: Field<Node>,
        /// For people; ignored.
        owner: Field<Node>,
        /// Its name, unique in the policy.
        #[cfg_attr(feature = "schema", schemars(regex(pattern = NAME)))]
        name: Field<String>,
        /// What is being released; a new release draws new users.
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 256)))]
        release: Field<String>,
        /// Decides who the first users are; by default the name, and the release where there is one.
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 256)))]
        salt: Field<String>,
        /// `false` gives everyone the baseline; true by default.
        enabled: Field<bool>,
        /// `true` decides and counts, but stamps and routes nothing; false by default.
        observe: Field<bool>,
        /// Requests that get the baseline and are in no figure of a variant.
        exclude: Field<Condition>,
        /// Where signed tokens stand that ask for a side.
        #[serde(rename = "override")]
        overrides: Field<Override>,
        /// When an inner proxy follows the side that an outer one has chosen.
        trust_inbound: Field<Condition>,
        /// Which requests it is for; all by default.
        #[serde(rename = "match")]
        matching: Field<Match>,
        /// What makes up a user's bucket; identity and geo where the policy has geo sources.
        #[cfg_attr(feature = "schema", schemars(extend("enum" = [["identity"], ["identity", "geo"]])))]
        bucket_by: List<BucketField>,
        /// What users without identity get; the baseline by default.
        anonymous: Field<Anonymous>,
        /// What serves everyone whom no variant takes.
        baseline: Field<Baseline>,
        /// What is being tried; new ones are appended, never inserted.
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 64)))]
        variants: List<Variant>,
        /// Weights that change by themselves.
        schedule: Field<Schedule>,
        /// Exceptions; the first whose condition holds decides.
        rules: List<Rule>,
        /// Features of the variants' users.
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 64)))]
        flags: List<Flag>,
        /// What users do, counted for the side that served them.
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 32)))]
        events: List<Event>,
        /// Whether the upstream's `endpoint-load-metrics` are read, and kept from the client;
        /// false by default.
        load_reports: Field<bool>,
        /// The proxy compares each variant with the baseline, and rolls back a bad one by itself.
        guardrail: Field<Guardrail>,
    }

    /// What is watched, and how sure the guardrail must be; at least one of `errors`, `latency`
    /// and `events`.
    #[cfg_attr(feature = "schema", schemars(extend("anyOf" = [{"required": ["errors"]}, {"required": ["latency"]}, {"required": ["events"]}])))]
    struct Guardrail {
        /// Upstream failures: 5xx, resets, time-outs.
        errors: Field<GuardedErrors>,
        /// The time to the response's headers.
        latency: Field<GuardedLatency>,
        /// Business events of the rollout, of which variants must not have fewer.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        events: List<GuardedEvent>,
        /// A variant that served fewer requests in the window is not judged; 50 by default.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000)))]
        min_requests: Field<f64>,
        /// So many distinct users must be hurt; 5 by default.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000)))]
        min_failures: Field<f64>,
        /// A rate that is worse by less than so many percentage points is no reason; 0.2 by default.
        #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 100)))]
        min_difference: Field<f64>,
        /// The chance that a variant as good as the baseline is ever rolled back, over the whole
        /// fleet; 0.01 by default.
        #[cfg_attr(feature = "schema", schemars(range(min = 1e-9, max = 0.5)))]
        alpha: Field<f64>,
        /// How many proxies judge for themselves; 1 by default.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100_000)))]
        fleet_size: Field<f64>,
        /// Which requests may count; all by default.
        count: Field<Condition>,
        /// What a breach does; `rollback` by default.
        on_breach: Field<OnBreach>,
        /// Over how long the users go back, from the top of the range: `0s` by default, at most `1h`.
        #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[0-9]{1,9}[smh]$")))]
        rollback_over: Field<String>,
    }

    /// How failures are judged.
    struct GuardedErrors {
        /// A rate in percent that is refused on its own over the window, where the baseline's is
        /// lower; none by default.
        #[cfg_attr(feature = "schema", schemars(range(min = 0.0001, max = 100)))]
        max_rate: Field<f64>,
        /// Over how long rates are taken: `5m` by default, `10s` to `1h`.
        #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[0-9]{1,9}[smh]$")))]
        window: Field<String>,
        /// A variant may fail so many times as often as the baseline; 1.25 by default.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100)))]
        tolerated_ratio: Field<f64>,
    }

    /// How slowness is judged.
    struct GuardedLatency {
        /// An increase of the 90th percentile in percent that is refused on its own when it lasts;
        /// none by default.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10_000)))]
        max_increase: Field<f64>,
        /// For how long it must last: `5m` by default, `10s` to `1h`.
        #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[0-9]{1,9}[smh]$")))]
        window: Field<String>,
        /// A variant's requests may be slow so many times as often as the baseline's; 1.25 by default.
        #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100)))]
        tolerated_ratio: Field<f64>,
    }

    /// A business event of which variants must not have fewer.
    #[cfg_attr(feature = "schema", schemars(extend("required" = ["name"])))]
    struct GuardedEvent {
        /// The name of one of the rollout's events.
        #[cfg_attr(feature = "schema", schemars(regex(pattern = NAME)))]
        name: Field<String>,
        /// A drop that is borne, in percent; 20 by default.
        #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 99)))]
        max_drop: Field<f64>,
    }

    /// A business event: its name, and how it is noticed.
    #[cfg_attr(feature = "schema", schemars(extend("required" = ["name"]), extend("oneOf" = [{"required": ["when"]}, {"required": ["response_header"]}])))]
    struct Event {
        /// Its name, unique in the rollout.
        #[cfg_attr(feature = "schema", schemars(regex(pattern = NAME)))]
        name: Field<String>,
        /// A request for which this holds.
        when: Field<Condition>,
        /// The response header in which the upstream names events, with commas between them;
        /// it is kept from the client.
        response_header: Field<String>,
    }

    /// Weights over time. Before the first step the weights that it names are 0.
    #[cfg_attr(feature = "schema", schemars(extend("required" = ["steps"])))]
    struct Schedule {
        /// In the order of time.
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1000)))]
        steps: List<Step>,
        /// A step comes into force only while one of these is open; at any time by default.
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 20)))]
        windows: List<Window>,
        /// No step comes into force during one of these.
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 200)))]
        freezes: List<Freeze>,
    }

    /// Weights from an instant on.
    #[cfg_attr(feature = "schema", schemars(extend("required" = ["from", "weights"])))]
    struct Step {
        /// From when on, as in RFC 3339: `2026-12-01T09:00:00+01:00`.
        #[cfg_attr(feature = "schema", schemars(extend("format" = "date-time")))]
        from: Field<String>,
        /// Weights in percent; variants that are not named keep theirs.
        #[cfg_attr(feature = "schema", schemars(extend("additionalProperties" = {"type": "number", "minimum": 0, "maximum": 100}, "minProperties" = 1)))]
        weights: Field<BTreeMap<String, Field<f64>>>,
    }

    /// A time of the day in which users may be moved.
    #[cfg_attr(feature = "schema", schemars(extend("required" = ["from", "to", "timezone"])))]
    struct Window {
        /// Days of the week; every day by default.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        days: List<Day>,
        /// When it opens: `09:00`.
        #[cfg_attr(feature = "schema", schemars(regex(pattern = TIME)))]
        from: Field<String>,
        /// When it is closed again, later on the same day: `17:00`, at most `24:00`.
        #[cfg_attr(feature = "schema", schemars(regex(pattern = TIME)))]
        to: Field<String>,
        /// The IANA name of the zone: `Europe/Berlin`.
        timezone: Field<String>,
    }

    /// A time in which nobody is moved.
    #[cfg_attr(feature = "schema", schemars(extend("required" = ["from", "to"])))]
    struct Freeze {
        /// From when on, as in RFC 3339.
        #[cfg_attr(feature = "schema", schemars(extend("format" = "date-time")))]
        from: Field<String>,
        /// Until when.
        #[cfg_attr(feature = "schema", schemars(extend("format" = "date-time")))]
        to: Field<String>,
        /// For people.
        reason: Field<String>,
    }

    /// Where signed tokens stand; at least one place.
    #[cfg_attr(feature = "schema", schemars(extend("required" = ["key_env"], "minProperties" = 2)))]
    struct Override {
        /// A request header.
        header: Field<String>,
        /// A cookie.
        cookie: Field<String>,
        /// A parameter of the query.
        query: Field<String>,
        /// The variable of the VM's environment that holds the key; never the key itself.
        #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[A-Za-z_][A-Za-z0-9_]{0,127}$")))]
        key_env: Field<String>,
    }

    /// A feature that goes to a part of some sides' users.
    #[cfg_attr(feature = "schema", schemars(extend("required" = ["name", "percent"])))]
    struct Flag {
        /// Its name, unique in the rollout.
        #[cfg_attr(feature = "schema", schemars(regex(pattern = NAME)))]
        name: Field<String>,
        /// The sides whose users can have it; all variants, not the baseline, by default.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        variants: List<String>,
        /// The share of their users who have it, in percent.
        #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 100)))]
        percent: Field<f64>,
        /// Decides who is first; by default the rollout's name, its release and the flag's name.
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 256)))]
        salt: Field<String>,
        /// Exceptions; the first whose condition holds gives the share.
        rules: List<FlagRule>,
    }

    /// An exception to a flag's share.
    #[cfg_attr(feature = "schema", schemars(extend("required" = ["name", "percent"])))]
    struct FlagRule {
        /// Its name, unique in the flag.
        #[cfg_attr(feature = "schema", schemars(regex(pattern = NAME)))]
        name: Field<String>,
        /// Whom it is for; everyone by default.
        when: Field<Condition>,
        /// The share in percent: 0 is off, 100 is on for everyone, also without identity.
        #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 100)))]
        percent: Field<f64>,
    }

    /// The other form of `anonymous`.
    #[cfg_attr(feature = "schema", schemars(extend("required" = ["cookie"])))]
    struct AnonymousForm {
        /// An id in a cookie.
        cookie: Field<VisitorCookie>,
    }

    /// The cookie that keeps a visitor on one side: `Secure; HttpOnly`, and these.
    struct VisitorCookie {
        /// Its name; `canary_id` by default.
        name: Field<String>,
        /// How long it lives: `30d` by default; `s`, `m`, `h`, `d`, at most `400d`.
        #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[1-9][0-9]{0,8}[smhd]$")))]
        max_age: Field<String>,
        /// Its domain; the host alone by default.
        domain: Field<String>,
        /// Its path; `/` by default.
        path: Field<String>,
        /// `lax` by default.
        same_site: Field<SameSite>,
    }

    /// Which requests a rollout is for; what is left out matches everything.
    struct Match {
        /// Hosts without port: exact ones, or `*.example.com`.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        hosts: List<String>,
        /// Prefixes of the path, by whole segments.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        path_prefixes: List<String>,
        /// Methods, in upper case.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        methods: List<String>,
    }

    /// The side that is in service already.
    #[cfg_attr(feature = "schema", schemars(extend("required" = ["name"])))]
    struct Baseline {
        /// Its name.
        #[cfg_attr(feature = "schema", schemars(regex(pattern = NAME)))]
        name: Field<String>,
        /// The cluster that serves it.
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 256)))]
        cluster: Field<String>,
    }

    /// A side that is being tried.
    #[cfg_attr(feature = "schema", schemars(extend("required" = ["name"])))]
    struct Variant {
        /// Its name, unique in the rollout.
        #[cfg_attr(feature = "schema", schemars(regex(pattern = NAME)))]
        name: Field<String>,
        /// The cluster that serves it.
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 256)))]
        cluster: Field<String>,
        /// Its share in percent, with at most four decimals; may be left out where a schedule
        /// names the variant.
        #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 100)))]
        weight: Field<f64>,
    }

    /// An exception: a variant, weights or a schedule.
    #[cfg_attr(feature = "schema", schemars(extend("required" = ["name"]), extend("oneOf" = [{"required": ["variant"]}, {"required": ["weights"]}, {"required": ["schedule"]}])))]
    struct Rule {
        /// Its name, unique in the rollout.
        #[cfg_attr(feature = "schema", schemars(regex(pattern = NAME)))]
        name: Field<String>,
        /// Whom it is for; everyone by default.
        when: Field<Condition>,
        /// The side that they all get; the baseline can be one.
        variant: Field<String>,
        /// Weights in percent in place of the variants' own, on the same bucket.
        #[cfg_attr(feature = "schema", schemars(extend("additionalProperties" = {"type": "number", "minimum": 0, "maximum": 100}, "minProperties" = 1)))]
        weights: Field<BTreeMap<String, Field<f64>>>,
        /// Weights over time in place of the variants' own, on the same bucket.
        schedule: Field<Schedule>,
    }

    /// A condition holds where everything in it holds; an empty one always holds.
    struct Condition {
        /// The geo is one of these; `"*"` is any known one.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        geo: List<String>,
        /// The method is one of these.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        methods: List<String>,
        /// The host is one of these, or ends as a `*.` one says.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        hosts: List<String>,
        /// One of these covers the path.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        path_prefixes: List<String>,
        /// The identity is one of these.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        identity: List<String>,
        /// In a segment: the hash of the identity is one of these, see `canaryctl hash-ids`.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        identity_hashes: List<String>,
        /// The source address is in one of these networks: `10.0.0.0/8`, `2001:db8::/32`.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        source: List<String>,
        /// The request is in this segment.
        #[cfg_attr(feature = "schema", schemars(regex(pattern = NAME)))]
        segment: Field<String>,
        /// A claim of the bearer token, which is NOT verified here, looks like this.
        jwt: Field<NamedClaim>,
        /// A request header looks like this.
        header: Field<NamedText>,
        /// A cookie looks like this.
        cookie: Field<NamedText>,
        /// A parameter of the query looks like this.
        query: Field<NamedText>,
        /// The condition in here does not hold.
        not: Field<Box<Condition>>,
        /// At least one of the conditions in here holds.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        any: List<Condition>,
        /// In an event: what came of the request is of one of these classes (`2xx`; of a gRPC call
        /// by its `grpc-status`), or the answer has one of these codes (`201`).
        #[cfg_attr(feature = "schema", schemars(length(min = 1), inner(regex(pattern = "^[1-5]([0-9][0-9]|xx)$"))))]
        status: List<String>,
    }

    /// What a named value looks like: the name and exactly one of the others.
    #[cfg_attr(feature = "schema", schemars(extend("required" = ["name"]), extend("minProperties" = 2, "maxProperties" = 2)))]
    struct NamedText {
        /// The name of the header, cookie or parameter.
        name: Field<String>,
        /// It is exactly this.
        equals: Field<String>,
        /// It is one of these.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        one_of: List<String>,
        /// It begins with this.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        prefix: Field<String>,
        /// It ends with this.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        suffix: Field<String>,
        /// This stands somewhere in it.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        contains: Field<String>,
        /// It is there (`true`), or it is not (`false`).
        present: Field<bool>,
    }

    /// What a claim looks like, or an entry of one that is a list: its name and exactly one of
    /// the others.
    #[cfg_attr(feature = "schema", schemars(extend("required" = ["claim"]), extend("minProperties" = 2, "maxProperties" = 2)))]
    struct NamedClaim {
        /// The name of the claim.
        claim: Field<String>,
        /// It is exactly this.
        equals: Field<String>,
        /// It is one of these.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        one_of: List<String>,
        /// It begins with this.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        prefix: Field<String>,
        /// It ends with this.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        suffix: Field<String>,
        /// This stands somewhere in it.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        contains: Field<String>,
        /// It is there (`true`), or it is not (`false`).
        present: Field<bool>,
    }

    /// What operators and `canaryctl` write for one rollout.
    struct State {
        /// Holds only for this release; for any where it is left out.
        release: Field<String>,
        /// Variants whose users get the baseline.
        rolled_back: List<String>,
        /// A text that was not there before takes back what the guardrail has rolled back, and it
        /// begins anew.
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 256)))]
        resume: Field<String>,
        /// When that was done, as in RFC 3339: their schedules stand still from then on.
        #[cfg_attr(feature = "schema", schemars(extend("format" = "date-time")))]
        since: Field<String>,
        /// Weights in percent in place of the variants' own.
        #[cfg_attr(feature = "schema", schemars(extend("additionalProperties" = {"type": "number", "minimum": 0, "maximum": 100}, "minProperties" = 1)))]
        weights: Field<BTreeMap<String, Field<f64>>>,
    }
}

/// What names of rollouts, variants and rules look like.
#[cfg(feature = "schema")]
const NAME: &str = "^[A-Za-z0-9._-]{1,64}$";

/// What times of the day look like.
#[cfg(feature = "schema")]
const TIME: &str = "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$";

/// Where the proxy stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Clients talk to it.
    #[default]
    Edge,
    /// Other proxies talk to it.
    Inner,
}

/// A field of the bucket's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum BucketField {
    /// The user's identity.
    Identity,
    /// The user's geo.
    Geo,
}

/// What a breach of the guardrail does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum OnBreach {
    /// The variant's users get the baseline.
    Rollback,
    /// It is told, and nothing else.
    Alert,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// When a cookie comes with requests from other sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum SameSite {
    /// With links to this one only.
    Lax,
    /// Never.
    Strict,
    /// Always.
    None,
}

/// What users without identity get: a word, or an object with the cookie's settings.
#[derive(Clone, Debug)]
pub(super) struct Anonymous(pub(super) Node);

impl<'de> Deserialize<'de> for Anonymous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Node::deserialize(deserializer).map(Self)
    }
}

#[cfg(feature = "schema")]
impl JsonSchema for Anonymous {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Anonymous".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let form = generator.subschema_for::<AnonymousForm>();
        schemars::json_schema!({"oneOf": [{"enum": ["baseline", "random"]}, form]})
    }
}

#[cfg(feature = "schema")]
impl JsonSchema for Node {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Anything".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        true.into()
    }
}
