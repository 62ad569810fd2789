//! What a connection can be asked for, over any [`Transport`](tidegate_transport::Transport).
//!
//! - [`discovery`]: which groups, versions and resources a server has, and which of them a name means;
//! - [`forward`]: connections to ports of pods;
//! - [`logs`]: the logs of one or many pods, followed over whatever breaks;
//! - [`middleware`]: hooks of an embedder's own around every request and response of a connection;
//! - [`objects`]: the operations on objects of one kind, from `list` to `wait`;
//! - [`process`]: exec and attach.
//!
//! Nothing here opens anything, knows guests or keeps global state: time comes from tokio, everything else through the transport.

pub mod discovery;
pub mod forward;
pub mod logs;
pub mod middleware;
pub mod objects;
mod path;
pub mod process;
