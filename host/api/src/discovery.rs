//! Which groups, versions and resources a server has, and which of them a name means.
//!
//! ```text
//! fetch.rs      the documents of a server: aggregated where it has them, else one by one
//! document.rs   documents as bytes, from wherever an embedder keeps them
//! aggregated.rs legacy.rs   what the two families of documents look like
//! builder.rs    names checked, interned and capped      catalog.rs   what comes of it
//! lookup.rs     a name as kubectl reads it              near.rs      what it was likely meant to be
//! cache.rs      one catalog a connection, for a while   pool.rs      one cache a connection, for all who use it
//! ```

mod aggregated;
mod builder;
mod cache;
mod catalog;
mod document;
mod fetch;
mod legacy;
mod lookup;
mod near;
mod pool;

pub(crate) use catalog::segment;

pub use builder::{MAX_GROUPS, MAX_RESOURCES};
pub use cache::{Discovery, DiscoveryOptions, Keep};
pub use catalog::{Catalog, Gap, Group, Resource, Scope, Subresource};
pub use document::{DocumentError, MAX_DOCUMENT};
pub use lookup::{LookupError, UnsupportedResource};
pub use pool::Discoveries;
