//! A component that was checked, compiled and linked: ready to run as often as wanted.

use std::path::Path;
use std::sync::Arc;

use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

use crate::cache::{Key, Store};
use crate::engine::Engine;
use crate::error::LoadError;
use crate::guest::Guest;
use crate::inspect::{Inspected, Interfaces};
use crate::producers::Producers;
use crate::run::RunBuilder;
use crate::{component, inspect, linker};

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

/// Loads what a file holds. Where that is in the cache, it is only looked at, for its digest.
pub(crate) async fn load_file(engine: &Engine, path: &Path) -> Result<Script, LoadError> {
    let name = stem(path);
    let mut file = component::open(&engine.0.host, path)?;
    let unread = |error| component::unread(path, error);
    let mut missed = None;
    if let Some(cache) = &engine.0.cache {
        let (key, first) = Key::of_file(&mut file).map_err(unread)?;
        component::check(&name, &first)?;
        if let Some(component) = cached(engine, cache, &key) {
            return script(engine, name, file.size(), &component);
        }
        missed = Some(key);
    }
    let bytes = file.bytes().map_err(unread)?;
    let component = checked(engine, &name, &bytes, missed.as_ref()).await?;
    script(engine, name, bytes.len() as u64, &component)
}

pub(crate) async fn load(engine: &Engine, name: &str, bytes: &[u8]) -> Result<Script, LoadError> {
    let name = shown(name);
    let component = checked(engine, &name, bytes, None).await?;
    script(engine, name, bytes.len() as u64, &component)
}

pub(crate) async fn inspect_file(engine: &Engine, path: &Path) -> Result<Inspected, LoadError> {
    let name = stem(path);
    let bytes = component::read(&engine.0.host, path)?;
    let component = checked(engine, &name, &bytes, None).await?;
    let interfaces = inspect::interfaces(&component, &engine.0.wasmtime);
    Ok(Inspected { name, size: bytes.len() as u64, made_by: Producers::of(&bytes), interfaces })
}

fn script(engine: &Engine, name: String, size: u64, component: &Component) -> Result<Script, LoadError> {
    let run = runnable(&name, component)?;
    let linker = linker::linker(&engine.0.wasmtime, component);
    match linker.and_then(|linker| linker.instantiate_pre(component)) {
        Ok(instance) => Ok(Script(Arc::new(Loaded { engine: engine.clone(), name, size, instance, run }))),
        Err(error) => Err(unlinkable(engine, name, component, &error)),
    }
}

/// The stem of a file's name.
fn stem(path: &Path) -> String {
    shown(&path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy())
}

/// A name as it may be shown.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).collect()
}

/// The machine code of what is a component, whatever it imports: from the cache, unless that just missed it, else from the compiler
/// and then into the cache.
async fn checked(
    engine: &Engine,
    name: &str,
    bytes: &[u8],
    missed: Option<&Key>,
) -> Result<Component, LoadError> {
    component::check(name, bytes)?;
    let inner = &engine.0;
    let key = Key::of(bytes);
    let cache = inner.cache.as_ref().filter(|_| missed != Some(&key));
    if let Some(component) = cache.and_then(|cache| cached(engine, cache, &key)) {
        return Ok(component);
    }
    let artifact = inner.compiler.compile(engine, name, bytes).await?;
    if let (Some(cache), Some(code)) = (&inner.cache, artifact.new_code()) {
        cache.save(&inner.host, &key, code, &|progress| engine.tell(&progress));
    }
    artifact
        .component(&inner.wasmtime)
        .map_err(|error| LoadError::Unloadable { name: name.to_owned(), detail: format!("{error:#}") })
}

fn cached(engine: &Engine, cache: &Store, key: &Key) -> Option<Component> {
    let artifact = cache.load(&engine.0.host, key, &|progress| engine.tell(&progress))?;
    artifact.component(&engine.0.wasmtime).ok()
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
