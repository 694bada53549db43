//! One stream: the header map goes in, the plan of the core is applied.

use std::rc::Rc;

use canary_core::exchange::{Change, Exchange};
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
            active.policy.foreign_stamps().for_each(host::remove_request_header);
            return Action::Continue;
        };
        let random = || active.random();
        let (exchange, plan) = Exchange::on_request(&active.policy, &headers, active.ambient(&random));
        self.exchange = exchange;
        for change in plan.stamps.iter().chain(&plan.more) {
            match change {
                Change::Leave => {}
                Change::Set(name, value) => host::replace_request_header(name, value),
                Change::Remove(name) => host::remove_request_header(name),
            }
        }
        if plan.log {
            active.log_decision(&plan.decision);
        }
        active.table.request(&plan, &active.stats);
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if self.exchange.is_served() {
            let status = host::response_header(":status").unwrap_or_default();
            let cache_control = || host::response_header("cache-control");
            let plan = self.exchange.on_response(&self.active.policy, &status, cache_control);
            if let Change::Set(name, value) = plan.stamp {
                host::replace_response_header(name, &value);
            }
            if let Some(value) = plan.set_cookie {
                host::add_response_header("set-cookie", &value);
            }
            if let Some(value) = plan.cache_control {
                host::replace_response_header("cache-control", &value);
            }
        }
        Action::Continue
    }

    fn on_log(&mut self) {
        if let Some(outcome) = self.exchange.on_end() {
            self.active.table.response(outcome, &self.active.policy, &self.active.stats);
        }
        self.active.stream_ended();
    }
}
