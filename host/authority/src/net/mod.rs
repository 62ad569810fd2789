//! Connections: resolve, check each address, dial what was checked, all within one deadline.

mod dial;
mod error;
mod grant;
mod guest;
mod listen;
mod resolve;
mod stream;
#[cfg(test)]
mod tests;

pub use error::{ConnectError, ConnectFailure};
pub use grant::NetGrant;
pub use guest::GuestNet;
pub use listen::ListenGrant;
pub(crate) use resolve::{Resolver, system_resolver};
pub use stream::TcpStream;
