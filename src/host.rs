//! Host calls that cannot trap.
//!
//! The SDK's own panic on a status that they do not expect, and a panic kills the VM for
//! every user. Here a failed call is a value; the first failure of each call is logged.

#![allow(unsafe_code, reason = "the calls into the host; nothing else in the filter needs it")]

use std::cell::Cell;
use std::ffi::OsString;
use std::fmt;
use std::ptr::{null_mut, slice_from_raw_parts_mut};
use std::time::Duration;

use canary_core::exchange::{Change, Moment};

use crate::header_map::HeaderMap;

/// Declares host calls of a module. Natively, where there is no host, each fails.
macro_rules! host_calls {
    ($module:literal: $(fn $name:ident($($arg:ident: $type:ty),*);)*) => {
        #[cfg(target_arch = "wasm32")]
        #[link(wasm_import_module = $module)]
        unsafe extern "C" {
            $(fn $name($($arg: $type),*) -> u32;)*
        }
        $(
            #[cfg(not(target_arch = "wasm32"))]
            unsafe fn $name($(_: $type),*) -> u32 {
                UNIMPLEMENTED
            }
        )*
    };
}

host_calls! { "wasi_snapshot_preview1":
    fn clock_time_get(clock: u32, precision: u64, now: *mut u64);
}

host_calls! { "env":
    fn proxy_log(level: u32, text: *const u8, text_len: usize);
    fn proxy_get_buffer_bytes(buffer: u32, start: usize, max: usize, data: *mut *mut u8, len: *mut usize);
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, len: *mut usize);
    fn proxy_get_header_map_value(
        map: u32, name: *const u8, name_len: usize, data: *mut *mut u8, len: *mut usize
    );
    fn proxy_replace_header_map_value(
        map: u32, name: *const u8, name_len: usize, value: *const u8, value_len: usize
    );
    fn proxy_add_header_map_value(
        map: u32, name: *const u8, name_len: usize, value: *const u8, value_len: usize
    );
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_len: usize);
    fn proxy_get_property(path: *const u8, path_len: usize, data: *mut *mut u8, len: *mut usize);
    fn proxy_set_property(path: *const u8, path_len: usize, value: *const u8, value_len: usize);
    fn proxy_get_shared_data(key: *const u8, key_len: usize, data: *mut *mut u8, len: *mut usize, cas: *mut u32);
    fn proxy_set_shared_data(key: *const u8, key_len: usize, value: *const u8, value_len: usize, cas: u32);
    fn proxy_define_metric(kind: u32, name: *const u8, name_len: usize, id: *mut u32);
    fn proxy_increment_metric(id: u32, by: i64);
    fn proxy_record_metric(id: u32, value: u64);
    fn proxy_set_tick_period_milliseconds(period: u32);
    fn proxy_get_current_time_nanoseconds(now: *mut u64);
}

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const CAS_MISMATCH: u32 = 8;
#[cfg(not(target_arch = "wasm32"))]
const UNIMPLEMENTED: u32 = 12;

const REQUEST_HEADERS: u32 = 0;
const RESPONSE_HEADERS: u32 = 2;
const RESPONSE_TRAILERS: u32 = 3;
const PLUGIN_CONFIGURATION: u32 = 7;

/// A worker that loses this often gives way.
const MAX_TRIES: usize = 8;

/// A call that the host refused; it has been logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused;

/// The kinds of metrics that the filter uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetricKind {
    /// Only ever rises.
    Counter,
    /// Is what was recorded last, or added up.
    Gauge,
    /// Keeps how often which values were recorded.
    Histogram,
}

/// Writes a line to Envoy's log; one that the host refuses is lost.
pub(crate) fn log(level: log::Level, text: &str) {
    let level = match level {
        log::Level::Trace => 0,
        log::Level::Debug => 1,
        log::Level::Info => 2,
        log::Level::Warn => 3,
        log::Level::Error => 4,
    };
    // SAFETY: the host reads `text` during the call.
    unsafe { proxy_log(level, text.as_ptr(), text.len()) };
}

// Requests and responses

/// All request headers in one call.
pub(crate) fn request_headers() -> Result<HeaderMap, Refused> {
    // SAFETY: the host writes a buffer that it has allocated in this VM, or nothing.
    let bytes = fetch("get_header_map_pairs", |data, len| unsafe {
        proxy_get_header_map_pairs(REQUEST_HEADERS, data, len)
    })?;
    HeaderMap::parse(bytes.unwrap_or_default()).ok_or_else(|| refused("get_header_map_pairs", "corrupt"))
}

