//! What `KUBECONFIG` lists.

use std::ffi::OsStr;
use std::path::PathBuf;

/// How a platform separates the paths of a list. Go's `filepath.SplitList`, which client-go reads `KUBECONFIG` with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separator {
    /// `:`, of everything but Windows.
    Colon,
    /// `;`, of Windows: a part in double quotes may hold one, and the quotes are dropped.
    Semicolon,
}

impl Separator {
    /// That of the platform that this was built for.
    pub const OF_PLATFORM: Separator = if cfg!(windows) { Separator::Semicolon } else { Separator::Colon };

    /// The paths of a list, in order, as they are written; those that are empty are dropped.
    ///
    /// ```
    /// use tidegate_kube::kubeconfig::Separator;
    ///
    /// let files = Separator::Semicolon.paths(r#"C:\a;;"D:\b;c""#.as_ref());
    /// assert_eq!(files, [r"C:\a".into(), r"D:\b;c".into()] as [std::path::PathBuf; 2]);
    /// ```
    pub fn paths(self, list: &OsStr) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        let (mut path, mut quoted) = (Vec::new(), false);
        for &byte in list.as_encoded_bytes() {
            match (self, byte) {
                (Separator::Semicolon, b'"') => quoted = !quoted,
                (Separator::Colon, b':') => paths.push(std::mem::take(&mut path)),
                (Separator::Semicolon, b';') if !quoted => paths.push(std::mem::take(&mut path)),
                _ => path.push(byte),
            }
        }
        paths.push(path);
        paths.into_iter().filter(|path| !path.is_empty()).map(of_bytes).collect()
    }
}

/// A part of a list, cut at ASCII bytes alone.
#[cfg(unix)]
fn of_bytes(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    std::ffi::OsString::from_vec(bytes).into()
}

/// A part of a list, cut at ASCII bytes alone. What is no Unicode is no path that a kubeconfig is found at.
#[cfg(not(unix))]
fn of_bytes(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of Go's own test of `filepath.SplitList`, empties dropped, and what is no Unicode.
    #[test]
    fn lists() {
        for (separator, list, paths) in [
            (Separator::Colon, "", &[][..]),
            (Separator::Colon, ":", &[]),
            (Separator::Colon, "/a:/b", &["/a", "/b"]),
            (Separator::Colon, "::/a::b:", &["/a", "b"]),
            (Separator::Colon, "/a;b", &["/a;b"]),
            (Separator::Colon, "\"/a:/b\"", &["\"/a", "/b\""]),
            (Separator::Semicolon, "", &[]),
            (Separator::Semicolon, ";", &[]),
            (Separator::Semicolon, r"C:\a;D:\b", &[r"C:\a", r"D:\b"]),
            (Separator::Semicolon, r"\\host\share\config;;c", &[r"\\host\share\config", "c"]),
            (Separator::Semicolon, r#""a""#, &["a"]),
            (Separator::Semicolon, r#"";""#, &[";"]),
            (Separator::Semicolon, r#""a;b""#, &["a;b"]),
            (Separator::Semicolon, r#"";";"#, &[";"]),
            (Separator::Semicolon, r#";";""#, &[";"]),
            (Separator::Semicolon, r#"a";"b"#, &["a;b"]),
            (Separator::Semicolon, r#"a; ""b"#, &["a", " b"]),
            (Separator::Semicolon, r#""a;b"#, &["a;b"]),
            (Separator::Semicolon, r#"""a;b"#, &["a", "b"]),
            (Separator::Semicolon, r#""""a;b"#, &["a;b"]),
            (Separator::Semicolon, r#"""""a;b"#, &["a", "b"]),
            (Separator::Semicolon, r#"a";b"#, &["a;b"]),
            (Separator::Semicolon, r#"a;b";c"#, &["a", "b;c"]),
            (Separator::Semicolon, r#""a";b";c"#, &["a", "b;c"]),
            (Separator::Semicolon, r#"C:\übung;"#, &[r"C:\übung"]),
        ] {
            let expected: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
            assert_eq!(separator.paths(list.as_ref()), expected, "{separator:?} {list}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_unicode_is_kept() {
        use std::os::unix::ffi::OsStrExt as _;
        let list = OsStr::from_bytes(b"/a\xff:/b");
        let paths = Separator::Colon.paths(list);
        assert_eq!(paths, [PathBuf::from(OsStr::from_bytes(b"/a\xff")), PathBuf::from("/b")]);
    }
}
