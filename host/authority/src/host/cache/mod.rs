//! A private folder for what tidegate may trust later: compiled code.

use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

mod bound;
mod entry;
mod error;

pub use entry::{CacheEntry, Sealed};
pub use error::CacheError;
use error::failed;

/// The largest entry that is read.
const ENTRY_CAP: u64 = 2 << 30;

/// A folder that only this user can change, held open.
///
/// What is read comes from one handle, opened without following links, whose owner and mode were checked on that handle. It
/// is still for the caller to check the bytes: nothing here knows what belongs into an entry.
#[derive(Debug)]
pub struct CacheFolder {
    folder: OwnedFd,
    path: PathBuf,
}

impl CacheFolder {
    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An entry; none where there is no such entry. Errors: a link, another type than a file, another owner, a mode by which
    /// others can write it, or a size that no entry of ours has.
    pub fn entry(&self, name: &str) -> Result<Option<CacheEntry>, CacheError> {
        let path = self.path_of(name)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = match rustix::fs::openat(&self.folder, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(CacheError::WrongType { path, what: "a link" }),
            Err(error) => return Err(failed("open", &path, error)),
        };
        let stat = rustix::fs::fstat(&fd).map_err(|error| failed("open", &path, error))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(CacheError::WrongType { path, what: "not a regular file" });
        }
        check_private(&path, &stat)?;
        if u64::try_from(stat.st_size).unwrap_or(0) > ENTRY_CAP {
            return Err(CacheError::TooLarge(path));
        }
        Ok(Some(CacheEntry::new(fd, path, &stat)))
    }

    /// Writes an entry, mode 0600, in one step: a reader sees the old one, or the whole new one.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), CacheError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let path = self.path_of(name)?;
        let temporary = format!(".{}-{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        // What is there under this name was left by a process that had our id and died.
        let _ = rustix::fs::unlinkat(&self.folder, &temporary, AtFlags::empty());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.folder, &temporary, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|error| failed("write", &path, error))?;
        let written = File::from(fd)
            .write_all(bytes)
            .and_then(|()| Ok(rustix::fs::renameat(&self.folder, &temporary, &self.folder, name)?));
        written.map_err(|source| {
            let _ = rustix::fs::unlinkat(&self.folder, &temporary, AtFlags::empty());
            CacheError::Io { action: "write", path, source }
        })
    }

    /// Removes an entry, if there is one.
    pub fn remove(&self, name: &str) -> Result<(), CacheError> {
        let path = self.path_of(name)?;
        match rustix::fs::unlinkat(&self.folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(failed("remove", &path, error)),
        }
    }

    pub(crate) fn open(path: &Path) -> Result<Self, CacheError> {
        let io = |action| move |source| CacheError::Io { action, path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io("make"))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = match rustix::fs::openat(CWD, path, flags, Mode::empty()) {
            Ok(folder) => folder,
            Err(Errno::LOOP | Errno::NOTDIR) => {
                return Err(CacheError::WrongType { path: path.to_owned(), what: "a link" });
            }
            Err(error) => return Err(failed("open", path, error)),
        };
        let stat = rustix::fs::fstat(&folder).map_err(|error| failed("open", path, error))?;
        check_private(path, &stat)?;
        Ok(Self { folder, path: path.to_owned() })
    }

    fn path_of(&self, name: &str) -> Result<PathBuf, CacheError> {
        if is_plain(name) { Ok(self.path.join(name)) } else { Err(CacheError::BadName(name.to_owned())) }
    }
}

/// Whether an entry may be called so.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !name.is_empty() && !name.starts_with('.') && name.len() <= 200 && name.bytes().all(plain)
}

fn is_ours(stat: &Stat) -> bool {
    stat.st_uid == rustix::process::geteuid().as_raw()
}

/// Owner and mode, as the handle has them.
fn check_private(path: &Path, stat: &Stat) -> Result<(), CacheError> {
    let not_private = |why: String, cure: &str| {
        Err(CacheError::NotPrivate { path: path.to_owned(), why, cure: format!("{cure} {path:?}") })
    };
    if !is_ours(stat) {
        return not_private(format!("user {} owns it", stat.st_uid), "rm -r");
    }
    if stat.st_mode & 0o022 != 0 {
        return not_private(format!("its mode is {:04o}", stat.st_mode & 0o7777), "chmod go-w");
    }
    Ok(())
}
