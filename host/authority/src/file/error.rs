//! Why a file was not read.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use tidegate_grants::Missing;

/// A file or folder that was not read.
///
/// Displays as one line for people that names the path and the cure; never anything of the file's content.
#[derive(Debug)]
pub struct ReadError {
    path: PathBuf,
    failure: ReadFailure,
}

/// What went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadFailure {
    /// There is no such file.
    NotFound,
    /// The path itself is not granted: a child of a granted folder that a deny flag covers, or a name that leaves it.
    Refused(Missing),
    /// The path is granted, and links lead it to one that is not.
    LeadsOut(Missing),
    /// The guest could have written it, by this flag, and it must not come from the guest.
    Writable {
        /// `--wasi-write` or `--allow-write`.
        flag: &'static str,
        /// The path that the flag covers: the one that was asked for, or where it leads.
        path: PathBuf,
    },
    /// The guest can read it by itself, and a credential is not for a guest.
    OpenToGuest {
        /// Where the path that was asked for leads.
        path: PathBuf,
    },
    /// A FIFO, device, socket, or a folder where a file was wanted. The text names it: `a FIFO`.
    NotAFile(&'static str),
    /// A file where a folder was wanted.
    NotAFolder,
    /// Larger than the cap, in bytes.
    TooLarge {
        /// The cap that it exceeds.
        cap: u64,
    },
    /// More entries than the cap.
    TooMany {
        /// The cap that it exceeds.
        cap: usize,
    },
    /// The file was replaced again and again while it was being opened.
    Changing,
    /// The operating system refused, for instance by the file's mode.
    Io(io::Error),
}

impl ReadError {
    /// The path that was asked for.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What went wrong.
    pub fn failure(&self) -> &ReadFailure {
        &self.failure
    }

    /// Whether there is no such file, which some callers take as an answer.
    pub fn is_not_found(&self) -> bool {
        matches!(self.failure, ReadFailure::NotFound)
    }

    /// Whether the file is not the host's alone: see [`ReadFailure::Writable`] and [`ReadFailure::OpenToGuest`].
    pub fn is_guests(&self) -> bool {
        matches!(self.failure, ReadFailure::Writable { .. } | ReadFailure::OpenToGuest { .. })
    }

    /// What is not granted, where that is the reason.
    pub fn missing(&self) -> Option<&Missing> {
        match &self.failure {
            ReadFailure::Refused(missing) | ReadFailure::LeadsOut(missing) => Some(missing),
            _ => None,
        }
    }

    pub(crate) fn new(path: &Path, failure: ReadFailure) -> Self {
        Self { path: path.to_owned(), failure }
    }
}

impl From<io::Error> for ReadFailure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::NotFound } else { Self::Io(error) }
    }
}

impl From<rustix::io::Errno> for ReadFailure {
    fn from(error: rustix::io::Errno) -> Self {
        io::Error::from(error).into()
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.failure {
            ReadFailure::NotFound => write!(f, "{path:?} does not exist"),
            ReadFailure::Refused(missing) => missing.fmt(f),
            ReadFailure::LeadsOut(missing) => {
                write!(f, "{path:?} leads outside of what is granted: {missing}")
            }
            ReadFailure::Writable { flag, path: own } => {
                if own != path {
                    write!(f, "{path:?} leads to ")?;
                }
                write!(
                    f,
                    "{own:?}, which can be written by the guest ({flag}), so that nothing is taken from it; \
                     grant a folder that does not contain it"
                )
            }
            ReadFailure::OpenToGuest { path: own } => {
                if own != path {
                    write!(f, "{path:?} leads to ")?;
                }
                write!(
                    f,
                    "{own:?}, which the guest can read by itself (--wasi-read), so that no credential is taken from it; \
                     grant a folder that does not contain it"
                )
            }
            ReadFailure::NotAFile(what) => write!(f, "{path:?} is {what}, and only regular files are read"),
            ReadFailure::NotAFolder => write!(f, "{path:?} is not a folder"),
            ReadFailure::TooLarge { cap } => write!(f, "{path:?} is larger than the cap of {}", Size(*cap)),
            ReadFailure::TooMany { cap } => write!(f, "{path:?} has more than {cap} entries, the cap"),
            ReadFailure::Changing => {
                write!(f, "{path:?} was replaced over and over while it was being opened")
            }
            ReadFailure::Io(_) => write!(f, "cannot read {path:?}"),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.failure {
            ReadFailure::Io(source) => Some(source),
            _ => None,
        }
    }
}

/// Bytes in the largest unit that divides them.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes >= 1 << 20 && bytes % (1 << 20) == 0 => write!(f, "{} MiB", bytes >> 20),
            bytes if bytes >= 1 << 10 && bytes % (1 << 10) == 0 => write!(f, "{} KiB", bytes >> 10),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}
