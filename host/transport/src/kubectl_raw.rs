//! The `kubectl` program, started for each request.

mod apply;
mod command;
mod connect;
mod exec;
mod output;
mod patch;
mod plan;
mod said;
mod transport;

pub(crate) use connect::connect;
pub(crate) use output::Output;
