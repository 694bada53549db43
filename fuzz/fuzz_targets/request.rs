//! Any bytes as a request under a policy that uses every condition: the same decision
//! twice, never a panic.
#![no_main]

use std::borrow::Cow;
use std::sync::LazyLock;

use canary_core::decide::{Ambient, decide};
use canary_core::policy::Policy;
use canary_core::request::RequestView;
use libfuzzer_sys::fuzz_target;

static POLICY: LazyLock<Policy> =
    LazyLock::new(|| Policy::parse(include_bytes!("every_condition.json")).expect("a good policy"));

/// The input, cut at each NUL: one value for each header that the policy reads.
struct Request<'a>(Vec<&'a [u8]>);

const HEADERS: [&str; 8] =
    [":method", ":authority", ":path", "cookie", "authorization", "x-user-id", "x-geo-country", "x-test"];

impl RequestView for Request<'_> {
    fn header(&self, name: &str) -> Option<&[u8]> {
        let place = HEADERS.iter().position(|header| *header == name)?;
        self.0.get(place).copied()
    }

    fn source_address(&self) -> Option<Cow<'_, [u8]>> {
        self.0.get(HEADERS.len()).map(|raw| Cow::Borrowed(*raw))
    }
}

fuzz_target!(|bytes: &[u8]| {
    let request = Request(bytes.split(|byte| *byte == 0).collect());
    let once = decide(&POLICY, &request, Ambient::at(0)).to_string();
    assert_eq!(once, decide(&POLICY, &request, Ambient::at(0)).to_string());
});
