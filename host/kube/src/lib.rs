//! Kubernetes' own words: kubeconfig, paths, requests, statuses, frames.
//!
//! Everything here is pure: bytes and strings in, values out. There is no file, no socket, no clock and no environment, so
//! each rule can be tested as a table and fuzzed. Where kubectl has a behaviour, it is kubectl's (client-go v0.36); where
//! tidegate is stricter, the item says so and why.

pub mod channels;
pub mod condition;
pub mod date;
pub mod frames;
pub mod jwt;
pub mod kubeconfig;
pub mod near;
pub mod path;
pub mod request;
#[cfg(feature = "scan")]
pub mod scan;
mod secret;
pub mod select;
pub mod status;
pub mod text;
pub mod version;
pub mod x509;
pub mod yaml;

pub use secret::Secret;
