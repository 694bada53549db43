//! What decides: a policy and a request in, a decision out.
//!
//! Pure: no I/O, no clock, no randomness, nothing of proxy-wasm. What must come from
//! outside is a parameter, and effects are returned as data.
//!
//! | module | what it holds |
//! |---|---|
//! | [`policy`] | the policy language: JSON → checked [`policy::Policy`], every problem at once |
//! | [`mod@decide`] | policy + request → [`decide::Decision`]: the one evaluator |
//! | [`exchange`] | one HTTP exchange as plans: stamps on the request and response, what to count |
//! | [`code_class`] | the classes of status codes, and of those of gRPC |
//! | [`event`] | business events: what users do |
//! | [`load_report`] | what upstreams say of their load |
//! | [`sightings`] | who was drawn today, so that each user counts once |
//! | [`sampler`] | which requests are looked at more closely |
//! | [`guardrail`] | whether a variant is worse than its baseline |
//! | [`stamp`] | the headers that carry a decision |
//! | [`geo`] | where a request comes from |
//! | [`bucket`] | salt and key → a point on the circle; frozen |
//! | [`split`] | weights → ranges of the circle, so that ramps move few users; frozen |
//! | [`timeline`], [`calendar`], [`zone`] | splits over time; when a schedule may move users; IANA time zones |
//! | [`latch`] | what guardrails have rolled back, and until when |
//! | [`rollback`] | variants that the guardrail has rolled back |
//! | [`rollout`] | the checked rollout: variants, split, rules |
//! | [`condition`] | what rules ask of a request |
//! | [`flag`] | features for a part of a variant's users |
//! | [`forced`], [`token`] | sides that signed tokens ask for |
//! | [`visitor`] | the cookie of those who have no identity |
//! | [`route`] | which rollout a request belongs to |
//! | [`duration`] | lengths of time as people write them |
//! | [`bytes`] | tables whose keys are raw bytes |
//! | [`request`] | the port through which a request is read |
#![forbid(unsafe_code)]

pub mod bucket;
pub mod bytes;
pub mod calendar;
pub mod code_class;
pub mod condition;
pub mod decide;
pub mod duration;
pub mod event;
pub mod exchange;
pub mod flag;
pub mod forced;
pub mod geo;
pub mod guardrail;
pub mod ip_set;
pub mod latch;
pub mod load_report;
pub mod policy;
pub mod request;
pub mod rollback;
pub mod rollout;
pub mod route;
pub mod sampler;
pub mod sightings;
pub mod split;
pub mod stamp;
pub mod timeline;
pub mod token;
pub mod visitor;
pub mod zone;

mod baggage;
mod decimal;
mod facts;
mod host_set;
mod inbound;
mod path_trie;
