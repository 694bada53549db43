//! The six WASI calls that a `wasm32-wasip1` filter imports.

use wasmi::{Caller, Error, Linker, errors::LinkerError};

use super::guest::{Guest, Inner, call};
use super::status;

const MODULE: &str = "wasi_snapshot_preview1";

pub(super) fn define(linker: &mut Linker<Inner>) -> Result<(), LinkerError> {
    linker
        .func_wrap(MODULE, "random_get", random_get)?
        .func_wrap(MODULE, "environ_sizes_get", environ_sizes_get)?
        .func_wrap(MODULE, "environ_get", environ_get)?
        .func_wrap(MODULE, "clock_time_get", clock_time_get)?
        .func_wrap(MODULE, "fd_write", fd_write)?
        .func_wrap(MODULE, "proc_exit", proc_exit)?;
    Ok(())
}

/// Not random at all, so that a failing test fails again.
fn random_get(caller: Caller<'_, Inner>, buffer: u32, length: u32) -> Result<u32, Error> {
    wasi(caller, "random_get", |guest| {
        let bytes: Vec<u8> = (0..length).map(|at| (at % 251).to_le_bytes()[0]).collect();
        guest.write(buffer, &bytes)
    })
}

fn environ_sizes_get(caller: Caller<'_, Inner>, count: u32, size: u32) -> Result<u32, Error> {
    wasi(caller, "environ_sizes_get", |guest| {
        let environ = guest.host().environ.clone();
        let bytes = environ.iter().map(|entry| entry.len() + 1).sum::<usize>();
        guest.write_u32(count, u32::try_from(environ.len()).unwrap_or(0))?;
        guest.write_u32(size, u32::try_from(bytes).unwrap_or(0))
    })
}

fn environ_get(caller: Caller<'_, Inner>, pointers: u32, buffer: u32) -> Result<u32, Error> {
    wasi(caller, "environ_get", |guest| {
        let (mut slot, mut at) = (pointers, buffer);
        for entry in guest.host().environ.clone() {
            guest.write_u32(slot, at)?;
            let text = [entry.as_bytes(), b"\0"].concat();
            guest.write(at, &text)?;
            slot += 4;
            at += u32::try_from(text.len()).unwrap_or(0);
        }
        Ok(())
    })
}

fn clock_time_get(caller: Caller<'_, Inner>, _clock: u32, _precision: u64, time: u32) -> Result<u32, Error> {
    wasi(caller, "clock_time_get", |guest| {
        let now = guest.host().now_ns;
        guest.write(time, &now.to_le_bytes())
    })
}

fn fd_write(
    caller: Caller<'_, Inner>,
    fd: u32,
    vectors: u32,
    count: u32,
    written: u32,
) -> Result<u32, Error> {
    wasi(caller, "fd_write", |guest| {
        let mut text = Vec::new();
        for vector in 0..count {
            let [at, length] = [0, 4].map(|field| read_u32(guest, vectors + vector * 8 + field));
            text.extend(guest.read(at?, length?)?);
        }
        let line = format!("fd {fd}: {}", String::from_utf8_lossy(&text));
        guest.host().log.push((5, line));
        guest.write_u32(written, u32::try_from(text.len()).unwrap_or(0))
    })
}

fn proc_exit(_: Caller<'_, Inner>, code: u32) -> Result<(), Error> {
    Err(Error::new(format!("the filter called proc_exit({code})")))
}

fn wasi(
    caller: Caller<'_, Inner>,
    name: &'static str,
    body: impl FnOnce(&mut Guest<'_>) -> Result<(), Error>,
) -> Result<u32, Error> {
    call(caller, name, |guest| body(guest).map(|()| status::OK))
}

fn read_u32(guest: &Guest<'_>, at: u32) -> Result<u32, Error> {
    let bytes = guest.read(at, 4)?;
    Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}
