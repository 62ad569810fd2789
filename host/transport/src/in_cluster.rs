//! The pod's own service account.

mod connect;
mod plan;

pub(crate) use connect::{connect, plan};
pub(crate) use plan::folder;
