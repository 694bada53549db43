//! One VM and its callbacks, in the order in which Envoy calls them.

use std::fmt;
use std::path::Path;

use wasmi::{Config, Engine, Error, Instance, Module, Store, WasmParams, WasmResults};

use super::guest::Inner;
use super::host::Host;
use super::imports;
use super::pairs::Pairs;

/// What a callback on headers returns to let the stream go on.
pub(crate) const CONTINUE: u32 = 0;

/// No honest callback needs more: one that burns it is a loop without an end.
const FUEL: u64 = 4_000_000_000;

/// A compiled filter; VMs are made from it.
pub(crate) struct Artefact {
    module: Module,
}

/// A VM with its current root context.
pub(crate) struct Vm {
    store: Store<Inner>,
    instance: Instance,
    root: u32,
    last_context: u32,
    fuel_used: u64,
}

/// A trap: it would have killed the VM, for every user of the worker.
#[derive(Debug)]
pub(crate) struct Trap {
    callback: &'static str,
    cause: String,
    last_words: Option<String>,
}

// === impl Artefact ===

impl Artefact {
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        let wasm = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut config = Config::default();
        config.consume_fuel(true);
        let module = Module::new(&Engine::new(&config), &wasm);
        let module = module.map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Self { module })
    }
}

// === impl Vm ===

impl Vm {
    /// Builds a VM and starts its first root context; `false` from `on_vm_start` is a trap here.
    pub(crate) fn start(artefact: &Artefact, host: Host) -> Result<Self, Trap> {
        let mut vm = Self::instantiate(artefact, host).map_err(|e| Trap {
            callback: "instantiation",
            cause: e.to_string(),
            last_words: None,
        })?;
        vm.enter::<(), ()>("_initialize", 0, ())?;
        vm.new_root()?;
        Ok(vm)
    }

    fn instantiate(artefact: &Artefact, host: Host) -> Result<Self, Error> {
        let inner = Inner { host, memory: None, allocate: None };
        let mut store = Store::new(artefact.module.engine(), inner);
        store.set_fuel(FUEL)?;
        let linker = imports::linker(&artefact.module)?;
        let instance = linker.instantiate_and_start(&mut store, &artefact.module)?;
        let allocate = ["proxy_on_memory_allocate", "malloc"]
            .iter()
            .find_map(|name| instance.get_typed_func(&store, name).ok());
        let memory = instance.get_memory(&store, "memory");
        let inner = store.data_mut();
        (inner.memory, inner.allocate) = (memory, allocate);
        Ok(Self { store, instance, root: 0, last_context: 0, fuel_used: 0 })
    }

    /// The world, to set.
    pub(crate) fn host(&mut self) -> &mut Host {
        &mut self.store.data_mut().host
    }

    /// The size of the VM's memory in pages of 64 KiB.
    pub(crate) fn pages(&self) -> u64 {
        self.store.data().memory.map_or(0, |memory| memory.size(&self.store))
    }

    /// Fuel burnt so far, about one unit an instruction: the same on every machine.
    pub(crate) fn fuel_used(&self) -> u64 {
        self.fuel_used
    }

    /// A new root context in the same VM, as a configuration update makes one; returns the old one.
    pub(crate) fn new_root(&mut self) -> Result<u32, Trap> {
        let old = self.root;
        self.root = self.next_context();
        let root = self.root;
        self.enter::<_, ()>("proxy_on_context_create", root, (root, 0_u32))?;
        let started = self.enter::<_, u32>("proxy_on_vm_start", root, (root, 0_u32))?;
        if started == Some(0) {
            return Err(self.trap("proxy_on_vm_start", "it returned false"));
        }
        Ok(old)
    }

    /// `on_configure` of the current root: whether it accepts the configuration.
    pub(crate) fn configure(&mut self, text: impl AsRef<[u8]>) -> Result<bool, Trap> {
        self.host().configuration = text.as_ref().to_vec();
        let size = u32::try_from(text.as_ref().len()).unwrap_or(u32::MAX);
        let root = self.root;
        let accepted = self.enter::<_, u32>("proxy_on_configure", root, (root, size))?;
        Ok(accepted != Some(0))
    }

