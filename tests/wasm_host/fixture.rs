//! What the tests share: the artefact, a policy, a request, a whole life of a VM.

use crate::harness::{Artefact, CONTINUE, Host, Pairs, Vm, pairs};

/// One identity header, one rollout with one variant.
pub(crate) const BASIC: &str = include_str!("../../benches/policies/basic.json");

/// Every feature: segments, tokens, a visitor's cookie, a schedule, flags, baggage, exclusions.
pub(crate) const ALL: &str = include_str!("../../benches/policies/all.json");

/// Every figure: geos, events, load reports.
pub(crate) const FIGURES: &str = include_str!("../../benches/policies/figures.json");

/// Half of the users on a canary, which is watched.
pub(crate) const GUARDED: &str = r#"{
  "version": 1, "identity": [{"header": "x-user-id"}],
  "rollouts": [{
    "name": "checkout", "release": "v2", "baseline": {"name": "stable"}, "variants": [{"name": "canary", "weight": 50}],
    "events": [{"name": "purchase", "when": {"status": ["2xx"]}}],
    "guardrail": {"errors": {"max_rate": 1.0, "window": "10s"}, "latency": {"max_increase": 50}, "events": [{"name": "purchase"}]}
  }]
}"#;

/// Reads everything that a policy can read: headers, cookie, token, query and
/// the remote address.
pub(crate) const CURIOUS: &str = r#"{
  "version": 1, "revision": "7", "role": "edge",
  "identity": [{"header": "x-user-id"}, {"cookie": "uid"}, {"jwt_claim": "sub"}, {"query": "uid"}, {"source_address": true}],
  "geo": [{"header": "x-geo-country"}],
  "rollouts": [{
    "name": "checkout", "release": "v2",
    "match": {"hosts": ["shop.example.com", "*.shop.example.com"], "path_prefixes": ["/checkout"], "methods": ["GET", "POST"]},
    "anonymous": "random",
    "baseline": {"name": "stable", "cluster": "checkout-v1"},
    "variants": [{"name": "canary", "cluster": "checkout-v2", "weight": 40}, {"name": "other", "weight": 20}],
    "rules": [
      {"name": "employees", "when": {"header": {"name": "x-employee", "equals": "true"}}, "variant": "canary"},
      {"name": "pilots", "when": {"any": [{"cookie": {"name": "pilot", "present": true}}, {"query": {"name": "pilot", "prefix": "y"}}]}, "variant": "other"},
      {"name": "dach", "when": {"geo": ["DE", "AT", "CH"], "not": {"methods": ["POST"]}}, "weights": {"canary": 60}}
    ]
  }],
  "state": {"checkout": {"release": "v2", "rolled_back": ["other"]}}
}"#;

/// The filter under test; `None`, said aloud, where there is none to test.
pub(crate) fn artefact() -> Option<Artefact> {
    let path = canary_lab::needs("CANARY_WASM")?;
    Some(Artefact::load(&path).unwrap_or_else(|e| panic!("CANARY_WASM: {e}")))
}

/// A world at a fixed time, with a remote address and an upstream that answered at once.
pub(crate) fn host() -> Host {
    let properties = [
        ("source\0address", &b"203.0.113.7:4711"[..]),
        ("upstream\0request_attempt_count", &[1, 0, 0, 0, 0, 0, 0, 0]),
        ("xds\0cluster_name", b"checkout-v1"),
    ];
    let properties = properties.map(|(path, value)| (path.as_bytes().to_vec(), value.to_vec()));
    Host {
        now_ns: 1_764_547_200_000_000_000,
        properties: properties.into_iter().collect(),
        ..Host::default()
    }
}

/// A VM that serves `policy`.
pub(crate) fn serving(artefact: &Artefact, policy: &str) -> Vm {
    let mut vm = Vm::start(artefact, host()).unwrap();
    assert!(vm.configure(policy).unwrap(), "the policy is refused: {:?}", vm.host().log);
    vm
}

/// A browser's request of one user.
pub(crate) fn browser(user: &str) -> Pairs {
    pairs(&[
        (":authority", "shop.example.com"),
        (":path", "/checkout/cart?step=2"),
        (":method", "GET"),
        (":scheme", "https"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("accept-language", "de-DE,de;q=0.8,en;q=0.5"),
        ("accept-encoding", "gzip, deflate, br"),
        ("cookie", "theme=dark; session=0f2c6d5a9b7e4f13; consent=1"),
        ("x-request-id", "c2b1f6de-6a0e-4b44-93a6-64a8c0a6f3de"),
        ("x-forwarded-proto", "https"),
        ("x-geo-country", "DE"),
        ("x-user-id", user),
    ])
}

/// An upstream's response.
pub(crate) fn ok() -> Pairs {
    pairs(&[(":status", "200"), ("content-type", "text/html"), ("server", "envoy")])
}

/// A call of gRPC.
pub(crate) fn call(user: &str) -> Pairs {
    let mut call = browser(user);
    call.retain(|(name, _)| name != b":method");
    call.extend(pairs(&[(":method", "POST"), ("content-type", "application/grpc")]));
    call
}

/// An upstream that fails.
pub(crate) fn failed() -> Pairs {
    pairs(&[(":status", "503"), ("server", "envoy")])
}

/// An upstream's response that tells of events and of its load.
pub(crate) fn telling() -> Pairs {
    pairs(&[
        (":status", "200"),
        ("x-canary-event", "signup"),
        ("endpoint-load-metrics", "TEXT cpu_utilization=0.5"),
        ("grpc-status", "13"),
    ])
}

/// One whole request; an error where a callback does not let the stream go on.
pub(crate) fn exchange(vm: &mut Vm, request: Pairs, response: Pairs) -> Result<(), String> {
    let (id, action) = vm.request(request)?;
    let answered = vm.response(id, response)?;
    vm.end(id)?;
    match (action, answered) {
        (CONTINUE, CONTINUE) => Ok(()),
        stopped => Err(format!("the stream is stopped: {stopped:?}")),
    }
}
