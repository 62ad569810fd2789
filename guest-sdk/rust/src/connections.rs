//! Connections by name: ways to clusters that whoever started tidegate defined beforehand.
//!
//! ```no_run
//! use tidegate::connections;
//!
//! fn main() -> tidegate::Result<()> {
//!     for name in connections::names() {
//!         let client = connections::open(&name)?;
//!         println!("{name}: {}", client.request_text(tidegate::Request::get("/version"))?);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! A guest sees the names that it was granted (`--allow-connection=prod,dev-*`), and nothing of the others.

use crate::wit::tidegate::host::connections as wit;
use crate::{Client, Result};

/// The connections that this guest may open, sorted. The host may add or remove some while the guest runs.
pub fn names() -> Vec<String> {
    wit::names()
}

/// A client of the connection of this name. [`Client::kind`] is that of the transport beneath.
///
/// Errors: `permission-denied` with the flag to add, whether there is such a connection or not; `invalid-request` for what cannot be a
/// name; `not-configured` where the name is granted and there is no such connection; and the reasons of
/// [`Failure::reason`](crate::Failure::reason).
pub fn open(name: &str) -> Result<Client> {
    Ok(Client::new(wit::open(name)?, Vec::new()))
}
