//! From names to addresses.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use futures_util::future::BoxFuture;

/// Answers the addresses of a name. A value, so that tests can answer differently each time.
pub(crate) type Resolver =
    Arc<dyn Fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// The operating system's resolver (getaddrinfo), with its search list and `/etc/hosts`.
///
/// It runs on a thread of tokio's blocking pool and cannot be called back: after a deadline it ends in its own time, so a
/// program that is to end at once should shut its runtime down in the background.
pub(crate) fn system_resolver() -> Resolver {
    Arc::new(|name, port| {
        Box::pin(async move {
            if name == "localhost" {
                // RFC 6761: never asked of DNS. It also saves the thread.
                return Ok(vec![(Ipv6Addr::LOCALHOST, port).into(), (Ipv4Addr::LOCALHOST, port).into()]);
            }
            Ok(tokio::net::lookup_host((name, port)).await?.collect())
        })
    })
}
