//! Paths of `--allow-read`, `--allow-write` and their deny flags.

use std::path::{Component, Path, PathBuf};

use crate::error::Invalid;

/// One path of a read or write flag: that file, or that folder and everything beneath it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    given: PathBuf,
    canonical: Option<PathBuf>,
}

impl Root {
    /// The path as it was given, made absolute and normalised as [`normalise`] does.
    pub fn given(&self) -> &Path {
        &self.given
    }

    /// Where it really leads, once [`Grants::canonicalised`](crate::Grants::canonicalised) was asked.
    pub fn canonical(&self) -> Option<&Path> {
        self.canonical.as_deref()
    }

    /// Where files beneath it really are: the canonical path where known, else the given one.
    pub fn real(&self) -> &Path {
        self.canonical.as_deref().unwrap_or(&self.given)
    }

    pub(crate) fn parse(text: &str, working_folder: Option<&Path>) -> Result<Self, Invalid> {
        if text.contains('\0') {
            return Err(Invalid::new("a path cannot hold a zero byte", "leave it out"));
        }
        let path = Path::new(text);
        let absolute = match working_folder {
            _ if path.is_absolute() => path.to_owned(),
            Some(folder) => folder.join(path),
            None => {
                return Err(Invalid::new(
                    format!("{text:?} is relative, and no working folder is known"),
                    "write an absolute path",
                ));
            }
        };
        match normalise(&absolute) {
            Some(given) => Ok(Self { given, canonical: None }),
            None => Err(Invalid::new(format!("{text:?} is not an absolute path"), "write one")),
        }
    }

    pub(crate) fn canonicalised(&self, canonicalise: &dyn Fn(&Path) -> Option<PathBuf>) -> Self {
        Self {
            given: self.given.clone(),
            canonical: canonicalise(&self.given).or_else(|| self.canonical.clone()),
        }
    }

    /// Whether a path that nobody resolved yet is this one or beneath it, however the root was written.
    pub(crate) fn covers(&self, path: &Path) -> bool {
        path.starts_with(&self.given) || self.canonical.as_deref().is_some_and(|root| path.starts_with(root))
    }

    /// Whether the real path of an opened file is this one or beneath it.
    pub(crate) fn covers_real(&self, real: &Path) -> bool {
        real.starts_with(self.real()) || published(real) == published(self.real())
    }
}

/// The absolute path with `.`, `//` and a trailing slash dropped and each `..` taking away the name before it; none for a
/// relative path.
///
/// Lexical, and so are the needs that are compared with it: `/a/link/../b` means `/a/b`, wherever `link` leads. What is
/// opened is the normalised path, so that what was judged and what is opened are the same.
pub fn normalise(path: &Path) -> Option<PathBuf> {
    if !path.is_absolute() {
        return None;
    }
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            // At the top there is nothing to take away: `/..` is `/`.
            Component::ParentDir => {
                normal.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => normal.push(component),
        }
    }
    Some(normal)
}

/// The name under which kubelet's AtomicWriter publishes a file of a Secret, ConfigMap or projected volume: the real file is
/// `<folder>/..<timestamp>/<name>`, moves with every rotation, and is seen as `<folder>/<name>`. A grant of that one file
/// has to survive the move. (kubernetes/pkg/volume/util/atomic_writer.go)
fn published(real: &Path) -> Option<PathBuf> {
    let name = real.file_name()?;
    let folder = real.parent()?;
    let stamp = folder.file_name().map(|name| name.as_encoded_bytes()).unwrap_or_default();
    match folder.parent() {
        Some(volume) if stamp.starts_with(b"..") && stamp.len() > 2 => Some(volume.join(name)),
        _ => Some(real.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_lexically() {
        for (path, expected) in [
            ("/", Some("/")),
            ("/a//b/./c/", Some("/a/b/c")),
            ("/a/../../b", Some("/b")),
            ("/..", Some("/")),
            ("/a/..b/...", Some("/a/..b/...")),
            ("a/b", None),
            ("", None),
        ] {
            assert_eq!(normalise(Path::new(path)), expected.map(PathBuf::from), "{path:?}");
        }
    }

    #[test]
    fn relative_roots_are_made_absolute_first() {
        let root =
            |text, folder: Option<&str>| Root::parse(text, folder.map(Path::new)).map(|root| root.given);
        assert_eq!(root("x/../y", Some("/w")), Ok("/w/y".into()));
        assert_eq!(root("../y", Some("/w")), Ok("/y".into()));
        assert_eq!(root(".", Some("/w")), Ok("/w".into()));
        assert!(root("y", None).is_err());
        assert!(root("y", Some("relative")).is_err());
        assert!(root("/a\0b", None).is_err());
    }

    #[test]
    fn a_rotated_file_of_kubelet_is_still_the_granted_one() {
        let root =
            Root { given: "/var/run/s/token".into(), canonical: Some("/run/s/..2026_01/token".into()) };
        for (real, covered) in [
            ("/run/s/..2026_01/token", true),
            ("/run/s/..2026_02/token", true),
            ("/run/s/token", true),
            ("/run/s/..2026_02/ca.crt", false),
            ("/run/s/..2026_02/deeper/token", false),
            ("/run/s/../token", false),
            ("/run/token", false),
            ("/elsewhere/..2026_02/token", false),
        ] {
            assert_eq!(root.covers_real(Path::new(real)), covered, "{real}");
        }
    }
}
