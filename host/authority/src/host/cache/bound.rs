//! Keeping a cache from growing for ever.

use std::cmp::Reverse;
use std::ffi::CString;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::entry::last_use;
use super::error::failed;
use super::{CacheError, CacheFolder, is_ours, is_plain};

/// When a file that was being written is one that nobody writes any more.
const ABANDONED: Duration = Duration::from_hours(1);

impl CacheFolder {
    /// Removes the entries that were not used for longest until the rest takes `bytes` at most; never the one named `kept`. Files
    /// that were begun an hour ago and never finished go too.
    ///
    /// Only plain files of this user that have a name as [`write`](Self::write) gives them are counted or removed. Two processes
    /// may do this at a time, and others may read: who has opened an entry keeps it, and who finds none makes it again.
    ///
    /// Errors: the folder cannot be listed. What cannot be removed stays.
    pub fn keep_within(&self, bytes: u64, kept: &str) -> Result<(), CacheError> {
        let mut entries = self.entries().map_err(|error| failed("list", self.path(), error))?;
        entries.sort_by_key(|(name, stat)| (name.to_bytes() != kept.as_bytes(), Reverse(last_use(stat))));
        let mut total = 0_u64;
        for (name, stat) in entries {
            let size = u64::try_from(stat.st_size).unwrap_or(0);
            let fits = total.saturating_add(size) <= bytes || name.to_bytes() == kept.as_bytes();
            if fits && !is_abandoned(&name, &stat) {
                total = total.saturating_add(size);
            } else if is_finished(&name) || is_abandoned(&name, &stat) {
                // Another process may have been sooner.
                let _ = rustix::fs::unlinkat(&self.folder, &name, AtFlags::empty());
            }
        }
        Ok(())
    }

    /// The plain files of this user that are named as ours are.
    fn entries(&self) -> Result<Vec<(CString, Stat)>, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        // A handle of its own: reading a folder moves the handle's place in it.
        let folder = rustix::fs::openat(&self.folder, c".", flags, Mode::empty())?;
        let mut entries = Vec::new();
        for entry in Dir::new(folder)? {
            let name = entry?.file_name().to_owned();
            if !is_finished(&name) && !is_temporary(&name) {
                continue;
            }
            let Ok(stat) = rustix::fs::statat(&self.folder, &name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && is_ours(&stat) {
                entries.push((name, stat));
            }
        }
        Ok(entries)
    }
}

fn is_finished(name: &CString) -> bool {
    name.to_str().is_ok_and(is_plain)
}

fn is_temporary(name: &CString) -> bool {
    let name = name.to_bytes();
    name.starts_with(b".") && name.ends_with(b".tmp")
}

fn is_abandoned(name: &CString, stat: &Stat) -> bool {
    is_temporary(name) && SystemTime::now().duration_since(last_use(stat)).is_ok_and(|age| age > ABANDONED)
}
