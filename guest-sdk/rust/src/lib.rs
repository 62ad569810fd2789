//! Kubernetes for sandboxed scripts: kube-rs' words over the handles that [tidegate] gives a guest.
//!
//! ```no_run
//! use tidegate::prelude::*;
//! use tidegate::k8s_openapi::api::core::v1::Pod;
//!
//! fn main() -> tidegate::Result<()> {
//!     let client = tidegate::auto_detect_client()?;
//!     let pods: Api<Pod> = Api::default_namespaced(client);
//!     for pod in pods.iter(&ListParams::default()) {
//!         println!("{}", pod?.name_any());
//!     }
//!     Ok(())
//! }
//! ```
//!
//! Everything blocks the guest, and nothing else: there is no `async`. To wait for several things at once, start them
//! ([`Client::start`], `try_next` of a stream) and [`poll`] what they `subscribe` to.
//!
//! A guest holds no socket, file or credential. What whoever started tidegate did not grant comes back as an error whose text names the
//! flag to add; leave it to `?` and `main`.
//!
//! # Features
//!
//! `kube`, on by default: [`Api`] over the types of kube-core and k8s-openapi. A typed `Pod` costs some 700 KB of component. Without it,
//! [`Client`], [`Request`], [`Client::items`] and [`Client::open_events`] decode into types of your own, and a small guest is under 150 KB.
//!
//! [tidegate]: https://docs.rs/tidegate

#[cfg(feature = "kube")]
mod api;
mod batch;
mod client;
#[cfg(feature = "kube")]
pub mod conditions;
mod connection;
pub mod connections;
pub mod discovery;
mod error;
mod list;
mod lists;
mod logs;
pub mod permissions;
mod poll;
pub mod process;
mod reflector;
mod request;
mod response;
mod stream;
pub mod watcher;
mod wit;

#[cfg(feature = "kube")]
pub use api::{Api, Execute, Log, Watch};
pub use client::{Client, auto_detect_client};
pub use connection::{Forward, Listener, Socket, listen};
pub use error::{Error, Failure, Result, Status};
#[cfg(feature = "kube")]
pub use k8s_openapi;
#[cfg(feature = "kube")]
pub use kube_core;
pub use list::{Items, List, ListMeta, Page, Pages};
pub use lists::{ListRequest, ListSource};
pub use logs::{LogEvent, LogPart, LogRequest, LogStream};
pub use poll::{Pollable, after, poll, sleep};
pub use process::{AttachParams, AttachedProcess};
pub use reflector::{Reflector, ReflectorParams, Store, Update, UpdateStream};
pub use request::{Method, OutgoingBody, Request};
pub use response::{Pending, Response};
pub use stream::{
    ByteStream, Event, EventStream, EventType, ItemStream, JsonStream, LineStream, Reader, Stream,
};

#[cfg(feature = "kube")]
pub use watcher::watcher;

/// What most guests use: `use tidegate::prelude::*`.
pub mod prelude {
    #[cfg(feature = "kube")]
    pub use crate::api::prelude::*;
    pub use crate::{Client, Request, auto_detect_client};
}

/// Ends the program with an exit code of its own, at once. Codes below 124 are a guest's to choose; those from it up have meanings of
/// tidegate's. (`std::process::exit` knows but 0 and 1 on WASI 0.2.)
pub fn exit(code: u8) -> ! {
    use std::io::Write;
    // What cannot be written any more is nobody's to hear.
    _ = std::io::stdout().flush();
    wit::cli::wasi::cli::exit::exit_with_code(code);
    unreachable!("the host ends the guest in exit-with-code")
}
