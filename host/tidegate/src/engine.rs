//! The engine: what all guests of a process share, and none of them can see.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_api::discovery::{Discoveries, DiscoveryOptions};
use tidegate_authority::HostAuthority;
use tidegate_reflector::Reflectors;
use wasmtime::{InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::cache::Store;
use crate::compile::Compiler;
use crate::error::{Error, LoadError};
use crate::inspect::Inspected;
use crate::limits::Ticker;
use crate::progress::Progress;
use crate::script::{self, Script};
use crate::settings;

/// Compiles, caches and runs scripts. Cheap to clone; holds no state of any guest.
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) wasmtime: wasmtime::Engine,
    pub(crate) host: HostAuthority,
    pub(crate) cache: Option<Store>,
    pub(crate) compiler: Compiler,
    pub(crate) discoveries: Discoveries,
    pub(crate) reflectors: Reflectors,
    pub(crate) ticker: Ticker,
    /// How large a pool lets one memory be.
    pub(crate) slot: Option<usize>,
    progress: Box<dyn Fn(&Progress) + Send + Sync>,
}

/// What reflectors hold, however many guests follow them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reflected {
    /// How many stores there are, each with one watch to its server.
    pub stores: usize,
    /// How many bytes of objects they hold together.
    pub bytes: usize,
}

/// Where compiled components are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cache {
    /// Nowhere: every load compiles.
    Off,
    /// `$XDG_CACHE_HOME/tidegate/compiled`, else `~/.cache/tidegate/compiled`.
    #[default]
    User,
    /// This folder, an absolute path. It is made with mode 0700 if it is not there.
    Folder(PathBuf),
}

/// How memory for guests is had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Allocator {
    /// Mapped when a guest starts: best for one guest at a time.
    #[default]
    OnDemand,
    /// Reserved when the engine is built: best for serving many. Reserving takes milliseconds and address space, not memory.
    Pooling(Pooling),
}

/// What is reserved for guests. The limits for one guest suit those in JavaScript and Python too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pooling {
    /// How many guests may live at a time; default 1,000. One more fails to start.
    pub guests: u32,
    /// How large a guest's memory may grow, in bytes; default and maximum 4 GiB. For all guests alike, and each memory by itself;
    /// [`Limits::memory`](crate::grants::Limits::memory) bounds all that one guest has.
    pub memory: usize,
}

impl Default for Pooling {
    fn default() -> Self {
        Self { guests: 1_000, memory: 4 << 30 }
    }
}

/// Makes an [`Engine`].
pub struct EngineBuilder {
    cache: Cache,
    cache_limit: u64,
    allocator: Allocator,
    compiler: Option<PathBuf>,
    compiler_memory: u64,
    discovery: DiscoveryOptions,
    reflector_memory: usize,
    progress: Box<dyn Fn(&Progress) + Send + Sync>,
}

impl Engine {
    /// The user's cache, memory on demand, and the compiler beside the running program, unless set otherwise.
    pub fn builder() -> EngineBuilder {
        EngineBuilder {
            cache: Cache::default(),
            cache_limit: 1 << 30,
            allocator: Allocator::default(),
            compiler: None,
            compiler_memory: 4 << 30,
            discovery: DiscoveryOptions::default(),
            reflector_memory: 1 << 30,
            progress: Box::new(|_| ()),
        }
    }

    /// Loads a component from a file, whose stem is its name.
    pub async fn load_file(&self, path: impl AsRef<Path>) -> Result<Script, LoadError> {
        script::load_file(self, path.as_ref()).await
    }

    /// Loads a component from memory. `name` is for messages.
    pub async fn load_bytes(&self, name: &str, bytes: &[u8]) -> Result<Script, LoadError> {
        script::load(self, name, bytes).await
    }

    /// Says what a component imports and exports, also one that cannot be run here.
    pub async fn inspect_file(&self, path: impl AsRef<Path>) -> Result<Inspected, LoadError> {
        script::inspect_file(self, path.as_ref()).await
    }

    /// Makes every running guest give way to the executor once, so that one that computes and never waits can be dropped, and others
    /// get their turn. Callable from any thread.
    ///
    /// Who serves many guests calls it every 10 ms or so.
    pub fn interrupt(&self) {
        self.0.wasmtime.increment_epoch();
    }

    /// What the reflectors of all guests hold now.
    pub fn reflected(&self) -> Reflected {
        Reflected { stores: self.0.reflectors.len(), bytes: self.0.reflectors.bytes() }
    }

    pub(crate) fn tell(&self, progress: &Progress) {
        (self.0.progress)(progress);
    }
}

