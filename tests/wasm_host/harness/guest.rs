//! One host call, seen from the host: the guest's memory and the world.

use wasmi::{Caller, Error, Memory, TypedFunc};

use super::Host;
use super::status;

/// What the store of a VM holds.
pub(super) struct Inner {
    pub(super) host: Host,
    pub(super) memory: Option<Memory>,
    pub(super) allocate: Option<TypedFunc<u32, u32>>,
}

/// The caller of a host call.
pub(super) struct Guest<'a> {
    caller: Caller<'a, Inner>,
}

/// Runs a host call: counts it, then fails it where the world says so.
pub(super) fn call(
    mut caller: Caller<'_, Inner>,
    import: &'static str,
    body: impl FnOnce(&mut Guest<'_>) -> Result<u32, Error>,
) -> Result<u32, Error> {
    match caller.data_mut().host.enter_call(import) {
        Some(status) => Ok(status),
        None => body(&mut Guest { caller }),
    }
}

// === impl Guest ===

impl Guest<'_> {
    pub(super) fn host(&mut self) -> &mut Host {
        &mut self.caller.data_mut().host
    }

    /// Bytes of the guest. A pointer outside its memory is the filter's fault, so a trap.
    pub(super) fn read(&self, at: u32, length: u32) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; length as usize];
        let memory = self.memory()?;
        let read = memory.read(&self.caller, at as usize, &mut bytes);
        read.map_err(|_| Error::new(format!("the filter points at {at}+{length}")))?;
        Ok(bytes)
    }

    pub(super) fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Error> {
        let memory = self.memory()?;
        let written = memory.write(&mut self.caller, at as usize, bytes);
        written.map_err(|_| Error::new(format!("the filter points at {at}")))
    }

    pub(super) fn write_u32(&mut self, at: u32, value: u32) -> Result<(), Error> {
        self.write(at, &value.to_le_bytes())
    }

    /// Hands data back as Envoy does: memory that the guest allocates, for which
    /// the host re-enters the VM; a null pointer where there are no bytes.
    pub(super) fn hand_over(&mut self, bytes: &[u8], data: u32, size: u32) -> Result<u32, Error> {
        let length = u32::try_from(bytes.len()).map_err(|_| Error::new("too long"))?;
        let at = if bytes.is_empty() { 0 } else { self.allocate(length)? };
        self.write(at, bytes)?;
        self.write_u32(data, at)?;
        self.write_u32(size, length)?;
        Ok(status::OK)
    }

    fn allocate(&mut self, length: u32) -> Result<u32, Error> {
        let inner = self.caller.data_mut();
        *inner.host.entries.entry("proxy_on_memory_allocate").or_default() += 1;
        let allocate = inner.allocate.ok_or_else(|| Error::new("the filter exports no allocator"))?;
        allocate.call(&mut self.caller, length)
    }

    fn memory(&self) -> Result<Memory, Error> {
        let memory = self.caller.data().memory;
        memory.ok_or_else(|| Error::new("the filter exports no memory"))
    }
}
