//! A proxy-wasm host in miniature: it runs the built filter in an interpreter
//! and answers its host calls from plain data, so that a test can count every
//! call, make any of them fail, and hand over any bytes.
//!
//! It speaks ABI 0.2.1 as Envoy does (which map is readable in which callback,
//! `NotFound` for a missing header, a null pointer for an empty value). It
//! knows nothing of policies. Reading order: [`Host`] (the world), [`Vm`] (the
//! callbacks), then the imports.

mod guest;
mod headers;
mod host;
mod imports;
mod pairs;
mod state;
mod vm;
mod wasi;

pub(crate) use host::{Fault, Host};
pub(crate) use pairs::{Pairs, pairs, serialise};
pub(crate) use vm::{Artefact, CONTINUE, Vm};

/// What a host call answers; the numbers are those of proxy-wasm's `WasmResult`.
pub(crate) mod status {
    pub(crate) const OK: u32 = 0;
    pub(crate) const NOT_FOUND: u32 = 1;
    pub(crate) const BAD_ARGUMENT: u32 = 2;
    pub(crate) const CAS_MISMATCH: u32 = 8;
}
