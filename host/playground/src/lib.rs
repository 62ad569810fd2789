//! An in-memory Kubernetes API: a first run without a cluster, and guests' own tests.
//!
//! It answers as kube-apiserver 1.36 does for what a client of the API does: discovery, reads, watches, every kind of
//! write, tables for `kubectl get`, custom kinds. `docs/playground.md` says what it lacks: there is no RBAC and no
//! admission, no kubelet (no logs, exec, attach or port-forward), nothing survives the process, and built-in kinds
//! are validated only where a first guest would stumble.
//!
//! ```no_run
//! # async fn example() -> Result<(), tidegate_playground::StartError> {
//! use tidegate_playground::Playground;
//!
//! let playground = Playground::builder().seed_pods(10).start().await?;
//! println!("{} {}", playground.url(), playground.kubeconfig());
//! playground.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! Several can run in one process; nothing is global, and no default crypto provider is set.

mod api;
mod discovery;
mod fields;
mod kinds;
mod kubeconfig;
mod playground;
mod protobuf;
mod select;
mod server;
mod store;
mod table;
mod world;

pub use kubeconfig::{write_private, write_service_account};
pub use playground::{Builder, Playground, StartError};
