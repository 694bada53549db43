//! Host calls on header maps.

use wasmi::{Caller, Error, Linker, errors::LinkerError};

use super::guest::{Inner, call};
use super::pairs::{Pairs, serialise};
use super::status;

pub(super) fn define(linker: &mut Linker<Inner>) -> Result<(), LinkerError> {
    linker
        .func_wrap("env", "proxy_get_header_map_pairs", get_pairs)?
        .func_wrap("env", "proxy_get_header_map_value", get)?
        .func_wrap("env", "proxy_replace_header_map_value", replace)?
        .func_wrap("env", "proxy_add_header_map_value", add)?
        .func_wrap("env", "proxy_remove_header_map_value", remove)?;
    Ok(())
}

fn get_pairs(caller: Caller<'_, Inner>, kind: u32, data: u32, size: u32) -> Result<u32, Error> {
    call(caller, "proxy_get_header_map_pairs", |guest| {
        let host = guest.host();
        let bytes = match host.map(kind) {
            Err(status) => return Ok(status),
            Ok(map) => serialise(map),
        };
        let bytes = host.raw_map.clone().unwrap_or(bytes);
        guest.hand_over(&bytes, data, size)
    })
}

fn get(
    caller: Caller<'_, Inner>,
    kind: u32,
    key: u32,
    key_size: u32,
    data: u32,
    size: u32,
) -> Result<u32, Error> {
    call(caller, "proxy_get_header_map_value", |guest| {
        let name = guest.read(key, key_size)?;
        let found = match guest.host().map(kind) {
            Err(status) => return Ok(status),
            Ok(map) => joined(map, &name),
        };
        match found {
            None => Ok(status::NOT_FOUND),
            Some(value) => guest.hand_over(&value, data, size),
        }
    })
}

fn replace(
    caller: Caller<'_, Inner>,
    kind: u32,
    key: u32,
    key_size: u32,
    value: u32,
    value_size: u32,
) -> Result<u32, Error> {
    call(caller, "proxy_replace_header_map_value", |guest| {
        let (name, value) = (guest.read(key, key_size)?, guest.read(value, value_size)?);
        Ok(edit(guest.host().map(kind), |map| {
            map.retain(|(key, _)| *key != name);
            map.push((name, value));
        }))
    })
}

fn add(
    caller: Caller<'_, Inner>,
    kind: u32,
    key: u32,
    key_size: u32,
    value: u32,
    value_size: u32,
) -> Result<u32, Error> {
    call(caller, "proxy_add_header_map_value", |guest| {
        let (name, value) = (guest.read(key, key_size)?, guest.read(value, value_size)?);
        Ok(edit(guest.host().map(kind), |map| map.push((name, value))))
    })
}

fn remove(caller: Caller<'_, Inner>, kind: u32, key: u32, key_size: u32) -> Result<u32, Error> {
    call(caller, "proxy_remove_header_map_value", |guest| {
        let name = guest.read(key, key_size)?;
        Ok(edit(guest.host().map(kind), |map| {
            map.retain(|(key, _)| *key != name);
        }))
    })
}

fn edit(map: Result<&mut Pairs, u32>, change: impl FnOnce(&mut Pairs)) -> u32 {
    match map {
        Err(status) => status,
        Ok(map) => {
            change(map);
            status::OK
        }
    }
}

/// Repeated headers come joined by commas, as Envoy joins them.
fn joined(map: &Pairs, name: &[u8]) -> Option<Vec<u8>> {
    let named = map.iter().filter(|(key, _)| key == name);
    let values: Vec<&[u8]> = named.map(|(_, value)| value.as_slice()).collect();
    (!values.is_empty()).then(|| values.join(&b","[..]))
}
