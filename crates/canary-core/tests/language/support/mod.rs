//! A request written down, and policies made short.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by several tests, which may panic"
)]

pub mod written;

use std::borrow::Cow;

use canary_core::decide::{Ambient, Decision, decide};
use canary_core::exchange::{Change, End, Moment};
use canary_core::policy::Policy;
use canary_core::request::RequestView;

/// A request with these headers, in order.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub headers: Vec<(String, Vec<u8>)>,
    pub source: Option<String>,
}

impl RequestView for Request {
    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_slice())
    }

    fn joined(&self, name: &str, separator: &[u8]) -> Option<Cow<'_, [u8]>> {
        let mut named =
            self.headers.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_slice());
        let first = named.next()?;
        let mut joined = Cow::Borrowed(first);
        for value in named {
            joined.to_mut().extend([separator, value].concat());
        }
        Some(joined)
    }

    fn source_address(&self) -> Option<Cow<'_, [u8]>> {
        self.source.as_ref().map(|source| source.as_bytes().into())
    }
}

/// How an exchange ended; by default nothing is known of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ended {
    pub is_sampled: bool,
    pub grpc_status: Option<&'static str>,
    pub attempts: Option<u64>,
    pub cluster: Option<&'static str>,
    pub details: Option<&'static str>,
    pub moment: Option<u64>,
}

impl End for Ended {
    fn is_sampled(&self) -> bool {
        self.is_sampled
    }

    fn grpc_status(&self) -> Option<Vec<u8>> {
        self.grpc_status.map(Into::into)
    }

    fn attempts(&self) -> Option<u64> {
        self.attempts
    }

    fn cluster(&self) -> Option<Vec<u8>> {
        self.cluster.map(Into::into)
    }

    fn details(&self) -> Option<Vec<u8>> {
        self.details.map(Into::into)
    }

    fn moment(&self) -> Option<Moment> {
        self.moment.map(Moment)
    }
}

/// Reads a response with these headers.
pub fn response<'h>(headers: &'h [(&str, &str)]) -> impl Fn(&str) -> Option<Vec<u8>> + 'h {
    |name| headers.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_bytes().to_vec())
}

/// A response without a body, or anything to tell.
pub const OK: [(&str, &str); 1] = [(":status", "200")];

/// `GET host path` with these headers.
pub fn request(method: &str, host: &str, path: &str, headers: &[(&str, &str)]) -> Request {
    let pseudo = [(":method", method), (":authority", host), (":path", path)];
    let headers = pseudo.iter().chain(headers);
    let headers = headers.map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    Request { headers: headers.collect(), source: None }
}

/// `GET shop.example.com/` with these headers.
pub fn get(headers: &[(&str, &str)]) -> Request {
    request("GET", "shop.example.com", "/", headers)
}

pub fn policy(text: &str) -> Policy {
    Policy::parse(text.as_bytes()).unwrap_or_else(|problems| unwrap_failed(&problems.to_string()))
}

#[track_caller]
#[allow(clippy::panic, reason = "a test may panic")]
fn unwrap_failed(problems: &str) -> ! {
    panic!("a good policy was refused:\n{problems}")
}

/// A policy with identity `x-user-id`, geo `x-geo-country` and these rollouts.
pub fn with_rollouts(rollouts: &str) -> Policy {
    policy(&format!(
        r#"{{"version": 1, "identity": [{{"header": "x-user-id"}}], "geo": [{{"header": "x-geo-country"}}],
            "rollouts": [{rollouts}]}}"#
    ))
}

/// The beginning of 1970, with these random bits.
pub fn drawn(random: &dyn Fn() -> Option<u128>) -> Ambient<'_> {
    Ambient { random, ..Ambient::at(0) }
}

/// A change in short: `name=value`, `+name=value`, `-name`.
pub fn change(change: &Change<'_>) -> Option<String> {
    match change {
        Change::Leave => None,
        Change::Set(name, value) => Some(format!("{name}={}", String::from_utf8_lossy(value))),
        Change::Add(name, value) => Some(format!("+{name}={}", String::from_utf8_lossy(value))),
        Change::Remove(name) => Some(format!("-{name}")),
    }
}

/// `rollout variant reason rule bucket`, as in access logs but for the keys.
pub fn decided(policy: &Policy, request: &Request) -> String {
    show(&decide(policy, request, drawn(&|| Some(0))))
}

pub fn show(decision: &Decision<'_>) -> String {
    let line = decision.to_string();
    line.split(' ')
        .filter_map(|pair| pair.split_once('='))
        .map(|(_, value)| value)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The variant alone.
pub fn variant<'p>(policy: &'p Policy, request: &Request) -> &'p str {
    decide(policy, request, drawn(&|| Some(0))).variant.map_or("-", |variant| &variant.name)
}

/// One row, one rule: a policy and its problems.
#[allow(unused_macros, reason = "shared")]
macro_rules! rows {
    ($($name:ident: $policy:expr => $problems:expr;)*) => {$(
        #[test]
        fn $name() {
            let expected: &[&str] = &$problems;
            assert_eq!($crate::support::written::problems(&$policy), expected);
        }
    )*};
}
#[allow(unused_imports, reason = "shared")]
pub(crate) use rows;
