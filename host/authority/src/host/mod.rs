//! What tidegate itself needs, apart from what any guest was granted.

mod authority;
mod cache;
mod component;
mod config;
mod listen;

pub use authority::HostAuthority;
pub use cache::{CacheError, CacheFolder};
pub use component::ComponentError;
pub use config::ConfigError;
pub use listen::{ListenError, Listener};
