//! The `kubectl` program, started for each request.

mod apply;
mod command;
mod connect;
mod output;
mod patch;
mod plan;
mod transport;

pub(crate) use connect::connect;
pub(crate) use output::Output;
