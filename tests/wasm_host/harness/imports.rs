//! All imports of a module: what the host offers, and a stub for the rest.

use wasmi::{Caller, Error, ExternType, Linker, Module};

use super::guest::{Inner, call};
use super::{headers, state, status, wasi};

const PLUGIN_CONFIGURATION: u32 = 7;

/// The imports for `module`. One that the host does not know traps when it is
/// called, with its name.
pub(super) fn linker(module: &Module) -> Result<Linker<Inner>, Error> {
    let mut linker = Linker::new(module.engine());
    linker
        .func_wrap("env", "proxy_log", log)?
        .func_wrap("env", "proxy_get_log_level", get_log_level)?
        .func_wrap("env", "proxy_get_current_time_nanoseconds", now)?
        .func_wrap("env", "proxy_set_tick_period_milliseconds", set_tick_period)?
        .func_wrap("env", "proxy_get_buffer_bytes", get_buffer)?
        .func_wrap("env", "proxy_set_effective_context", set_effective_context)?
        .func_wrap("env", "proxy_done", done)?;
    headers::define(&mut linker)?;
    state::define(&mut linker)?;
    wasi::define(&mut linker)?;
    stub_the_rest(&mut linker, module);
    Ok(linker)
}

fn stub_the_rest(linker: &mut Linker<Inner>, module: &Module) {
    for import in module.imports() {
        let ExternType::Func(ty) = import.ty() else {
            continue;
        };
        let name = format!("{}.{}", import.module(), import.name());
        let stub = move |_: Caller<'_, Inner>, _: &[wasmi::Val], _: &mut [wasmi::Val]| {
            Err(Error::new(format!("the test host offers no {name}")))
        };
        // Refused where it is defined already, which is as it should be.
        let _ = linker.func_new(import.module(), import.name(), ty.clone(), stub);
    }
}

fn log(caller: Caller<'_, Inner>, level: u32, text: u32, size: u32) -> Result<u32, Error> {
    call(caller, "proxy_log", |guest| {
        let line = String::from_utf8_lossy(&guest.read(text, size)?).into_owned();
        guest.host().log.push((level, line));
        Ok(status::OK)
    })
}

fn get_log_level(caller: Caller<'_, Inner>, level: u32) -> Result<u32, Error> {
    call(caller, "proxy_get_log_level", |guest| {
        guest.write_u32(level, 2)?;
        Ok(status::OK)
    })
}

fn now(caller: Caller<'_, Inner>, time: u32) -> Result<u32, Error> {
    call(caller, "proxy_get_current_time_nanoseconds", |guest| {
        let now = guest.host().now_ns;
        guest.write(time, &now.to_le_bytes())?;
        Ok(status::OK)
    })
}

fn set_tick_period(caller: Caller<'_, Inner>, period: u32) -> Result<u32, Error> {
    call(caller, "proxy_set_tick_period_milliseconds", |guest| {
        let host = guest.host();
        host.tick_ms.insert(host.context, period);
        Ok(status::OK)
    })
}

fn get_buffer(
    caller: Caller<'_, Inner>,
    kind: u32,
    start: u32,
    length: u32,
    data: u32,
    size: u32,
) -> Result<u32, Error> {
    call(caller, "proxy_get_buffer_bytes", |guest| {
        if kind != PLUGIN_CONFIGURATION {
            return Ok(status::NOT_FOUND);
        }
        let start = start as usize;
        let configuration = &guest.host().configuration;
        let end = configuration.len().min(start.saturating_add(length as usize));
        let part = configuration.get(start..end).unwrap_or_default().to_vec();
        guest.hand_over(&part, data, size)
    })
}

fn set_effective_context(caller: Caller<'_, Inner>, _context: u32) -> Result<u32, Error> {
    call(caller, "proxy_set_effective_context", |_| Ok(status::OK))
}

fn done(caller: Caller<'_, Inner>) -> Result<u32, Error> {
    call(caller, "proxy_done", |_| Ok(status::OK))
}
