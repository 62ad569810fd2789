//! What a program around this library asks of its own process.

use std::ffi::OsString;
use std::path::PathBuf;

use tidegate_authority::HostAuthority;

/// A variable of this process' environment, for the program's own use (`NO_COLOR`), never for a guest's.
pub fn environment(name: &str) -> Option<OsString> {
    HostAuthority::from_ambient().env(name)
}

/// The working folder, for relative paths on the command line; `/` where it is gone.
pub fn working_folder() -> PathBuf {
    HostAuthority::from_ambient().working_folder().unwrap_or_else(|_| PathBuf::from("/"))
}
