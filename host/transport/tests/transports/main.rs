//! The transports against real sockets, real TLS and a recording kubectl.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the peers of these tests are the outside world"
)]

mod bodies;
mod certificates;
mod detection;
mod floods;
mod http;
mod kubectl;
mod kubectl_exec;
mod packed;
mod peer;
mod pki;
mod plugins;
mod precedence;
mod providers;
mod proxies;
mod raw_peer;
mod rotation;
mod setup;
mod tls;
mod tunnel_flow;
mod tunnel_peer;
mod tunnels;
mod two;
mod two_peer;