impl EngineBuilder {
    /// Where compiled components are kept; [`Cache::User`] unless set.
    #[must_use]
    pub fn cache(mut self, cache: Cache) -> Self {
        self.cache = cache;
        self
    }

    /// What compiled components may take together, in bytes; 1 GiB unless set. Where one more does not fit, those that were not used
    /// for longest are removed, to within a day; never the one that was just compiled.
    #[must_use]
    pub fn cache_limit(mut self, bytes: u64) -> Self {
        self.cache_limit = bytes;
        self
    }

    /// How memory for guests is had; [`Allocator::OnDemand`] unless set.
    #[must_use]
    pub fn allocator(mut self, allocator: Allocator) -> Self {
        self.allocator = allocator;
        self
    }

    /// The `tidegate-compile` program, an absolute path; the one beside the running program unless set. It is started only for
    /// components that are not in the cache.
    #[must_use]
    pub fn compiler(mut self, program: impl Into<PathBuf>) -> Self {
        self.compiler = Some(program.into());
        self
    }

    /// How much address space the compiler may use, in bytes; 4 GiB unless set.
    #[must_use]
    pub fn compiler_memory(mut self, bytes: u64) -> Self {
        self.compiler_memory = bytes;
        self
    }

    /// For how long what a server has is known, to all guests of a connection; 10 minutes unless set.
    #[must_use]
    pub fn discovery(mut self, options: DiscoveryOptions) -> Self {
        self.discovery = options;
        self
    }

    /// What the reflectors of all guests may hold together, in bytes of objects; 1 GiB unless set. One that would hold more ends, for all who
    /// follow it, as `too-large`.
    #[must_use]
    pub fn reflector_memory(mut self, bytes: usize) -> Self {
        self.reflector_memory = bytes;
        self
    }

    /// Is told what takes long; nobody is unless set. Must not block.
    #[must_use]
    pub fn progress(mut self, progress: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        self.progress = Box::new(progress);
        self
    }

    /// Builds it. Nothing is read or started yet.
    ///
    /// Errors: limits that this machine cannot reserve; no place for [`Cache::User`].
    pub fn build(self) -> Result<Engine, Error> {
        let host = HostAuthority::from_ambient();
        let mut config = settings::config();
        let mut slot = None;
        if let Allocator::Pooling(pooling) = &self.allocator {
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooled(pooling)));
            slot = Some(pooling.memory);
        }
        let unfit = |error: wasmtime::Error| Error::Engine { detail: format!("{error:#}") };
        let wasmtime = wasmtime::Engine::new(&config).map_err(unfit)?;
        let cache = match self.cache {
            Cache::Off => None,
            Cache::User => Some(host.user_cache().ok_or(Error::NoCacheFolder)?.join("compiled")),
            Cache::Folder(folder) => Some(folder),
        };
        let cache = cache.map(|folder| Store::new(folder, self.cache_limit));
        let compiler = Compiler::new(self.compiler, self.compiler_memory);
        let (discoveries, progress) = (Discoveries::new(self.discovery), self.progress);
        let reflectors = Reflectors::new(self.reflector_memory);
        let ticked = wasmtime.clone();
        let ticker = Ticker::new(move || ticked.increment_epoch());
        let inner =
            Inner { wasmtime, host, cache, compiler, discoveries, reflectors, ticker, slot, progress };
        Ok(Engine(Arc::new(inner)))
    }
}

fn pooled(pooling: &Pooling) -> PoolingAllocationConfig {
    // What one guest needs at most: measured with components of StarlingMonkey, QuickJS, CPython and Go.
    const INSTANCES: u32 = 100;
    const TABLES: u32 = 100;
    const TABLE_ELEMENTS: usize = 60_000;
    const MEMORIES: u32 = 8;
    const INSTANCE_BYTES: usize = 4 << 20;

    let total = |each: u32| pooling.guests.saturating_mul(each);
    let mut config = PoolingAllocationConfig::new();
    config.total_component_instances(pooling.guests);
    config.total_stacks(pooling.guests);
    config.total_core_instances(total(INSTANCES));
    config.total_tables(total(TABLES));
    config.total_memories(total(MEMORIES));
    config.max_core_instances_per_component(INSTANCES);
    config.max_tables_per_component(TABLES);
    config.max_memories_per_component(MEMORIES);
    config.max_component_instance_size(INSTANCE_BYTES);
    config.max_core_instance_size(INSTANCE_BYTES);
    config.table_elements(TABLE_ELEMENTS);
    config.max_memory_size(pooling.memory.min(4 << 30));
    config
}
