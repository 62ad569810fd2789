//! Lists and watches that go on for ever.
//!
//! A [`Watcher`] lists what a [`Spec`] names, watches it from there, and does whatever keeps that going: it resumes where a watch ended,
//! begins anew where the server has forgotten that place, waits where the server is away, and asks it for a sign of life where
//! it is silent. What is to be done when is decided by [`Machine`], which is pure; [`Watcher`] does it over any
//! [`Transport`](tidegate_transport::Transport).

mod backoff;
mod drive;
mod failure;
mod machine;
mod spec;

pub use drive::Watcher;
pub use failure::{Cure, Failure};
pub use machine::{Change, Event, Input, ListForm, Machine, Now, Order};
pub use spec::Spec;
