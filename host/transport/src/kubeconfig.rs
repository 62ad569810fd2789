//! A kubeconfig file or document.

mod connect;
mod credential;
mod plan;
mod planned;
mod ready;

pub(crate) use connect::{connect_document, connect_file, plan};
pub use planned::planned_credentials;
