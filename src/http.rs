//! One stream: the header map goes in, the plan of the core is applied.

use std::rc::Rc;

use canary_core::exchange::{Change, End, Exchange, Moment};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::host;
use crate::root::Active;

/// One stream. It keeps the policy with which it began, whatever is loaded meanwhile.
pub(crate) struct Http {
    active: Rc<Active>,
    exchange: Exchange,
}

impl Http {
    /// A stream that has not begun.
    pub(crate) fn new(active: Rc<Active>) -> Self {
        Self { active, exchange: Exchange::default() }
    }
}

impl Context for Http {}

impl HttpContext for Http {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let active = &*self.active;
        let Ok(headers) = host::request_headers() else {
            // Nothing is known of the request: nobody gets a variant by a stamp of their own.
            let stamps = active.policy.foreign_stamps().map(Change::Remove);
            stamps.for_each(|stamp| host::change_request_header(&stamp));
            return Action::Continue;
        };
        let random = || active.random();
        let rollbacks = active.rollbacks.borrow();
        let ambient = active.ambient(&random, &rollbacks);
        let (exchange, plan) = Exchange::on_request(&active.policy, &headers, ambient);
        self.exchange = exchange;
        plan.stamps.iter().chain(&plan.more).for_each(host::change_request_header);
        if plan.log {
            active.log_decision(&plan.decision);
        }
        if plan.log_fields {
            for (name, value) in plan.decision.fields() {
                host::set_filter_state(name, value.as_bytes());
            }
        }
        active.count_request(&plan);
        self.exchange.begin(&active.policy, host::moment);
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if self.exchange.is_served() {
            let active = &*self.active;
            let plan = self.exchange.on_response(&active.policy, host::moment, host::response_header);
            host::change_response_header(&plan.stamp);
            plan.more.iter().for_each(host::change_response_header);
            active.table.response(&plan, &active.policy, &active.stats);
        }
        Action::Continue
    }

    fn on_log(&mut self) {
        let active = &*self.active;
        if let Some(outcome) = self.exchange.on_end(&active.policy, &Ended(active)) {
            active.count_end(outcome);
        }
        active.stream_ended();
    }
}

/// A stream that is over, as Envoy tells of it while it is logged.
struct Ended<'a>(&'a Active);

impl End for Ended<'_> {
    fn is_sampled(&self) -> bool {
        self.0.sampler.takes()
    }

    fn grpc_status(&self) -> Option<Vec<u8>> {
        const NAME: &str = "grpc-status";
        host::response_trailer(NAME).or_else(|| host::response_header(NAME))
    }

    fn attempts(&self) -> Option<u64> {
        let bytes = host::property("upstream\0request_attempt_count")?;
        Some(u64::from_le_bytes(*bytes.first_chunk()?))
    }

    fn cluster(&self) -> Option<Vec<u8>> {
        host::property("xds\0cluster_name")
    }

    fn details(&self) -> Option<Vec<u8>> {
        host::property("response\0code_details")
    }

    fn moment(&self) -> Option<Moment> {
        host::moment()
    }
}
