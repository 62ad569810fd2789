//! A kubeconfig file or document.

mod connect;
mod plan;

pub(crate) use connect::{connect_document, connect_file};
