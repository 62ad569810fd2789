//! Opening beneath a folder, by one `openat2` or, where the kernel has none, name by name.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::file::canonical::join;
use crate::file::handle::Handle;

/// As many links as Linux itself follows in one path.
const MAX_LINKS: usize = 40;

/// How often to repeat an `openat2` that a rename elsewhere disturbed; the kernel's own documentation asks for that.
const MAX_DISTURBED: usize = 16;

const PATH_ONLY: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// Why nothing was opened beneath.
#[derive(Debug)]
pub(crate) enum Strayed {
    /// A link or `..` leads out of the folder: to this absolute path, of which no further link was followed.
    Outside(PathBuf),
    /// The operating system refused.
    Failed(Errno),
}

impl From<Errno> for Strayed {
    fn from(error: Errno) -> Self {
        Strayed::Failed(error)
    }
}

/// Whether to trust that the kernel has `openat2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Try it, and walk where it answers that it is not there.
    Kernel,
    /// Walk.
    Walk,
}

/// Opens `path`, relative, beneath `folder`, which is opened first and held. Links are followed as long as they stay
/// beneath; `/proc`'s magic links are not.
pub(crate) fn open_beneath(folder: &Path, path: &Path, way: Way) -> Result<Handle, Strayed> {
    let root = rustix::fs::openat(CWD, folder, PATH_ONLY | OFlags::DIRECTORY, Mode::empty())?;
    if path.as_os_str().is_empty() {
        return Ok(Handle::new(root));
    }
    match kernel(&root, path, way) {
        Ok(fd) => Ok(Handle::new(fd)),
        // EXDEV says that the path leaves, and not where to: the walk finds that out. Old seccomp filters answer EPERM to
        // a call that they do not know.
        Err(Errno::XDEV | Errno::NOSYS | Errno::PERM | Errno::AGAIN) => Walk::new(root, path)?.run(),
        Err(error) => Err(error.into()),
    }
}

fn kernel(root: &OwnedFd, path: &Path, way: Way) -> Result<OwnedFd, Errno> {
    if way == Way::Walk {
        return Err(Errno::NOSYS);
    }
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let mut disturbed = 0;
    loop {
        match rustix::fs::openat2(root, path, PATH_ONLY, Mode::empty(), resolve) {
            Err(Errno::AGAIN) if disturbed < MAX_DISTURBED => disturbed += 1,
            other => return other,
        }
    }
}

/// Name by name: every open is of one name that is not followed, so no rename elsewhere can lead the walk out.
struct Walk {
    /// The root and the folders entered since; `..` goes back along these and never asks the file system.
    entered: Vec<OwnedFd>,
    pending: VecDeque<OsString>,
    links: usize,
}

impl Walk {
    fn new(root: OwnedFd, path: &Path) -> Result<Self, Strayed> {
        let mut walk = Self { entered: vec![root], pending: VecDeque::new(), links: 0 };
        walk.push(path);
        Ok(walk)
    }

    fn run(mut self) -> Result<Handle, Strayed> {
        while let Some(name) = self.pending.pop_front() {
            if name == ".." {
                if self.entered.len() == 1 {
                    return Err(self.outside(Path::new("..")));
                }
                self.entered.pop();
                continue;
            }
            let fd = rustix::fs::openat(self.top(), &name, PATH_ONLY | OFlags::NOFOLLOW, Mode::empty())?;
            match FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) {
                FileType::Symlink => self.follow(&fd)?,
                FileType::Directory => self.entered.push(fd),
                _ if self.pending.is_empty() => return Ok(Handle::new(fd)),
                _ => return Err(Errno::NOTDIR.into()),
            }
        }
        Ok(Handle::new(self.entered.pop().expect("the root is never taken away")))
    }

    fn follow(&mut self, link: &OwnedFd) -> Result<(), Strayed> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Errno::LOOP.into());
        }
        let target = rustix::fs::readlinkat(link, c"", Vec::new())?;
        let target = Path::new(OsStr::from_bytes(target.to_bytes()));
        if target.is_absolute() {
            return Err(self.outside(target));
        }
        self.push(target);
        Ok(())
    }

    fn push(&mut self, path: &Path) {
        for component in path.components().rev() {
            match component {
                Component::Normal(name) => self.pending.push_front(name.to_owned()),
                Component::ParentDir => self.pending.push_front("..".into()),
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
        }
    }

    /// Where the walk would have gone: `target`, from the folder it stands in, and what was still to come.
    fn outside(&self, target: &Path) -> Strayed {
        let rest: PathBuf = self.pending.iter().collect();
        // A program that is started meanwhile must not inherit it.
        let standing = rustix::io::fcntl_dupfd_cloexec(self.top(), 0).map_err(std::io::Error::from);
        match standing.and_then(|fd| Handle::new(fd).real_path()) {
            Ok(folder) => {
                let path = join(&folder.join(target), &rest);
                Strayed::Outside(tidegate_grants::normalise(&path).unwrap_or(path))
            }
            Err(_) => Strayed::Failed(Errno::XDEV),
        }
    }

    fn top(&self) -> &OwnedFd {
        self.entered.last().expect("the root is never taken away")
    }
}