/// A response header; of a repeated one all values, with commas between them.
pub(crate) fn response_header(name: &str) -> Option<Vec<u8>> {
    header(RESPONSE_HEADERS, name)
}

/// A response trailer, once the stream is over.
pub(crate) fn response_trailer(name: &str) -> Option<Vec<u8>> {
    header(RESPONSE_TRAILERS, name)
}

fn header(map: u32, name: &str) -> Option<Vec<u8>> {
    // SAFETY: as above, and the host reads `name` during the call.
    let bytes = fetch("get_header_map_value", |data, len| unsafe {
        proxy_get_header_map_value(map, name.as_ptr(), name.len(), data, len)
    });
    bytes.ok().flatten()
}

/// Applies a change to a request's headers.
pub(crate) fn change_request_header(change: &Change<'_>) {
    self::change(REQUEST_HEADERS, change);
}

/// Applies a change to a response's headers.
pub(crate) fn change_response_header(change: &Change<'_>) {
    self::change(RESPONSE_HEADERS, change);
}

/// Applies a change; a header that is removed goes however often it stands there.
fn change(map: u32, change: &Change<'_>) {
    // SAFETY: the host reads the texts during the call.
    let (call, status) = match change {
        Change::Leave => return,
        Change::Set(name, value) => ("replace_header_map_value", unsafe {
            proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
        }),
        Change::Add(name, value) => ("add_header_map_value", unsafe {
            proxy_add_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
        }),
        Change::Remove(name) => ("remove_header_map_value", unsafe {
            proxy_remove_header_map_value(map, name.as_ptr(), name.len())
        }),
    };
    let _logged = checked(call, status);
}

/// Puts a text into the stream's filter state as `wasm.<name>`. The name is ONE path element:
/// two print `-` in access logs.
pub(crate) fn set_filter_state(name: &str, value: &[u8]) {
    // SAFETY: the host reads the texts during the call.
    let status = unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
    let _logged = checked("set_property", status);
}

/// A property of Envoy; its path elements stand one after the other with NUL between them.
pub(crate) fn property(path: &str) -> Option<Vec<u8>> {
    // SAFETY: as above.
    let bytes = fetch("get_property", |data, len| unsafe {
        proxy_get_property(path.as_ptr(), path.len(), data, len)
    });
    bytes.ok().flatten()
}

// The plugin and its VM

/// The plugin's configuration of this length; empty where it has none.
pub(crate) fn plugin_configuration(len: usize) -> Result<Vec<u8>, Refused> {
    if len == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the host writes a buffer that it has allocated in this VM, or nothing.
    let bytes = fetch("get_buffer_bytes", |data, size| unsafe {
        proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, len, data, size)
    })?;
    bytes.ok_or_else(|| refused("get_buffer_bytes", "nothing"))
}

/// A variable of the VM's environment.
pub(crate) fn environment(name: &str) -> Option<Vec<u8>> {
    std::env::var_os(name).map(OsString::into_encoded_bytes)
}

/// A clock that only goes forward, to measure with; `None` where the host does not tell it, as
/// one that grants the filter only what an older one needed.
pub(crate) fn moment() -> Option<Moment> {
    const MONOTONIC: u32 = 1;
    let mut now = 0;
    // SAFETY: the host writes a number to `now`.
    let status = unsafe { clock_time_get(MONOTONIC, 1, &raw mut now) };
    checked("clock_time_get", status).ok().map(|()| Moment(now))
}

/// The time, in seconds since 1970.
pub(crate) fn now() -> Option<u64> {
    let mut now = 0;
    // SAFETY: the host writes a number to `now`.
    let status = unsafe { proxy_get_current_time_nanoseconds(&raw mut now) };
    checked("get_current_time_nanoseconds", status).ok()?;
    Some(now / 1_000_000_000)
}

/// Calls this plugin's tick again and again; a period of zero ends it.
pub(crate) fn set_tick_period(period: Duration) {
    let millis = u32::try_from(period.as_millis()).unwrap_or(u32::MAX);
    // SAFETY: no memory is passed.
    let status = unsafe { proxy_set_tick_period_milliseconds(millis) };
    let _logged = checked("set_tick_period_milliseconds", status);
}

