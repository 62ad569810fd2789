//! The right to read one file, or one folder and what is beneath it.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_grants::normalise;

use crate::authority::Inner;
use crate::file::beneath::Way;
use crate::file::error::{ReadError, ReadFailure};
use crate::file::handle::{Handle, read_capped};
use crate::file::open::open;

/// The right to read one path: that file, or that folder and everything beneath it.
///
/// Each call opens anew, so that a rotated file is seen, and judges what it opened: links are followed only into what is
/// granted, and only regular files are read. The `_now` methods work on the calling thread, which suits the small files that
/// a start needs; the others leave the work to tokio's blocking pool.
#[derive(Clone)]
pub struct ReadGrant {
    authority: Arc<Inner>,
    path: PathBuf,
    way: Way,
}

/// What changes when a file is replaced or written: to be compared with an earlier one of the same path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: i64,
    modified: (i64, u64),
    changed: (i64, u64),
}

impl ReadGrant {
    /// The path as it was needed: absolute and normalised.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The right to read `name` beneath this folder. A name that leaves the folder is judged when it is read, as any path.
    pub fn child(&self, name: impl AsRef<Path>) -> ReadGrant {
        let path = self.path.join(name);
        Self { path: normalise(&path).unwrap_or(path), ..self.clone() }
    }

    /// Reads the whole file. Errors: [`ReadFailure`], with [`ReadFailure::TooLarge`] above `cap` bytes.
    pub async fn read(&self, cap: u64) -> Result<Vec<u8>, ReadError> {
        self.apart(move |grant| grant.read_now(cap)).await
    }

    /// As [`ReadGrant::read`], on this thread.
    pub fn read_now(&self, cap: u64) -> Result<Vec<u8>, ReadError> {
        self.with_handle(|handle| read_file(handle, cap))
    }

    /// As [`ReadGrant::read_now`], for what must neither come from the guest nor be open to it: a credential, or what says where one
    /// goes.
    ///
    /// Errors besides: [`ReadFailure::Writable`] where a write grant covers the path, or the real path of the file that was
    /// opened: a link that somebody made long ago may lead from a folder of the host's into one of the guest's.
    /// [`ReadFailure::OpenToGuest`] where that real path is in a folder that the guest has open.
    pub fn read_trusted_now(&self, cap: u64) -> Result<Vec<u8>, ReadError> {
        let refuse_writable = |path: &Path| match self.authority.writable_by(path) {
            Some(flag) => Err(ReadFailure::Writable { flag, path: path.to_owned() }),
            None => Ok(()),
        };
        // Before anything is opened: whether there is such a file is the guest's choice too.
        refuse_writable(&self.path).map_err(|failure| ReadError::new(&self.path, failure))?;
        self.with_handle(|handle| {
            let real = handle.real_path()?;
            refuse_writable(&real)?;
            if self.authority.is_open_to_guest(&real) {
                return Err(ReadFailure::OpenToGuest { path: real });
            }
            read_file(handle, cap)
        })
    }

    /// The file's stamp: equal stamps mean that nothing was written or replaced in between.
    pub async fn stamp(&self) -> Result<Stamp, ReadError> {
        self.apart(|grant| grant.stamp_now()).await
    }

    /// As [`ReadGrant::stamp`], on this thread.
    pub fn stamp_now(&self) -> Result<Stamp, ReadError> {
        self.with_handle(|handle| {
            let stat = handle.stat()?;
            Ok(Stamp {
                device: stat.st_dev,
                inode: stat.st_ino,
                size: stat.st_size,
                modified: (stat.st_mtime, stat.st_mtime_nsec),
                changed: (stat.st_ctime, stat.st_ctime_nsec),
            })
        })
    }

    /// Whether there is such a file or folder, on this thread. Errors: it is there and not granted, or cannot be told.
    pub fn exists_now(&self) -> Result<bool, ReadError> {
        match self.with_handle(|_| Ok(())) {
            Ok(()) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The names in this folder, sorted, on this thread. Errors: no folder, and more than 10,000 names.
    pub fn list_now(&self) -> Result<Vec<OsString>, ReadError> {
        const CAP: usize = 10_000;
        self.with_handle(|handle| handle.list(CAP))
    }

    pub(crate) fn new(authority: Arc<Inner>, path: PathBuf) -> Self {
        Self { authority, path, way: Way::Kernel }
    }

    /// As this grant, on a kernel without `openat2`.
    #[cfg(test)]
    pub(crate) fn walking(&self) -> Self {
        Self { way: Way::Walk, ..self.clone() }
    }

    fn with_handle<T>(&self, act: impl FnOnce(&Handle) -> Result<T, ReadFailure>) -> Result<T, ReadError> {
        let handle = open(&self.authority, &self.path, self.way);
        handle.and_then(|handle| act(&handle)).map_err(|failure| ReadError::new(&self.path, failure))
    }

    async fn apart<T: Send + 'static>(
        &self,
        act: impl FnOnce(ReadGrant) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let grant = self.clone();
        match tokio::task::spawn_blocking(move || act(grant)).await {
            Ok(result) => result,
            Err(error) => Err(ReadError::new(&self.path, ReadFailure::Io(std::io::Error::other(error)))),
        }
    }
}

fn read_file(handle: &Handle, cap: u64) -> Result<Vec<u8>, ReadFailure> {
    let (mut file, stat) = handle.open_file()?;
    read_capped(&mut file, u64::try_from(stat.st_size).unwrap_or(0), cap)
}

impl fmt::Debug for ReadGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReadGrant").field(&self.path).finish()
    }
}