    /// Creates a stream without any callback yet.
    pub(crate) fn stream(&mut self) -> Result<u32, Trap> {
        let (id, root) = (self.next_context(), self.root);
        self.enter::<_, ()>("proxy_on_context_create", id, (id, root))?;
        Ok(id)
    }

    /// Creates a stream and runs its request headers; the stream's id and the action.
    pub(crate) fn request(&mut self, headers: Pairs) -> Result<(u32, u32), Trap> {
        let id = self.stream()?;
        let count = u32::try_from(headers.len()).unwrap_or(u32::MAX);
        self.host().request_headers = headers;
        let action = self.enter("proxy_on_request_headers", id, (id, count, 1_u32))?;
        Ok((id, action.unwrap_or(CONTINUE)))
    }

    /// Runs a stream's response headers; the action.
    pub(crate) fn response(&mut self, id: u32, headers: Pairs) -> Result<u32, Trap> {
        let count = u32::try_from(headers.len()).unwrap_or(u32::MAX);
        self.host().response_headers = headers;
        let action = self.enter("proxy_on_response_headers", id, (id, count, 1_u32))?;
        Ok(action.unwrap_or(CONTINUE))
    }

    /// Ends a context, stream or root: log, done, delete.
    pub(crate) fn end(&mut self, id: u32) -> Result<(), Trap> {
        self.enter::<_, ()>("proxy_on_log", id, id)?;
        self.enter::<_, u32>("proxy_on_done", id, id)?;
        self.enter::<_, ()>("proxy_on_delete", id, id)?;
        Ok(())
    }

    /// Ends a root context as Envoy does: it has no log.
    pub(crate) fn end_root(&mut self, root: u32) -> Result<(), Trap> {
        self.enter::<_, u32>("proxy_on_done", root, root)?;
        self.enter::<_, ()>("proxy_on_delete", root, root)?;
        Ok(())
    }

    /// The root context that serves new streams.
    pub(crate) fn root(&self) -> u32 {
        self.root
    }

    /// A tick of a root context.
    pub(crate) fn tick(&mut self, root: u32) -> Result<(), Trap> {
        self.enter::<_, ()>("proxy_on_tick", root, root)?;
        Ok(())
    }

    /// Calls an export; `None` where the filter has no such callback.
    fn enter<P: WasmParams, R: WasmResults>(
        &mut self,
        callback: &'static str,
        context: u32,
        params: P,
    ) -> Result<Option<R>, Trap> {
        let Ok(function) = self.instance.get_typed_func::<P, R>(&self.store, callback) else {
            return Ok(None);
        };
        let host = self.host();
        (host.callback, host.context) = (callback, context);
        *host.entries.entry(callback).or_default() += 1;
        let refuelled = self.store.set_fuel(FUEL);
        let result = refuelled.and_then(|()| function.call(&mut self.store, params));
        self.fuel_used += FUEL - self.store.get_fuel().unwrap_or(FUEL);
        result.map(Some).map_err(|e| self.trap(callback, &e.to_string()))
    }

    fn next_context(&mut self) -> u32 {
        self.last_context += 1;
        self.last_context
    }

    fn trap(&self, callback: &'static str, cause: &str) -> Trap {
        let last_words = self.store.data().host.log.last().map(|(_, line)| line.clone());
        Trap { callback, cause: cause.to_owned(), last_words }
    }
}

// === impl Trap ===

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} trapped: {}", self.callback, self.cause)?;
        match &self.last_words {
            None => Ok(()),
            Some(words) => write!(f, " (last log line: {words})"),
        }
    }
}

impl std::error::Error for Trap {}

impl From<Trap> for String {
    fn from(trap: Trap) -> Self {
        trap.to_string()
    }
}
