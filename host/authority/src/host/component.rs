//! Reading the component that is to be run.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};

use crate::file::{Handle, ReadError, ReadFailure, read_capped};

/// The largest component that is read.
pub(crate) const COMPONENT_CAP: u64 = 512 << 20;

/// How much is looked at a time: what fits the processor's caches, and takes few pages.
const PIECE: usize = 64 << 10;

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

/// A component's file, open: what is read is one file, whatever its path names later. It may still be written while it is read.
#[derive(Debug)]
pub struct ComponentFile {
    file: File,
    size: u64,
    path: PathBuf,
}

impl ComponentFile {
    pub(crate) fn open(path: &Path) -> Result<Self, ComponentError> {
        let open = || {
            let absolute: PathBuf = std::path::absolute(path)?;
            let fd = rustix::fs::openat(CWD, &absolute, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
                .map_err(io::Error::from)?;
            let (file, stat) = Handle::new(fd).open_file()?;
            Ok(Self { file, size: u64::try_from(stat.st_size).unwrap_or(0), path: path.to_owned() })
        };
        open().map_err(|failure: ReadFailure| ComponentError(ReadError::new(path, failure)))
    }

    /// How large it was when it was opened, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Shows it from its beginning, piece by piece: enough to know it by its digest, without memory for all of it.
    ///
    /// Errors: larger than 512 MiB, or the operating system's.
    pub fn look(&mut self, see: &mut dyn FnMut(&[u8])) -> Result<(), ComponentError> {
        self.looked(see).map_err(|failure| self.unread(failure))
    }

    fn looked(&mut self, see: &mut dyn FnMut(&[u8])) -> Result<(), ReadFailure> {
        let mut piece = vec![0; PIECE];
        let mut seen = 0_u64;
        self.file.rewind()?;
        loop {
            match self.file.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(length) => {
                    see(&piece[..length]);
                    seen += length as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
            if seen > COMPONENT_CAP {
                return Err(ReadFailure::TooLarge { cap: COMPONENT_CAP });
            }
        }
    }

    /// All of it. Errors: larger than 512 MiB, or the operating system's.
    pub fn bytes(&mut self) -> Result<Vec<u8>, ComponentError> {
        let read = self.file.rewind().map_err(ReadFailure::from);
        let read = read.and_then(|()| read_capped(&mut self.file, self.size, COMPONENT_CAP));
        read.map_err(|failure| self.unread(failure))
    }

    fn unread(&self, failure: ReadFailure) -> ComponentError {
        ComponentError(ReadError::new(&self.path, failure))
    }
}
