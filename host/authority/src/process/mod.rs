//! Programs: found once, started in a process group of their own, ended with it.

mod child;
mod command;
mod error;
mod grant;

pub use child::{Child, Exit};
pub use command::{Command, Stdio};
pub use error::RunError;
pub use grant::RunGrant;
