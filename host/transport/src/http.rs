//! HTTP to one server: dial, TLS, pool, exchange.
//!
//! The server chooses between HTTP/2 and HTTP/1.1. An HTTP/1.1 connection ([`one`]) is driven by whoever waits for its response: no
//! task is spawned and none is woken for a request. An HTTP/2 connection ([`session`]) is shared, and a task of its own drives it. A
//! body that nobody reads holds its server back either way.

mod client;
mod dial;
mod fault;
mod gathered;
mod gunzip;
mod head;
mod incoming;
mod one;
mod pool;
pub(crate) mod proxy;
mod secured;
mod session;
mod status;
mod stream;
mod tls;
mod transport;
mod upgrade;
mod verify;

pub(crate) use client::{Client, Origin};
pub(crate) use dial::Dialer;
pub(crate) use head::Compression;
pub(crate) use incoming::Incoming;
pub(crate) use tls::{Certificates, ClientIdentity, Identity, Material, Tls, Trust};
pub(crate) use transport::HttpTransport;
