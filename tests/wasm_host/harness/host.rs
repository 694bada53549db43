//! The world that a filter sees, as plain data: set it before a callback, read
//! it after one.

use std::collections::BTreeMap;

use super::pairs::Pairs;
use super::status;

/// The state of the world and the record of what the filter did to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Host {
    /// The request headers of the stream that is being served.
    pub(crate) request_headers: Pairs,
    /// The response headers of the stream that is being served.
    pub(crate) response_headers: Pairs,
    /// The response trailers, which can be read when the stream is logged.
    pub(crate) response_trailers: Pairs,
    /// Handed over in place of an honestly serialised header map, where set.
    pub(crate) raw_map: Option<Vec<u8>>,
    /// Properties by path, its elements joined by NUL; the filter's writes land here too.
    pub(crate) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Metrics by name: one object a name, however often it is defined.
    pub(crate) metrics: BTreeMap<String, Metric>,
    /// Shared data by key: value and version.
    pub(crate) shared: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    /// Log lines with their level (4 is an error).
    pub(crate) log: Vec<(u32, String)>,
    /// The environment of the VM, `KEY=value`.
    pub(crate) environ: Vec<String>,
    /// The plugin's configuration.
    pub(crate) configuration: Vec<u8>,
    /// The time, in nanoseconds since 1970.
    pub(crate) now_ns: u64,
    /// The tick period last asked for, per root context.
    pub(crate) tick_ms: BTreeMap<u32, u32>,
    /// Host calls so far, by callback and import.
    pub(crate) calls: BTreeMap<(&'static str, &'static str), u64>,
    /// Entries into the VM so far, by export.
    pub(crate) entries: BTreeMap<&'static str, u64>,
    /// The host calls that fail.
    pub(crate) fault: Option<Fault>,
    /// The metric's name for each id that was given out, beginning with id 1.
    pub(crate) metric_names: Vec<String>,
    /// The export that runs, or ran last.
    pub(crate) callback: &'static str,
    /// The context that it runs for.
    pub(crate) context: u32,
}

/// A metric's kind (0 counter, 1 gauge, 2 histogram) and value; a histogram's
/// value is its number of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Metric {
    pub(crate) kind: u32,
    pub(crate) value: u64,
}

/// Makes host calls answer `status` and do nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// Only in this callback; in all where `None`.
    pub(crate) callback: Option<&'static str>,
    /// Only this import; every proxy-wasm call where `None`, but none of WASI's.
    pub(crate) import: Option<&'static str>,
    /// The answer.
    pub(crate) status: u32,
}

// === impl Host ===

impl Host {
    /// Forgets the counts; the world stays as it is.
    pub(crate) fn forget_counts(&mut self) {
        self.calls.clear();
        self.entries.clear();
    }

    /// The first value of a header of the request, as the router would read it.
    pub(crate) fn request_header(&self, name: &str) -> Option<&[u8]> {
        let mut named = self.request_headers.iter().filter(|(key, _)| key == name.as_bytes());
        named.next().map(|(_, value)| value.as_slice())
    }

    /// Counts a host call; the status that it must answer where it is to fail.
    pub(super) fn enter_call(&mut self, import: &'static str) -> Option<u32> {
        *self.calls.entry((self.callback, import)).or_default() += 1;
        let fault = self.fault?;
        let hit = fault.callback.is_none_or(|callback| callback == self.callback)
            && fault.import.map_or_else(|| import.starts_with("proxy_"), |name| name == import);
        hit.then_some(fault.status)
    }

    /// The header map that may be touched in the running callback.
    pub(super) fn map(&mut self, kind: u32) -> Result<&mut Pairs, u32> {
        let logging = self.callback == "proxy_on_log";
        match kind {
            0 if logging || self.callback == "proxy_on_request_headers" => Ok(&mut self.request_headers),
            2 if logging || self.callback == "proxy_on_response_headers" => Ok(&mut self.response_headers),
            3 if logging => Ok(&mut self.response_trailers),
            _ => Err(status::BAD_ARGUMENT),
        }
    }
}
