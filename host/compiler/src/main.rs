//! `tidegate-compile`: a component on stdin, its machine code on stdout.
//!
//! It is a process of its own so that `tidegate` stays small, and so that a component that makes the compiler eat memory or time
//! harms nobody else. tidegate starts it when a component is not in its cache; it opens nothing and is told nothing but
//! these flags:
//!
//! ```text
//! tidegate-compile --settings VERSION [--memory-limit BYTES] < x.wasm > x.cwasm
//! ```
//!
//! Exit codes, those of sysexits.h: 0 done; 64 usage, or built for another tidegate; 65 the component cannot be compiled. Standard
//! error says why.

mod arguments;
#[path = "../../tidegate/src/settings.rs"]
mod settings;

use std::io::{self, Read, Write};
use std::process::ExitCode;

use arguments::Arguments;
use rustix::process::{Resource, Rlimit, setrlimit};
#[cfg(target_os = "linux")]
use rustix::process::{Signal, set_parent_process_death_signal};
use wasmtime::Engine;

const USAGE: u8 = 64;
const BAD_COMPONENT: u8 = 65;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => return fail(USAGE, &message),
    };
    if arguments.settings != settings::version() {
        let message = format!(
            "it compiles for {}, but {} is asked for: install tidegate and tidegate-compile of the same version",
            settings::version(),
            arguments.settings
        );
        return fail(USAGE, &message);
    }
    if let Err(error) = confine(arguments.memory_limit) {
        return fail(USAGE, &format!("cannot confine itself to {} bytes: {error}", arguments.memory_limit));
    }
    match compile() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => fail(BAD_COMPONENT, &message),
    }
}

fn compile() -> Result<(), String> {
    let mut component = Vec::new();
    io::stdin()
        .lock()
        .read_to_end(&mut component)
        .map_err(|error| format!("cannot read the component: {error}"))?;
    let engine = Engine::new(&settings::config()).map_err(|error| format!("{error:#}"))?;
    let artifact = engine.precompile_component(&component).map_err(|error| format!("{error:#}"))?;
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(&artifact)
        .and_then(|()| stdout.flush())
        .map_err(|error| format!("cannot write the machine code: {error}"))
}

/// Ends with tidegate, even if that is killed, and caps the address space. An allocation past the cap aborts, which tidegate reports
/// as such.
fn confine(memory: u64) -> rustix::io::Result<()> {
    #[cfg(target_os = "linux")]
    set_parent_process_death_signal(Some(Signal::KILL))?;
    setrlimit(Resource::As, Rlimit { current: Some(memory), maximum: Some(memory) })
}

fn fail(code: u8, message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(code)
}
