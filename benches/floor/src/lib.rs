//! What the host calls alone cost: the same SDK and the same host calls as the
//! filter makes for a request under the bare policy, with a fixed decision. It
//! reads no policy, parses no header and hashes nothing. Its configuration names a call
//! that it leaves out, so that the difference is what that call costs.
#![cfg(target_arch = "wasm32")]
#![allow(missing_docs, reason = "the function that the SDK's macro makes has none")]

// The filter's own, so that the calls are the same to the last instruction.
#[path = "../../../src/header_map.rs"]
#[allow(dead_code, reason = "the floor reads no header")]
mod header_map;
#[path = "../../../src/host.rs"]
#[allow(dead_code, reason = "the floor makes only the calls of the request path")]
mod host;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use canary_core::exchange::Change;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

use host::MetricKind;

const STAMPS: [(&str, &str); 3] = [
    ("x-deployment-variant", "stable"),
    ("x-deployment-rollout", "checkout"),
    ("x-deployment-cluster", "checkout-v1"),
];
const DECISION: &[u8] = b"rollout=checkout variant=stable reason=SPLIT rule=- bucket=293770";
const COUNTERS: [&str; 3] = [
    "rollout=.=checkout;.;variant=.=stable;.;floor_requests_total",
    "rollout=.=checkout;.;variant=.=stable;.;code_class=.=2xx;.;floor_responses_total",
    "rollout=.=checkout;.;reason=.=SPLIT;.;floor_decisions_total",
];

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}

#[derive(Default)]
struct Root {
    ids: Vec<u32>,
    gathered: Rc<Gathered>,
    without: Option<Call>,
}

/// What can be left out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Map,
    Stamps,
    FilterState,
    Status,
    ResponseStamp,
}

/// Requests and responses since the last flush.
#[derive(Default)]
struct Gathered {
    requests: Cell<i64>,
    responses: Cell<i64>,
}

struct Stream {
    without: Option<Call>,
    gathered: Rc<Gathered>,
    answered: bool,
}

// === impl Root ===

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, len: usize) -> bool {
        self.without = match host::plugin_configuration(len).unwrap_or_default().trim_ascii() {
            b"map" => Some(Call::Map),
            b"stamps" => Some(Call::Stamps),
            b"filter state" => Some(Call::FilterState),
            b"status" => Some(Call::Status),
            b"response stamp" => Some(Call::ResponseStamp),
            _ => None,
        };
        let ids = COUNTERS.iter().map(|name| host::define_metric(MetricKind::Counter, name));
        self.ids = ids.map(Result::unwrap_or_default).collect();
        host::set_tick_period(Duration::from_millis(200));
        true
    }

    fn on_tick(&mut self) {
        let (requests, responses) = (self.gathered.requests.take(), self.gathered.responses.take());
        for (id, count) in self.ids.iter().zip([requests, responses, requests]) {
            if count > 0 {
                let _logged = host::increment_metric(*id, count);
            }
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        let gathered = Rc::clone(&self.gathered);
        Some(Box::new(Stream { without: self.without, gathered, answered: false }))
    }
}

// === impl Stream ===

impl Stream {
    fn makes(&self, call: Call) -> bool {
        self.without != Some(call)
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let map = self.makes(Call::Map).then(host::request_headers);
        if self.makes(Call::Stamps) {
            for (name, value) in STAMPS {
                host::change_request_header(&Change::Set(name, value.as_bytes().into()));
            }
        }
        drop(map);
        if self.makes(Call::FilterState) {
            host::set_filter_state("canary.decision", DECISION);
        }
        self.gathered.requests.set(self.gathered.requests.get() + 1);
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        self.answered = !self.makes(Call::Status) || host::response_header(":status").is_some();
        if self.makes(Call::ResponseStamp) {
            host::change_response_header(&Change::Set("x-deployment-variant", b"stable".into()));
        }
        Action::Continue
    }

    fn on_log(&mut self) {
        if self.answered {
            self.gathered.responses.set(self.gathered.responses.get() + 1);
        }
    }
}
