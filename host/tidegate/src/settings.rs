//! How components are compiled. This file is part of the library **and** of `tidegate-compile`: machine code made under other
//! settings than those of the engine that loads it is refused by wasmtime.

use std::num::NonZeroUsize;

use wasmtime::{Config, WasmBacktraceDetails};

/// The exact wasmtime that both are built with: a fix in its compiler must empty every cache. A test compares it with Cargo.lock.
pub(crate) const WASMTIME: &str = "48.0.8";

/// Rises with every change of [`config`] that changes machine code.
pub(crate) const REVISION: u32 = 1;

/// What the library tells `tidegate-compile` to be, and what that answers to.
pub(crate) fn version() -> String {
    format!("wasmtime-{WASMTIME}-settings-{REVISION}")
}

/// The settings that decide about machine code, and the limits on a guest's stack.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true);
    // A guest that never calls the host can still be stopped.
    config.epoch_interruption(true);
    config.memory_init_cow(true);
    // wasmtime walks frames itself; what a native unwinder would need is dead weight on disk and at load.
    config.native_unwind_info(false);
    // Traps show the guest's own source lines where it was built with them.
    config.generate_address_map(true);
    config.wasm_backtrace_details(WasmBacktraceDetails::Enable);
    config.wasm_backtrace_max_frames(NonZeroUsize::new(64));
    // Interpreters of Python and JavaScript recurse deeply; what is left of the fiber's stack is for host functions.
    config.max_wasm_stack(1 << 20);
    config.async_stack_size(3 << 20);
    config
}
