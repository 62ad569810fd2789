//! The one door to sockets, files and processes.
//!
//! ```text
//! Needs ──► Authority::approve ──► Approved ──► NetGrant, ReadGrant, EnvGrant, RunGrant, ListenGrant ──► the deed
//! ```
//!
//! A grant has private fields and no public constructor, and the deed is a method *of* it: what was judged and what is done
//! cannot come apart. [`NetGrant::connect`] dials the addresses that it checked. [`ReadGrant`] reads the handle whose real
//! path it checked. [`RunGrant`] starts the file that it found once.
//!
//! What tidegate itself needs goes through [`HostAuthority`], which no plan can reach, so a guest's grants are never used for
//! it, nor its rights for a guest.
//!
//! Linux only: files are opened with `openat2` and checked through `/proc`.

#[cfg(not(target_os = "linux"))]
compile_error!("tidegate-authority opens files with Linux' openat2 and checks them through /proc");

mod authority;
mod environment;
mod file;
mod host;
mod needs;
mod net;
mod process;

pub use authority::{Authority, Clock};
pub use environment::EnvGrant;
pub use file::{ReadError, ReadFailure, ReadGrant, Stamp};
pub use host::{
    CacheEntry, CacheError, CacheFolder, ComponentError, ComponentFile, ConfigError, HostAuthority,
    ListenError, Listener, Sealed,
};
pub use needs::{Approved, Needs};
pub use net::{ConnectError, ConnectFailure, GuestNet, ListenGrant, NetGrant, TcpStream};
pub use process::{Child, Command, Exit, RunError, RunGrant, Stdio};
