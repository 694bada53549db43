//! Host calls on properties, metrics and shared data.

use wasmi::{Caller, Error, Linker, errors::LinkerError};

use super::guest::{Inner, call};
use super::host::{Host, Metric};
use super::status;

const COUNTER: u32 = 0;
const GAUGE: u32 = 1;

pub(super) fn define(linker: &mut Linker<Inner>) -> Result<(), LinkerError> {
    linker
        .func_wrap("env", "proxy_get_property", get_property)?
        .func_wrap("env", "proxy_set_property", set_property)?
        .func_wrap("env", "proxy_define_metric", define_metric)?
        .func_wrap("env", "proxy_get_metric", get_metric)?
        .func_wrap("env", "proxy_record_metric", record_metric)?
        .func_wrap("env", "proxy_increment_metric", increment_metric)?
        .func_wrap("env", "proxy_get_shared_data", get_shared_data)?
        .func_wrap("env", "proxy_set_shared_data", set_shared_data)?;
    Ok(())
}

fn get_property(
    caller: Caller<'_, Inner>,
    path: u32,
    path_size: u32,
    data: u32,
    size: u32,
) -> Result<u32, Error> {
    call(caller, "proxy_get_property", |guest| {
        let path = guest.read(path, path_size)?;
        match guest.host().properties.get(&path).cloned() {
            None => Ok(status::NOT_FOUND),
            Some(value) => guest.hand_over(&value, data, size),
        }
    })
}

fn set_property(
    caller: Caller<'_, Inner>,
    path: u32,
    path_size: u32,
    value: u32,
    value_size: u32,
) -> Result<u32, Error> {
    call(caller, "proxy_set_property", |guest| {
        let (path, value) = (guest.read(path, path_size)?, guest.read(value, value_size)?);
        guest.host().properties.insert(path, value);
        Ok(status::OK)
    })
}

fn define_metric(
    caller: Caller<'_, Inner>,
    kind: u32,
    name: u32,
    name_size: u32,
    id: u32,
) -> Result<u32, Error> {
    call(caller, "proxy_define_metric", |guest| {
        let name = guest.read(name, name_size)?;
        let Ok(name) = String::from_utf8(name) else {
            return Ok(status::BAD_ARGUMENT);
        };
        let host = guest.host();
        host.metrics.entry(name.clone()).or_insert(Metric { kind, value: 0 });
        host.metric_names.push(name);
        let new_id = u32::try_from(host.metric_names.len()).unwrap_or(u32::MAX);
        guest.write_u32(id, new_id)?;
        Ok(status::OK)
    })
}

fn get_metric(caller: Caller<'_, Inner>, id: u32, value: u32) -> Result<u32, Error> {
    call(caller, "proxy_get_metric", |guest| {
        let Some(metric) = metric(guest.host(), id).copied() else {
            return Ok(status::NOT_FOUND);
        };
        guest.write(value, &metric.value.to_le_bytes())?;
        Ok(status::OK)
    })
}

fn record_metric(caller: Caller<'_, Inner>, id: u32, value: u64) -> Result<u32, Error> {
    call(caller, "proxy_record_metric", |guest| {
        Ok(match metric(guest.host(), id) {
            None => status::NOT_FOUND,
            Some(metric) if metric.kind == COUNTER => status::BAD_ARGUMENT,
            Some(metric) if metric.kind == GAUGE => {
                metric.value = value;
                status::OK
            }
            Some(metric) => {
                metric.value += 1;
                status::OK
            }
        })
    })
}

fn increment_metric(caller: Caller<'_, Inner>, id: u32, offset: i64) -> Result<u32, Error> {
    call(caller, "proxy_increment_metric", |guest| {
        Ok(match metric(guest.host(), id) {
            None => status::NOT_FOUND,
            Some(metric) if metric.kind == COUNTER && offset > 0 => {
                metric.value = metric.value.saturating_add_signed(offset);
                status::OK
            }
            Some(metric) if metric.kind == GAUGE => {
                metric.value = metric.value.saturating_add_signed(offset);
                status::OK
            }
            Some(_) => status::BAD_ARGUMENT,
        })
    })
}

fn get_shared_data(
    caller: Caller<'_, Inner>,
    key: u32,
    key_size: u32,
    data: u32,
    size: u32,
    cas: u32,
) -> Result<u32, Error> {
    call(caller, "proxy_get_shared_data", |guest| {
        let key = guest.read(key, key_size)?;
        let Some((value, version)) = guest.host().shared.get(&key).cloned() else {
            return Ok(status::NOT_FOUND);
        };
        guest.write_u32(cas, version)?;
        guest.hand_over(&value, data, size)
    })
}

fn set_shared_data(
    caller: Caller<'_, Inner>,
    key: u32,
    key_size: u32,
    value: u32,
    value_size: u32,
    cas: u32,
) -> Result<u32, Error> {
    call(caller, "proxy_set_shared_data", |guest| {
        let (key, value) = (guest.read(key, key_size)?, guest.read(value, value_size)?);
        let shared = &mut guest.host().shared;
        let version = shared.get(&key).map_or(0, |(_, version)| *version);
        if cas != 0 && cas != version {
            return Ok(status::CAS_MISMATCH);
        }
        shared.insert(key, (value, version + 1));
        Ok(status::OK)
    })
}

fn metric(host: &mut Host, id: u32) -> Option<&mut Metric> {
    let name = host.metric_names.get((id as usize).checked_sub(1)?)?;
    host.metrics.get_mut(name)
}
