//! What tidegate itself needs, apart from what any guest was granted.

mod authority;
mod cache;
mod component;
mod config;
mod listen;

pub use authority::HostAuthority;
pub use cache::{CacheEntry, CacheError, CacheFolder, Sealed};
pub use component::{ComponentError, ComponentFile};
pub use config::ConfigError;
pub use listen::{ListenError, Listener};
