//! One entry, and memory that holds what was read from it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{MemfdFlags, SealFlags, Stat, Timespec, Timestamps};

use super::ENTRY_CAP;
use super::error::CacheError;

/// How much is moved at a time: as little as keeps a digest busy, since fresh memory costs more than the call.
const PIECE: usize = 64 << 10;

/// How exactly an entry's last use is known. Noting each would write to the disk at every start.
const USE: Duration = Duration::from_hours(24);

/// An entry, open for reading: its owner and mode were checked on this handle.
#[derive(Debug)]
pub struct CacheEntry {
    file: File,
    path: PathBuf,
}

impl CacheEntry {
    /// Notes that it is used, for [`CacheFolder::keep_within`](super::CacheFolder::keep_within).
    pub(super) fn new(fd: OwnedFd, path: PathBuf, stat: &Stat) -> Self {
        if last_use(stat).elapsed().is_ok_and(|age| age > USE) {
            let now = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
            // On a file system that is full or read-only the entry is good all the same.
            let _ = rustix::fs::futimens(&fd, &Timestamps { last_access: now, last_modification: now });
        }
        Self { file: fd.into(), path }
    }

    /// The next `length` bytes, or what there is of them.
    pub fn head(&mut self, length: usize) -> Result<Vec<u8>, CacheError> {
        let mut head = Vec::with_capacity(length);
        let read = (&mut self.file).take(length as u64).read_to_end(&mut head);
        read.map_err(|error| self.unreadable(error))?;
        Ok(head)
    }

    /// Moves the rest into memory that nobody can change any more. `see` is shown each piece on its way, in order: what it has
    /// seen at the end is what the memory holds.
    pub fn seal(self, see: &mut dyn FnMut(&[u8])) -> Result<Sealed, CacheError> {
        self.moved(see).map_err(|error| self.unreadable(error))
    }

    fn moved(&self, see: &mut dyn FnMut(&[u8])) -> io::Result<Sealed> {
        let memory = rustix::fs::memfd_create(c"tidegate", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        let mut memory = File::from(memory);
        let mut piece = vec![0; PIECE];
        // It was smaller when it was opened; whoever writes it now makes it no entry, but not an endless one either.
        let mut file = (&self.file).take(ENTRY_CAP);
        loop {
            match file.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => {
                    see(&piece[..length]);
                    memory.write_all(&piece[..length])?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let all = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(&memory, all)?;
        Ok(Sealed(memory))
    }

    fn unreadable(&self, source: io::Error) -> CacheError {
        CacheError::Io { action: "read", path: self.path.clone(), source }
    }
}

/// When the entry was last used, to within [`USE`].
pub(super) fn last_use(stat: &Stat) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0))
}

/// Bytes that cannot change any more: they are in memory, under no name in any folder, and the kernel lets nobody write them, not
/// even us.
pub struct Sealed(File);

impl Sealed {
    /// What the kernel calls this handle in this process, for what maps a file. It means these bytes as long as this value lives.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }

    /// A copy. Errors: the operating system's.
    pub fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut file = &self.0;
        let mut bytes = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").finish_non_exhaustive()
    }
}
