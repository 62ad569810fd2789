//! What a guest can import: `tidegate:host`, and WASI 0.2 within the `--wasi-*` flags.

use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Result};

use crate::guest::Guest;
use crate::wasi;

/// A linker with the interfaces that this component imports, as far as they are offered. Offering all of them to each would take longer
/// than loading a small component's code does.
pub(crate) fn linker(engine: &Engine, component: &Component) -> Result<Linker<Guest>> {
    let ty = component.component_type();
    let imports: Vec<&str> = ty.imports(engine).map(|(name, _)| interface(name)).collect();
    let mut linker = Linker::new(engine);
    wasi::add_to_linker(&mut linker, &|interface| imports.contains(&interface))?;
    if imports.iter().any(|interface| interface.starts_with("tidegate:host/")) {
        tidegate_bindings::add_to_linker(&mut linker)?;
    }
    Ok(linker)
}

/// An import's name less its version: the linker knows which versions are compatible.
fn interface(import: &str) -> &str {
    import.split_once('@').map_or(import, |(interface, _)| interface)
}
