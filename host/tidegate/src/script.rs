//! A component that was checked, compiled and linked: ready to run as often as wanted.

use std::path::Path;
use std::sync::Arc;

use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

use crate::cache::Key;
use crate::engine::Engine;
use crate::error::LoadError;
use crate::guest::Guest;
use crate::inspect::{Inspected, Interfaces};
use crate::run::RunBuilder;
use crate::{component, inspect};

/// What a guest is run for: `wasi:cli/run` of any WASI 0.2.
const RUN: &str = "wasi:cli/run@0.2.6";

/// A component that can be run. Cheap to clone.
#[derive(Clone)]
pub struct Script(pub(crate) Arc<Loaded>);

pub(crate) struct Loaded {
    pub(crate) engine: Engine,
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) instance: InstancePre<Guest>,
    pub(crate) run: ComponentExportIndex,
}

impl Script {
    /// The stem of its file, or the name it was given.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The size of the component, in bytes.
    pub fn size(&self) -> u64 {
        self.0.size
    }

    /// What it imports and exports.
    pub fn interfaces(&self) -> Interfaces {
        let component = self.0.instance.component();
        inspect::interfaces(component, &self.0.engine.0.wasmtime)
    }

    /// A run of it, to which nothing is granted yet.
    pub fn run(&self) -> RunBuilder {
        RunBuilder::new(self.clone())
    }
}

/// The stem of a file's name, and its bytes.
pub(crate) fn read(engine: &Engine, path: &Path) -> Result<(String, Vec<u8>), LoadError> {
    let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    Ok((name, component::read(&engine.0.host, path)?))
}

pub(crate) async fn load(engine: &Engine, name: &str, bytes: &[u8]) -> Result<Script, LoadError> {
    let (name, component) = checked(engine, name, bytes).await?;
    let run = runnable(&name, &component)?;
    let instance = match engine.0.linker.instantiate_pre(&component) {
        Ok(instance) => instance,
        Err(error) => return Err(unlinkable(engine, name, &component, &error)),
    };
    let size = bytes.len() as u64;
    Ok(Script(Arc::new(Loaded { engine: engine.clone(), name, size, instance, run })))
}

pub(crate) async fn inspect(engine: &Engine, name: &str, bytes: &[u8]) -> Result<Inspected, LoadError> {
    let (name, component) = checked(engine, name, bytes).await?;
    let interfaces = inspect::interfaces(&component, &engine.0.wasmtime);
    Ok(Inspected { name, size: bytes.len() as u64, interfaces })
}

/// A component that is one, whatever it imports, and its name as it may be shown.
async fn checked(engine: &Engine, name: &str, bytes: &[u8]) -> Result<(String, Component), LoadError> {
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    component::check(&name, bytes)?;
    let component = compiled(engine, &name, bytes).await?;
    Ok((name, component))
}

/// The machine code of a component: from the cache, else from the compiler and then into the cache.
async fn compiled(engine: &Engine, name: &str, bytes: &[u8]) -> Result<Component, LoadError> {
    let inner = &engine.0;
    let key = Key::of(bytes);
    if let Some(cache) = &inner.cache
        && let Some(artifact) = cache.load(&inner.host, &key, &|progress| engine.tell(&progress))
        && let Ok(component) = artifact.component(&inner.wasmtime)
    {
        return Ok(component);
    }
    let artifact = inner.compiler.compile(engine, name, bytes).await?;
    if let Some(cache) = &inner.cache {
        cache.save(&inner.host, &key, &artifact, &|progress| engine.tell(&progress));
    }
    artifact
        .component(&inner.wasmtime)
        .map_err(|error| LoadError::Unloadable { name: name.to_owned(), detail: format!("{error:#}") })
}

fn runnable(name: &str, component: &Component) -> Result<ComponentExportIndex, LoadError> {
    let interface = component.get_export_index(None, RUN);
    let run = interface.and_then(|interface| component.get_export_index(Some(&interface), "run"));
    run.ok_or_else(|| LoadError::NotAProgram { name: name.to_owned() })
}

/// Says which imports are strange, or what is strange about an import that is not.
fn unlinkable(engine: &Engine, name: String, component: &Component, error: &wasmtime::Error) -> LoadError {
    let imports = inspect::interfaces(component, &engine.0.wasmtime).strange();
    if imports.is_empty() {
        return LoadError::Mismatch { name, detail: format!("{error:#}") };
    }
    LoadError::Imports { name, imports }
}
