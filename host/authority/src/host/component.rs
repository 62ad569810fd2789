//! Reading the component that is to be run.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};

use crate::file::{Handle, ReadError, ReadFailure, read_capped};

/// The largest component that is read.
pub(crate) const COMPONENT_CAP: u64 = 512 << 20;

/// A component that was not read. Displays as one line that names the file; its source has the operating system's words.
#[derive(Debug)]
pub struct ComponentError(ReadError);

impl ComponentError {
    /// The file.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Whether there is no such file.
    pub fn is_not_found(&self) -> bool {
        self.0.is_not_found()
    }
}

impl fmt::Display for ComponentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for ComponentError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, ComponentError> {
    let read = || {
        let path: PathBuf = std::path::absolute(path)?;
        let fd = rustix::fs::openat(CWD, &path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
            .map_err(io::Error::from)?;
        let (mut file, stat) = Handle::new(fd).open_file()?;
        read_capped(&mut file, u64::try_from(stat.st_size).unwrap_or(0), COMPONENT_CAP)
    };
    read().map_err(|failure: ReadFailure| ComponentError(ReadError::new(path, failure)))
}
