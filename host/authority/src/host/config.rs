//! Reading tidegate's own configuration: it grants and names credentials, so nobody else may have a hand in it.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::file::{Handle, ReadFailure, read_capped};

/// The largest configuration file that is read.
const CONFIG_CAP: u64 = 1 << 20;

/// A configuration file that was not read. Each variant that has a cure names it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Somebody else could change it.
    #[error("{} is not used: {why}. Run `{cure}`", .path.display())]
    NotPrivate {
        /// The file.
        path: PathBuf,
        /// Who else owns or can write it.
        why: String,
        /// A command that puts it right.
        cure: String,
    },
    /// It is a folder, a FIFO, a device or a socket.
    #[error("{} is {what}, not a file", .path.display())]
    WrongType {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// It is larger than the cap.
    #[error("{} is larger than the cap of {cap} bytes", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The cap.
        cap: u64,
    },
    /// The operating system refused.
    #[error("cannot read {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}

/// Opened once; owner, mode and bytes are all of that one handle.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, ConfigError> {
    let failed = |source: io::Error| ConfigError::Io { path: path.to_owned(), source };
    let fd = match rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(error) => return Err(failed(error.into())),
    };
    let read = || {
        let (mut file, stat) = Handle::new(fd).open_file()?;
        Ok((read_capped(&mut file, u64::try_from(stat.st_size).unwrap_or(0), CONFIG_CAP)?, stat))
    };
    let (bytes, stat) = read().map_err(|failure: ReadFailure| match failure {
        ReadFailure::NotAFile(what) => ConfigError::WrongType { path: path.to_owned(), what },
        ReadFailure::TooLarge { cap } => ConfigError::TooLarge { path: path.to_owned(), cap },
        ReadFailure::Io(error) => failed(error),
        _ => failed(io::Error::other("the file is being replaced")),
    })?;
    check_owner(path, &stat)?;
    Ok(Some(bytes))
}

/// As ssh with its own: this user's or root's, and nobody else's to write.
fn check_owner(path: &Path, stat: &Stat) -> Result<(), ConfigError> {
    let refuse = |why: String, cure: String| {
        Err(ConfigError::NotPrivate { path: path.to_owned(), why, cure: format!("{cure} {path:?}") })
    };
    let me = rustix::process::geteuid().as_raw();
    if stat.st_uid != me && stat.st_uid != 0 {
        return refuse(format!("user {} owns it", stat.st_uid), format!("chown {me}"));
    }
    if stat.st_mode & 0o022 != 0 {
        return refuse(
            format!("its mode {:04o} lets others write it", stat.st_mode & 0o7777),
            "chmod go-w".to_owned(),
        );
    }
    Ok(())
}
