//! What every guest can import: `tidegate:host`, and WASI 0.2 within the `--wasi-*` flags.

use wasmtime::component::Linker;
use wasmtime::{Engine, Result};

use crate::guest::Guest;
use crate::wasi;

pub(crate) fn linker(engine: &Engine) -> Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasi::add_to_linker(&mut linker)?;
    tidegate_bindings::add_to_linker(&mut linker)?;
    Ok(linker)
}
