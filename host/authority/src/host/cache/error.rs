//! Why a cache cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// A cache that cannot be used, or an entry that cannot be trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// Someone else could change it.
    #[error("{} is not private: {why}; it is not used. Run `{cure}`, or choose another cache folder", .path.display())]
    NotPrivate {
        /// The folder or entry.
        path: PathBuf,
        /// Who else owns or can write it.
        why: String,
        /// A command that puts it right.
        cure: String,
    },
    /// It is not what it should be: a link, or no folder, or no file.
    #[error("{} is {what}; remove it, or choose another cache folder", .path.display())]
    WrongType {
        /// The folder or entry.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// An entry's name must be a plain file name of letters, digits, `.`, `-` and `_` that does not start with a dot.
    #[error("{0:?} cannot name a cache entry")]
    BadName(String),
    /// An entry is larger than 2 GiB, which no entry of ours is.
    #[error("{} is larger than the cap of 2 GiB", .0.display())]
    TooLarge(PathBuf),
    /// The operating system refused.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// What was tried: `make`, `open`, `list`, `read`, `write`, `remove`.
        action: &'static str,
        /// The folder or entry.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}

pub(super) fn failed(action: &'static str, path: &Path, error: Errno) -> CacheError {
    CacheError::Io { action, path: path.to_owned(), source: error.into() }
}
