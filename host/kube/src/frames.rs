//! Bytes from a stream, cut into lines, JSON objects and watch events.
//!
//! Nothing here builds a tree of values: a line is handed on as the bytes that arrived.

mod json;
mod lines;
pub mod watch;

pub use json::{JsonLineError, JsonLines};
pub use lines::{DEFAULT_LINE_CAP, LineSplitter, LineTooLong};
