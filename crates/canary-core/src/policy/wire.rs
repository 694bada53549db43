//! The policy language as it is written: the one place that names its fields.
//!
//! Every field may be missing or bad here; what must be there, and what it means, is
//! decided by the checks beside this file. The JSON Schema comes from these structs too.

#![allow(clippy::struct_field_names, reason = "the fields are named as users write them")]

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Unexpected, Visitor};

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
        /// The headers that carry a decision.
        stamp: Field<Stamp>,
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
        /// Whether the decision is written to the filter state for access logs; true by default.
        filter_state: Field<bool>,
    }

    /// One release in progress.
    #[cfg_attr(feature = "schema", schemars(extend("required" = ["name", "baseline", "variants"])))]
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
        /// Exceptions; the first whose condition holds decides.
        rules: List<Rule>,
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
    #[cfg_attr(feature = "schema", schemars(extend("required" = ["name", "weight"])))]
    struct Variant {
        /// Its name, unique in the rollout.
        #[cfg_attr(feature = "schema", schemars(regex(pattern = NAME)))]
        name: Field<String>,
        /// The cluster that serves it.
        #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 256)))]
        cluster: Field<String>,
        /// Its share in percent, with at most four decimals.
        #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 100)))]
        weight: Field<f64>,
    }

    /// An exception: either a variant or weights.
    #[cfg_attr(feature = "schema", schemars(extend("required" = ["name"]), extend("oneOf" = [{"required": ["variant"]}, {"required": ["weights"]}])))]
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

    /// What operators and `canaryctl` write for one rollout.
    struct State {
        /// Holds only for this release; for any where it is left out.
        release: Field<String>,
        /// Variants whose users get the baseline.
        rolled_back: List<String>,
        /// Weights in percent in place of the variants' own.
        #[cfg_attr(feature = "schema", schemars(extend("additionalProperties" = {"type": "number", "minimum": 0, "maximum": 100}, "minProperties" = 1)))]
        weights: Field<BTreeMap<String, Field<f64>>>,
    }
}

/// What names of rollouts, variants and rules look like.
#[cfg(feature = "schema")]
const NAME: &str = "^[A-Za-z0-9._-]{1,64}$";

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

/// What users without identity get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename_all = "snake_case"))]
pub(super) enum Anonymous {
    /// The baseline, unless one variant holds everyone.
    Baseline,
    /// A draw for each request, by weight.
    Random,
}

impl<'de> Deserialize<'de> for Anonymous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = Anonymous;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("\"baseline\" or \"random\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Anonymous, E> {
                match text {
                    "baseline" => Ok(Anonymous::Baseline),
                    "random" => Ok(Anonymous::Random),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, _map: A) -> Result<Anonymous, A::Error> {
                Err(A::Error::custom(
                    "the cookie form is not supported by this version, use \"baseline\" or \"random\"",
                ))
            }
        }

        deserializer.deserialize_any(Form)
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
