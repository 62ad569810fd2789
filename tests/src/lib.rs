//! What the end-to-end tests stand on: the built programs and guests, servers, and runs of `tidegate` with a deadline.
//!
//! `cargo xtask test` builds all of it and says where it is; a bare `cargo test -p tidegate-tests` uses what was built last.

mod ask;
mod certificate;
mod debian;
mod fault;
mod http;
mod issuer;
mod live;
mod names;
mod network;
mod peer;
mod places;
mod playground;
mod proxy;
mod record;
mod run;
mod server;
mod skip;
mod terminal;
mod who;

pub use certificate::Shown;
pub use debian::{Proxy, ProxyKind};
pub use fault::{Dice, Fault, FaultProxy, Toward};
pub use http::{Act, Asked};
pub use issuer::{CLIENT, Grant, Issuer};
pub use live::{Live, eventually, is_alive};
pub use names::Names;
pub use network::Network;
pub use peer::{Manner, Peer, TOKEN};
pub use places::{guest, program};
pub use playground::Playground;
pub use proxy::KubectlProxy;
pub use record::{Door, Keys, Record, Recorder, Via};
pub use run::{Outcome, Run, Usage};
pub use server::{Server, Target, kubectl};
pub use skip::skipped;
pub use who::{REVIEW, Who};
