//! What a program around this library asks of its own process.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use tidegate_authority::{Authority, HostAuthority};
use tidegate_grants::Grants;

/// The one place where grants become an authority.
pub(crate) fn authority(grants: Grants) -> Authority {
    Authority::from_ambient(grants)
}

/// A variable of this process' environment, for the program's own use (`NO_COLOR`), never for a guest's.
pub fn environment(name: &str) -> Option<OsString> {
    HostAuthority::from_ambient().env(name)
}

/// The working folder, for relative paths on the command line; `/` where it is gone.
pub fn working_folder() -> PathBuf {
    HostAuthority::from_ambient().working_folder().unwrap_or_else(|_| PathBuf::from("/"))
}

/// The absolute path of the program that is running.
///
/// Errors: the operating system does not tell.
pub fn executable() -> io::Result<PathBuf> {
    HostAuthority::from_ambient().executable()
}

/// Replaces this process by another program, which keeps its streams, environment and process id; returns only where that did not
/// work.
pub fn become_program<S: AsRef<OsStr>>(program: &Path, arguments: impl IntoIterator<Item = S>) -> io::Error {
    HostAuthority::from_ambient().become_program(program, arguments)
}

/// A private folder for what kubectl keeps (discovery, HTTP), for [`KubectlOptions`](crate::transport::KubectlOptions); made where
/// it is missing. None where there is no place for it, or where it is not this user's alone: then kubectl keeps nothing.
pub fn kubectl_cache() -> Option<PathBuf> {
    let host = HostAuthority::from_ambient();
    let folder = host.user_cache()?.join("kubectl");
    host.cache(&folder).ok()?;
    Some(folder)
}
