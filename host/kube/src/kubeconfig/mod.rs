//! kubeconfig files, read, merged and resolved as client-go does (`tools/clientcmd`, v0.36).
//!
//! [`parse`] turns one file's bytes into a [`Document`], [`merge`] several documents into a [`Config`], and
//! [`Config::resolve`] picks one server with its credentials: [`Resolved`]. What is said to exec plugins and auth
//! providers, and what they answer, is in [`exec`] and beside it.
//!
//! No error quotes the file's text: it is named by its path within the document (`users[3].user.token`). The names of
//! contexts, clusters and users are told, since choosing among them is the cure.

mod auth;
mod decode;
mod error;
pub mod exec;
mod impersonate;
mod list;
mod merge;
pub mod provider;
mod resolve;
pub(crate) mod scalar;
mod schema;
mod server;
pub(crate) mod yaml;

pub use auth::{Auth, ClientCert};
pub use decode::ParseError;
pub use error::{Names, ResolveError};
pub use impersonate::Impersonate;
pub use list::Separator;
pub use merge::{Config, Document, merge, parse};
pub use resolve::{Choice, Resolved, Source, Tls, Verification};
pub use schema::{AuthProvider, Cluster, Context, ExecCluster, ExecConfig, ExecEnv, InteractiveMode, User};
pub use server::{Scheme, Server, ServerError};
pub use yaml::{MAX_ALIAS_BYTES, MAX_BYTES, MAX_DEPTH, MAX_NODES};