/// What all VMs with one `vm_id` share in this process; nothing where nobody has written.
pub(crate) fn shared_data(key: &str) -> Option<Vec<u8>> {
    versioned(key).ok().and_then(|(value, _)| value)
}

/// Writes what is shared, whatever stands there.
pub(crate) fn set_shared_data(key: &str, value: &[u8]) {
    // A zero writes without comparing.
    let _logged = checked("set_shared_data", write_shared(key, value, 0));
}

/// Changes what is shared, also while other workers do: `change` is asked again for what they
/// have written meanwhile, and gives nothing where nothing is to be written. What it gave last,
/// where that was written.
pub(crate) fn update_shared_data<T>(
    key: &str,
    change: impl Fn(&[u8]) -> Option<(Vec<u8>, T)>,
) -> Option<(Vec<u8>, T)> {
    for _ in 0..MAX_TRIES {
        let (before, version) = versioned(key).ok()?;
        let after = change(&before.unwrap_or_default())?;
        let status = write_shared(key, &after.0, version);
        if status != CAS_MISMATCH {
            return checked("set_shared_data", status).ok().map(|()| after);
        }
    }
    None
}

/// What is shared, and its version.
fn versioned(key: &str) -> Result<(Option<Vec<u8>>, u32), Refused> {
    let mut version = 0;
    // SAFETY: as above; the host writes a number to `version`.
    let value = fetch("get_shared_data", |data, len| unsafe {
        proxy_get_shared_data(key.as_ptr(), key.len(), data, len, &raw mut version)
    })?;
    Ok((value, version))
}

fn write_shared(key: &str, value: &[u8], version: u32) -> u32 {
    // SAFETY: the host reads the texts during the call.
    unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), version) }
}

// Metrics

/// Defines a metric. Every call allocates a new id, so ask once for each name and VM.
pub(crate) fn define_metric(kind: MetricKind, name: &str) -> Result<u32, Refused> {
    let kind = match kind {
        MetricKind::Counter => 0,
        MetricKind::Gauge => 1,
        MetricKind::Histogram => 2,
    };
    let mut id = 0;
    // SAFETY: the host reads `name` and writes a number to `id`.
    let status = unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) };
    checked("define_metric", status).map(|()| id)
}

/// Adds to a counter or a gauge. The host takes no zero, and nothing off a counter.
pub(crate) fn increment_metric(id: u32, by: i64) -> Result<(), Refused> {
    // SAFETY: no memory is passed.
    checked("increment_metric", unsafe { proxy_increment_metric(id, by) })
}

/// Sets a gauge, or puts a value into a histogram.
pub(crate) fn record_metric(id: u32, value: u64) -> Result<(), Refused> {
    // SAFETY: no memory is passed.
    checked("record_metric", unsafe { proxy_record_metric(id, value) })
}

// Helpers

/// A call that hands data back. `None` where the host has nothing of that name.
fn fetch(
    call: &'static str,
    get: impl FnOnce(*mut *mut u8, *mut usize) -> u32,
) -> Result<Option<Vec<u8>>, Refused> {
    let (mut data, mut len) = (null_mut(), 0);
    let status = get(&raw mut data, &raw mut len);
    if status == NOT_FOUND {
        return Ok(None);
    }
    checked(call, status)?;
    if data.is_null() || len == 0 {
        return Ok(None);
    }
    // SAFETY: the host got `data` from this VM's `proxy_on_memory_allocate(len)`, which gives
    // a boxed slice of `len` bytes, filled it, and gives it to us.
    let bytes = unsafe { Box::from_raw(slice_from_raw_parts_mut(data, len)) };
    Ok(Some(bytes.into_vec()))
}

fn checked(call: &'static str, status: u32) -> Result<(), Refused> {
    if status == OK { Ok(()) } else { Err(refused(call, status)) }
}

/// Logs the first refusal of each VM: one is news, a thousand a second are an outage.
fn refused(call: &'static str, answer: impl fmt::Display) -> Refused {
    thread_local! {
        static TOLD: Cell<bool> = const { Cell::new(false) };
    }
    if !TOLD.replace(true) {
        log::error!("host call refused call={call} answer={answer} (further ones are not logged)");
    }
    Refused
}
