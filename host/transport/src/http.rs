//! HTTP/1.1 to one server: dial, TLS, pool, exchange.
//!
//! A connection is driven by whoever waits for its response: no task is spawned and none is woken for a request, and a body
//! that nobody reads lets its socket fill, which holds the server back. HTTP/2 would be a second kind of [`connection`] behind
//! the same [`Client`].

mod client;
mod connection;
mod dial;
mod fault;
mod head;
mod incoming;
mod pool;
mod status;
mod stream;
mod tls;
mod transport;
mod verify;

pub(crate) use client::{Client, Origin};
pub(crate) use dial::Dialer;
pub(crate) use incoming::Incoming;
pub(crate) use tls::{Certificates, ClientIdentity, Identity, Material, Tls, Trust};
pub(crate) use transport::HttpTransport;
