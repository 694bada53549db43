//! The filter: the only code that knows proxy-wasm. It reads, asks the core, and applies
//! what the core returns; no policy is decided here.
//!
//! | module | what it holds |
//! |---|---|
//! | `root` | one plugin configuration: loading a policy, falling back to the last good one, ticks |
//! | `http` | one stream: header map → exchange → apply the plan |
//! | `stats` | metric names and ids, counters gathered between ticks |
//! | `table` | what is counted of requests, and under which names |
//! | `draws` | users whom a split has drawn, each once in all workers |
//! | `gauges` | the gauges of a policy, and of the rollouts that have left it |
//! | `guard` | the guardrail's rounds between workers |
//! | `plugin` | what the VMs of a plugin share: the last good policy, what was told |
//! | `random` | random bits, many at once |
//! | `logger` | Envoy's log, not flooded |
//! | `host` | host calls that cannot trap |
//! | `header_map` | a request's header map, read in place |

mod draws;
mod gauges;
mod guard;
mod header_map;
mod host;
mod http;
mod logger;
mod plugin;
mod random;
mod root;
mod stats;
mod table;

use std::rc::Rc;

use proxy_wasm::traits::RootContext;

use root::Root;
use stats::Stats;

thread_local! {
    /// What outlives a root context: a VM is reused for the next configuration, and metric ids
    /// with it. The SDK takes a plain function as constructor, so there is no other place.
    static STATS: Rc<Stats> = Rc::default();
}

/// The module's entry, in a module of its own since the SDK's macro gives it no documentation.
#[allow(missing_docs, reason = "the macro's function")]
mod entry {
    use super::{Rc, Root, RootContext, STATS, logger};

    proxy_wasm::main! {{
        logger::start();
        proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> {
            Box::new(Root::new(STATS.with(Rc::clone)))
        });
    }}
}
