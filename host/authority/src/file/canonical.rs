//! Where paths really lead, asked once when an authority is made.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The path with every link followed. Of a path that does not exist (yet), the part that does is followed and the rest is
/// kept, so that a root may be granted before it is made.
pub(crate) fn canonicalise(path: &Path) -> Option<PathBuf> {
    let mut rest: Vec<&std::ffi::OsStr> = Vec::new();
    for ancestor in path.ancestors() {
        if let Ok(real) = std::fs::canonicalize(ancestor) {
            return Some(rest.iter().rev().fold(real, |path, name| path.join(name)));
        }
        rest.push(ancestor.file_name()?);
    }
    None
}

/// Links that the system itself has at the top: `/var/run` → `/run`, `/bin` → `/usr/bin`.
///
/// A grant of `/run/x` is meant for `/var/run/x` too. These are read once, when a path is first judged by more than its own name:
/// most runs never ask.
#[derive(Clone, Default)]
pub(crate) struct Aliases(OnceLock<Vec<(PathBuf, PathBuf)>>);

impl Aliases {
    /// The same path by its real name; none where it already is.
    pub(crate) fn resolve(&self, path: &Path) -> Option<PathBuf> {
        let aliases = self.0.get_or_init(of_system);
        aliases.iter().find_map(|(alias, real)| path.strip_prefix(alias).ok().map(|rest| join(real, rest)))
    }
}

fn of_system() -> Vec<(PathBuf, PathBuf)> {
    const KNOWN: [&str; 12] = [
        "/bin",
        "/etc",
        "/home",
        "/lib",
        "/lib64",
        "/opt",
        "/root",
        "/sbin",
        "/tmp",
        "/var/run",
        "/var/lock",
        "/var",
    ];
    let followed = KNOWN.iter().filter_map(|path| {
        let real = std::fs::canonicalize(path).ok()?;
        (real != Path::new(path)).then(|| (PathBuf::from(path), real))
    });
    followed.collect()
}

/// As `join`, but without the trailing slash that joining an empty path leaves.
pub(crate) fn join(folder: &Path, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() { folder.to_owned() } else { folder.join(rest) }
}
