//! From a granted path to a handle whose real path was judged.

use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use tidegate_grants::{Kind, Missing, Need};

use crate::authority::Inner;
use crate::file::beneath::{Strayed, Way, open_beneath};
use crate::file::error::ReadFailure;
use crate::file::handle::Handle;

/// How often a path may go from one granted root to another.
const MAX_HOPS: usize = 40;

/// How often to start over when the file lost its name meanwhile, as in a kubelet's rotation.
const MAX_REPLACED: usize = 8;

/// Opens a granted path without the right to read it yet.
///
/// It is opened beneath the root that covers it, links may not leave that root but into another granted one, and then the
/// *handle's* real path is judged: nothing that is swapped before or after changes what was judged.
pub(crate) fn open(authority: &Inner, path: &Path, way: Way) -> Result<Handle, ReadFailure> {
    for _ in 0..MAX_REPLACED {
        let handle = follow(authority, path, way)?;
        if handle.stat()?.st_nlink == 0 {
            continue;
        }
        let real = handle.real_path()?;
        // Asked again: a name that went away in between would have left a path that no longer is this file's.
        if handle.stat()?.st_nlink == 0 {
            continue;
        }
        let verdict = authority.grants.judge_real(Kind::Read, &real);
        return match Missing::from_verdict(&Need::Read(real), verdict) {
            None => Ok(handle),
            Some(missing) => Err(ReadFailure::LeadsOut(missing)),
        };
    }
    Err(ReadFailure::Changing)
}

fn follow(authority: &Inner, path: &Path, way: Way) -> Result<Handle, ReadFailure> {
    if let Some(missing) = authority.missing(Kind::Read, path) {
        return Err(ReadFailure::Refused(missing));
    }
    if authority.grants.allows_everything(Kind::Read) {
        return Ok(open_anywhere(path)?);
    }
    let mut wanted = path.to_owned();
    for _ in 0..MAX_HOPS {
        let (folder, rest) = covering_root(authority, &wanted)?;
        match open_beneath(&folder, &rest, way) {
            Ok(handle) => return Ok(handle),
            Err(Strayed::Failed(error)) => return Err(error.into()),
            Err(Strayed::Outside(target)) => {
                if let Some(missing) = authority.missing(Kind::Read, &target) {
                    return Err(ReadFailure::LeadsOut(missing));
                }
                wanted = target;
            }
        }
    }
    Err(Errno::LOOP.into())
}

/// Every path is granted but for what is denied, which the handle's real path tells.
fn open_anywhere(path: &Path) -> Result<Handle, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let opened = match rustix::fs::openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS) {
        Err(Errno::NOSYS | Errno::PERM) => rustix::fs::openat(CWD, path, flags, Mode::empty()),
        other => other,
    };
    opened.map(Handle::new)
}

/// The folder to hold and the path beneath it. A root that may be a file is opened by its name from the folder around it.
fn covering_root(authority: &Inner, wanted: &Path) -> Result<(PathBuf, PathBuf), ReadFailure> {
    let (roots, _) = authority.grants.path_roots(Kind::Read);
    let beneath = |path: &Path| {
        roots.iter().find_map(|root| {
            let rest = path.strip_prefix(root.given()).or_else(|_| path.strip_prefix(root.real())).ok()?;
            if !rest.as_os_str().is_empty() {
                return Some((root.real().to_owned(), rest.to_owned()));
            }
            match (path.parent(), path.file_name()) {
                (Some(folder), Some(name)) => Some((folder.to_owned(), PathBuf::from(name))),
                _ => Some((path.to_owned(), PathBuf::new())),
            }
        })
    };
    beneath(wanted)
        .or_else(|| beneath(&authority.alias(wanted)?))
        .ok_or_else(|| ReadFailure::Refused(Missing { need: Need::Read(wanted.to_owned()), denied_by: None }))
}
