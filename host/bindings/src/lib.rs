//! The thin translator between the WIT package `tidegate:host` and transports.
//!
//! Every host method decodes, calls and encodes; nothing here retries, decides or remembers. What a guest holds are handles into
//! a [`ResourceTable`](wasmtime::component::ResourceTable): the things behind them own what they opened, so that dropping one closes it.
//!
//! ```text
//! wit.rs          bindgen's traits            convert.rs   transport's words ↔ WIT's words      aside.rs   where host functions wait
//! client.rs connections.rs detect.rs discovery.rs forward.rs listen.rs lists.rs logs.rs permissions.rs poll.rs tunnels.rs watches.rs  one interface each
//! types: error.rs request.rs outgoing.rs pending.rs response.rs streams.rs (all four) decode.rs (what they make of bytes)
//! ```

mod aside;
mod charge;
mod client;
mod connections;
mod context;
mod convert;
mod decode;
mod detect;
mod discovery;
mod error;
mod forward;
mod listen;
mod lists;
mod logs;
mod narrowing;
mod outgoing;
mod pending;
mod permissions;
mod poll;
mod reflectors;
mod request;
mod response;
mod streams;
mod tunnels;
mod watches;
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated from wit/, which documents every item"
)]
mod wit;

pub use aside::Aside;
pub use client::Client;
pub use context::{Context, MAX_HANDLES, Surroundings, TidegateView, View, add_to_linker};
pub use discovery::{ApiGroup, ApiResource};
pub use forward::Connection;
pub use listen::{Listener, Socket};
pub use lists::{ItemStream, ListOptions};
pub use logs::{LogOptions, LogStream};
pub use outgoing::OutgoingBody;
pub use pending::Pending;
pub use poll::Pollable;
pub use reflectors::{Reflector, ReflectorOptions, Snapshot};
pub use request::{Held, Holding, Request};
pub use response::Response;
pub use streams::{ByteStream, EventStream, JsonStream, LineStream};
pub use tunnels::{Process, ProcessOptions};
pub use watches::Watcher;
