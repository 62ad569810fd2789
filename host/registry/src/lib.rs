//! Connections by name.
//!
//! A connection is a way to one cluster that whoever started tidegate defined beforehand: in `tidegate.yaml`, in
//! `K8S_CLUSTER_CONF_*` or in code. It is idle until a guest opens it; then one transport serves every guest of the process, so that
//! its credential is read and refreshed once for all of them.
//!
//! ```text
//! config.rs ─┐
//! env.rs ────┴─ draft.rs (merge) ─► Configuration ─► Registry ─► View (one guest's) ─► shared.rs (one transport)
//! ```
//!
//! What is above `Registry` is pure. A [`View`] holds two authorities: the guest's, which says whether a name is granted, and the one
//! that its connections use, which is bounded by the same denials.

mod config;
mod configuration;
mod definition;
mod draft;
mod env;
mod error;
mod registry;
mod shared;
mod view;

pub use configuration::{Configuration, Origin, SetError, Sources, UnknownSet};
pub use definition::{Definition, Entry, KubeConfig, Overrides, ServiceAccount};
pub use env::PREFIX;
pub use error::{ConfigError, Place, RegisterError};
pub use registry::{Connection, Registry};
pub use view::View;
