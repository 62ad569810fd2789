//! Finds the objects of a Kubernetes answer and what identifies them, without building a tree.
//!
//! The guest and the bare client do the same work with it, so that a comparison between them compares how bytes reach a program and
//! not two parsers. It reads what API servers write: valid JSON, whose errors it may overlook and never misread into a crash.

pub mod behind;
mod block;
mod items;
mod object;
mod tally;

pub use items::{Items, NotAList};
pub use object::{Event, Identity, event, identity};
pub use tally::{Delays, NoTally, Tally, ended};
