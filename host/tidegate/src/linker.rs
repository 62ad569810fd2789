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
    let wanted = |interface: &str| imports.contains(&interface);
    let mut linker = Linker::new(engine);
    wasi::add_to_linker(&mut linker, &wanted)?;
    tidegate_bindings::add_to_linker(&mut linker, &wanted)?;
    Ok(linker)
}

/// An import's name less its version: the linker knows which versions are compatible.
fn interface(import: &str) -> &str {
    import.split_once('@').map_or(import, |(interface, _)| interface)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::inspect;

    #[test]
    fn each_interface_of_the_world_is_offered() {
        let offered = RefCell::new(Vec::new());
        let wanted = |interface: &str| {
            offered.borrow_mut().push(interface.to_owned());
            true
        };
        let mut linker = Linker::<Guest>::new(&Engine::default());
        tidegate_bindings::add_to_linker(&mut linker, &wanted).unwrap();
        let mut world: Vec<String> = inspect::ours().map(|name| format!("tidegate:host/{name}")).collect();
        let mut offered = offered.into_inner();
        world.sort();
        offered.sort();
        assert_eq!(offered, world);
    }
}
