//! A `kubectl proxy` that runs already.

mod connect;
mod plan;

pub(crate) use connect::connect;
