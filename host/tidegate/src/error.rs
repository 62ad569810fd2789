//! Why an engine, a script or a run could not be had. Each names its cure.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// wasmtime does not accept this machine or these limits.
    #[error("the WebAssembly engine cannot be started here: {detail}")]
    Engine {
        /// In wasmtime's words.
        detail: String,
    },
    /// There is no folder for compiled components.
    #[error(
        "there is no place for the cache of compiled components: neither XDG_CACHE_HOME nor HOME is an absolute path"
    )]
    NoCacheFolder,
}

impl Error {
    /// What to do about it.
    pub fn cure(&self) -> Option<&str> {
        match self {
            Error::Engine { .. } => None,
            Error::NoCacheFolder => Some("set HOME, name a folder with --cache, or run with --no-cache"),
        }
    }
}

/// Why a component could not be loaded.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("there is no script at {path:?}")]
    Read {
        /// As it was given.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// It does not begin as WebAssembly does.
    #[error("{name} is not WebAssembly")]
    NotWasm {
        /// The script.
        name: String,
    },
    /// It is WebAssembly, but no component.
    #[error("{name} is a core WebAssembly module, not a component")]
    CoreModule {
        /// The script.
        name: String,
    },
    /// It is machine code, which nobody can check.
    #[error(
        "{name} is compiled already: machine code is never taken from a file, since nothing could keep it in the sandbox"
    )]
    Precompiled {
        /// The script.
        name: String,
    },
    /// The component is damaged, cut short, or uses what this version does not know.
    #[error("{name} is not a valid component: {detail}")]
    Invalid {
        /// The script.
        name: String,
        /// In the compiler's words.
        detail: String,
    },
    /// It imports what tidegate does not offer.
    #[error("{name} imports what tidegate does not offer: {}", imports.join(", "))]
    Imports {
        /// The script.
        name: String,
        /// The interfaces, with their versions.
        imports: Vec<String>,
    },
    /// It imports an interface that tidegate offers, in a shape that it does not have.
    #[error("{name} was built for another version of tidegate: {detail}")]
    Mismatch {
        /// The script.
        name: String,
        /// In wasmtime's words.
        detail: String,
    },
    /// It exports nothing to run.
    #[error("{name} does not export wasi:cli/run, so there is nothing to run")]
    NotAProgram {
        /// The script.
        name: String,
    },
    /// The compiler is not there.
    #[error("{name} is not in the cache, and the compiler {program:?} cannot be started")]
    NoCompiler {
        /// The script.
        name: String,
        /// Where it was looked for.
        program: PathBuf,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// The compiler is of another version.
    #[error("{name} cannot be compiled: {detail}")]
    OtherCompiler {
        /// The script.
        name: String,
        /// In the compiler's words.
        detail: String,
    },
    /// The compiler ended without a result.
    #[error("the compiler was ended while it compiled {name}: {detail}")]
    CompilerDied {
        /// The script.
        name: String,
        /// By what, and its last words.
        detail: String,
    },
    /// The compiler took too long.
    #[error("compiling {name} took longer than {seconds} s and was ended")]
    CompilerSlow {
        /// The script.
        name: String,
        /// The deadline.
        seconds: u64,
    },
    /// What the compiler made does not fit this engine.
    #[error("the compiled form of {name} cannot be loaded: {detail}")]
    Unloadable {
        /// The script.
        name: String,
        /// In wasmtime's words.
        detail: String,
    },
}

impl LoadError {
    /// What to do about it.
    pub fn cure(&self) -> Option<&str> {
        Some(match self {
            LoadError::Read { .. } => return None,
            LoadError::NotWasm { .. } => "give the `.wasm` component that your build made, not its source",
            LoadError::CoreModule { .. } => {
                "build for wasm32-wasip2, or make a component of it with `wasm-tools component new`"
            }
            LoadError::Precompiled { .. } => {
                "give the `.wasm` component; tidegate compiles and caches it itself"
            }
            LoadError::Invalid { .. } => {
                "build or download it again; `wasm-tools validate` says where it is damaged"
            }
            LoadError::Imports { .. } => {
                "build against the world `tidegate:host/script`, whose imports and WASI 0.2 are all that there is"
            }
            LoadError::Mismatch { .. } => {
                "build it again with the wit/ folder of this tidegate, or install the newest tidegate"
            }
            LoadError::NotAProgram { .. } => "build it as a program (a `main`), or export wasi:cli/run",
            LoadError::NoCompiler { .. } => {
                "install tidegate-compile beside tidegate (from its sources: `cargo build -p tidegate-compiler`), or name it with \
                 EngineBuilder::compiler"
            }
            LoadError::OtherCompiler { .. } => "install tidegate and tidegate-compile of the same version",
            LoadError::CompilerDied { .. } => {
                "if it ran out of memory, raise its limit with EngineBuilder::compiler_memory, or compile a smaller component"
            }
            LoadError::CompilerSlow { .. } => {
                "compile a smaller component, or one built with fewer inlined functions"
            }
            LoadError::Unloadable { .. } => "install tidegate and tidegate-compile of the same version",
        })
    }
}

/// Why a guest could not be started. Whatever it does afterwards is an [`Ending`](crate::Ending).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Nobody said what the `User-Agent` is, or said nothing but spaces.
    #[error("there is no user agent: a server's log must say who asks")]
    NoUserAgent,
    /// The component cannot be instantiated: it needs more than the engine's limits, or its start function trapped.
    #[error("{name} cannot be started: {detail}")]
    Instantiate {
        /// The script.
        name: String,
        /// In wasmtime's words.
        detail: String,
    },
    /// The guest's time is limited, and there is no thread to be had that could interrupt it.
    #[error("nothing can keep the script within its time")]
    NoClock(#[source] io::Error),
}

impl RunError {
    /// What to do about it.
    pub fn cure(&self) -> Option<&str> {
        match self {
            RunError::NoUserAgent => Some("give RunBuilder::user_agent or RunBuilder::options"),
            RunError::Instantiate { .. } | RunError::NoClock(_) => None,
        }
    }
}
