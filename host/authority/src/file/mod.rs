//! Files: opened beneath granted roots, and checked on the handle.

mod beneath;
mod canonical;
mod error;
mod grant;
mod handle;
mod open;
#[cfg(test)]
mod tests;

pub(crate) use canonical::{Aliases, canonicalise};
pub use error::{ReadError, ReadFailure};
pub use grant::{ReadGrant, Stamp};
pub(crate) use handle::{Handle, read_capped};
