//! Runs sandboxed WebAssembly components against Kubernetes.
//!
//! An [`Engine`] loads a component once, compiling it in another process and keeping the result in a cache; a [`Script`] can then be run
//! as often as wanted, each time with its own [`Grants`](grants::Grants). There is no global state: engines, tenants and guests share
//! nothing but what is handed to them.
//!
//! ```no_run
//! use tidegate::grants::{Grants, Kind};
//! use tidegate::{Cache, Ending, Engine};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::builder().cache(Cache::User).build()?;
//! let script = engine.load_file("list-pods.wasm").await?;
//! let grants = Grants::builder()
//!     .allow(Kind::Net, Some("10.0.0.1:6443"))?
//!     .allow(Kind::Read, Some("/var/run/secrets/kubernetes.io/serviceaccount"))?
//!     .build();
//! let outcome = script.run().grants(grants).user_agent("fleet-view/1.4").arguments(["--all"]).start().await?;
//! match outcome.ending {
//!     Ending::Exited(code) => println!("it ended with {code}"),
//!     Ending::Refused { missing } => println!("it needs {}", missing.join(" ")),
//!     Ending::Limited(limited) => println!("{limited}"),
//!     Ending::Trapped(trap) => println!("{trap}"),
//!     other => println!("{other:?}"),
//! }
//! # Ok(())
//! # }
//! ```

mod cache;
mod compile;
mod component;
mod connections;
mod diagnose;
mod ending;
mod engine;
mod error;
mod fingerprint;
mod guest;
mod host;
mod inherited;
mod inspect;
mod limits;
mod linker;
mod producers;
mod progress;
mod reach;
mod run;
mod script;
mod settings;
mod stdio;
mod wasi;

pub use connections::{ConfigurationError, Described, configuration, connect, describe, register};
pub use diagnose::diagnose;
pub use ending::{Ending, Frame, Limited, Outcome, Trap};
pub use engine::{Allocator, Cache, Engine, EngineBuilder, Pooling, Reflected};
pub use error::{Error, LoadError, RunError};
pub use host::{become_program, environment, executable, kubectl_cache, working_folder};
pub use inspect::{Inspected, Interfaces};
pub use producers::Producers;
pub use progress::Progress;
pub use reach::{reach, reach_by_precedence};
pub use run::RunBuilder;
pub use script::Script;
pub use stdio::{Captured, Input, Output};

/// What a connection can be asked for: discovery, hooks, operations.
pub use tidegate_api as api;
/// What may be allowed and denied.
pub use tidegate_grants as grants;
/// Kubernetes' own words: `Secret`, kubeconfigs, requests.
pub use tidegate_kube as kube;
/// Watches that go on for ever, and stores that they fill.
pub use tidegate_reflector as reflector;
/// Connections by name.
pub use tidegate_registry as registry;
/// How clusters are reached.
pub use tidegate_transport as transport;
