//! Any bytes as a request under a policy that uses every condition: the same decision
//! twice, never a panic.
#![no_main]

use std::borrow::Cow;
use std::sync::LazyLock;

use canary_core::decide::{Ambient, decide};
use canary_core::exchange::{End, Exchange, Moment};
use canary_core::forced::KeyRing;
use canary_core::policy::Policy;
use canary_core::request::RequestView;
use canary_core::rollback::NOTHING;
use libfuzzer_sys::fuzz_target;

static POLICY: LazyLock<Policy> =
    LazyLock::new(|| Policy::parse(include_bytes!("every_condition.json")).expect("a good policy"));

/// The input, cut at each NUL: one value for each header that the policy reads.
struct Request<'a>(Vec<&'a [u8]>);

const HEADERS: [&str; 13] = [
    ":method",
    ":authority",
    ":path",
    "cookie",
    "authorization",
    "x-user-id",
    "x-geo-country",
    "x-test",
    "accept",
    "baggage",
    "x-deployment-rollout",
    "x-deployment-variant",
    "x-token",
];

impl RequestView for Request<'_> {
    fn header(&self, name: &str) -> Option<&[u8]> {
        let place = HEADERS.iter().position(|header| *header == name)?;
        self.0.get(place).copied()
    }

    fn joined(&self, name: &str, _: &[u8]) -> Option<Cow<'_, [u8]>> {
        self.header(name).map(Cow::Borrowed)
    }

    fn source_address(&self) -> Option<Cow<'_, [u8]>> {
        self.0.get(HEADERS.len()).map(|raw| Cow::Borrowed(*raw))
    }
}

/// A key, as a token's would be.
static KEYS: LazyLock<KeyRing> =
    LazyLock::new(|| KeyRing::new(&POLICY, |_| Some(vec![b'k'; 32]), |_, _, _| {}));

fuzz_target!(|bytes: &[u8]| {
    let request = Request(bytes.split(|byte| *byte == 0).collect());
    // December 2026, when the policy's steps are in force.
    let ambient = Ambient { now: 1_796_000_000, random: &|| Some(7), keys: Some(&KEYS), rollbacks: &NOTHING };
    let once = decide(&POLICY, &request, ambient).to_string();
    assert_eq!(once, decide(&POLICY, &request, ambient).to_string());
    let (mut exchange, _) = Exchange::on_request(&POLICY, &request, ambient);
    exchange.on_response(&POLICY, || None, |_| Some(bytes.to_vec()));
    exchange.on_end(&POLICY, &Ended(bytes));
});

/// An exchange of which everything that is told is the input.
struct Ended<'a>(&'a [u8]);

impl End for Ended<'_> {
    fn is_sampled(&self) -> bool {
        true
    }

    fn grpc_status(&self) -> Option<Vec<u8>> {
        Some(self.0.to_vec())
    }

    fn attempts(&self) -> Option<u64> {
        u64::try_from(self.0.len()).ok()
    }

    fn cluster(&self) -> Option<Vec<u8>> {
        (self.0.len() % 2 == 0).then(|| self.0.to_vec())
    }

    fn details(&self) -> Option<Vec<u8>> {
        Some(self.0.to_vec())
    }

    fn moment(&self) -> Option<Moment> {
        u64::try_from(self.0.len()).ok().map(Moment)
    }
}
