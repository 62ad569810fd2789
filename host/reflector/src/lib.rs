//! Lists and watches that go on for ever.
//!
//! A [`Watcher`] lists what a [`Spec`] names, watches it from there, and does whatever keeps that going: it resumes where a watch ended,
//! begins anew where the server has forgotten that place, waits where the server is away, and asks it for a sign of life where
//! it is silent. What is to be done when is decided by [`Machine`], which is pure; [`Watcher`] does it over any
//! [`Transport`](tidegate_transport::Transport).
//!
//! [`Reflectors`] keep what watchers tell: one store and one watch for all who ask one connection for the same. Whoever follows a store
//! ([`Reflector`]) holds a place in what happened and no objects.
//!
//! ```text
//! Watcher ─► live (task) ─► state: store + log + graves ◄─ follow (a place) ◄─ view (filter, mask) ◄─ Reflector
//! ```

mod backoff;
mod drive;
mod failure;
mod follow;
mod hub;
mod live;
mod log;
mod machine;
mod reflector;
mod snapshot;
mod spec;
mod state;
mod store;
mod view;

pub use drive::Watcher;
pub use failure::{Cure, Failure};
pub use hub::{Reflectors, Shared};
pub use machine::{Change, Event, Input, ListForm, Machine, Now, Order};
pub use reflector::{Listing, Reflector, Update};
pub use spec::Spec;
pub use view::{BATCH, View};
