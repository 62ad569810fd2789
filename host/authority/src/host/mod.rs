//! What tidegate itself needs, apart from what any guest was granted.

mod authority;
mod cache;
mod component;
mod listen;

pub use authority::HostAuthority;
pub use cache::{CacheError, CacheFolder};
pub use component::ComponentError;
pub use listen::{ListenError, Listener};
