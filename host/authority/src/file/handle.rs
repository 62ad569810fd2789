//! A handle that names one file, whatever its path names later.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, Stat};

use crate::file::error::ReadFailure;

/// A file or folder, opened without reading rights (`O_PATH`): opening a FIFO so neither blocks nor wakes its writer, and
/// opening a device does nothing to it.
#[derive(Debug)]
pub(crate) struct Handle(OwnedFd);

impl Handle {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self(fd)
    }

    pub(crate) fn stat(&self) -> io::Result<Stat> {
        Ok(rustix::fs::fstat(&self.0)?)
    }

    /// The path at which the kernel has this file now; it means nothing once the file has no name left.
    pub(crate) fn real_path(&self) -> io::Result<PathBuf> {
        let link = rustix::fs::readlinkat(CWD, self.link(), Vec::new())?;
        Ok(PathBuf::from(OsString::from(OsStr::from_bytes(link.to_bytes()))))
    }

    /// This very file, for reading. Errors: anything but a regular file, without having opened it.
    pub(crate) fn open_file(&self) -> Result<(File, Stat), ReadFailure> {
        let stat = self.stat()?;
        if let Some(what) = not_regular(FileType::from_raw_mode(stat.st_mode)) {
            return Err(ReadFailure::NotAFile(what));
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        Ok((rustix::fs::openat(CWD, self.link(), flags, Mode::empty())?.into(), stat))
    }

    /// The names in this folder, sorted. Errors: no folder, more than `cap` names.
    pub(crate) fn list(&self, cap: usize) -> Result<Vec<OsString>, ReadFailure> {
        if FileType::from_raw_mode(self.stat()?.st_mode) != FileType::Directory {
            return Err(ReadFailure::NotAFolder);
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY;
        let folder = rustix::fs::openat(&self.0, c".", flags, Mode::empty())?;
        let mut names = Vec::new();
        for entry in Dir::new(folder)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            if names.len() == cap {
                return Err(ReadFailure::TooMany { cap });
            }
            names.push(name.to_owned());
        }
        names.sort();
        Ok(names)
    }

    /// The kernel's own link to what the handle holds: opening it opens that inode and follows no name.
    fn link(&self) -> String {
        format!("/proc/self/fd/{}", self.0.as_raw_fd())
    }
}

/// Reads a file to its end, or fails once it turns out to be larger than `cap` bytes, whatever its size said before.
pub(crate) fn read_capped(file: &mut File, size: u64, cap: u64) -> Result<Vec<u8>, ReadFailure> {
    if size > cap {
        return Err(ReadFailure::TooLarge { cap });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.take(cap.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > cap {
        return Err(ReadFailure::TooLarge { cap });
    }
    Ok(bytes)
}

/// What it is instead of a regular file.
pub(crate) fn not_regular(file_type: FileType) -> Option<&'static str> {
    match file_type {
        FileType::RegularFile => None,
        FileType::Directory => Some("a folder"),
        FileType::Fifo => Some("a FIFO"),
        FileType::Socket => Some("a socket"),
        FileType::CharacterDevice | FileType::BlockDevice => Some("a device"),
        FileType::Symlink => Some("a link"),
        FileType::Unknown => Some("of an unknown type"),
    }
}
