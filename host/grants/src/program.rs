//! Patterns of `--allow-run` and `--deny-run`.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::Invalid;
use crate::path::normalise;

/// One value of a run flag: a program's name or its absolute path.
///
/// A name is whatever the look-up over `PATH` gives. A path is just that file; a need of its bare name is met by it too, and
/// then that file is started, whatever `PATH` says. As a denial, a name covers every path that ends in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPattern {
    program: Program,
    found: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Program {
    Name(String),
    Path(PathBuf),
}

impl RunPattern {
    /// Parses one value. Errors: empty, a wildcard as name, a relative path, a zero byte.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text == "*" {
            return Err(Invalid::new(
                "\"*\" is not a program",
                "use the flag alone, without a value, to mean every program",
            ));
        }
        if text.is_empty() || text == "." || text == ".." || text.contains('\0') {
            return Err(Invalid::new(
                format!("{text:?} is not a program"),
                "write a name or an absolute path",
            ));
        }
        let program = match normalise(Path::new(text)) {
            Some(path) => Program::Path(path),
            None if text.contains('/') => {
                return Err(Invalid::new(
                    format!("{text:?} is a relative path"),
                    "write a name, which is looked up over PATH, or an absolute path",
                ));
            }
            None => Program::Name(text.to_owned()),
        };
        Ok(Self { program, found: None })
    }

    /// The absolute path, where the pattern is one.
    pub fn path(&self) -> Option<&Path> {
        match &self.program {
            Program::Path(path) => Some(path),
            Program::Name(_) => None,
        }
    }

    /// The name, where the pattern is one.
    pub fn name(&self) -> Option<&str> {
        match &self.program {
            Program::Name(name) => Some(name),
            Program::Path(_) => None,
        }
    }

    /// The file that was found under the name, or that the path leads to.
    pub fn found(&self) -> Option<&Path> {
        self.found.as_deref()
    }

    pub(crate) fn located(&self, find: &dyn Fn(&OsStr) -> Option<PathBuf>) -> Self {
        let wanted = match &self.program {
            Program::Name(name) => OsStr::new(name),
            Program::Path(path) => path.as_os_str(),
        };
        Self { program: self.program.clone(), found: find(wanted) }
    }

    /// As a grant: whether the program, a name or an absolute path, may be started.
    pub(crate) fn allows(&self, program: &str) -> bool {
        let wanted = Path::new(program);
        match &self.program {
            Program::Name(name) if wanted.is_absolute() => {
                wanted.file_name() == Some(OsStr::new(name)) && self.found.as_deref() == Some(wanted)
            }
            Program::Name(name) => name == program,
            Program::Path(path) if wanted.is_absolute() => path == wanted,
            Program::Path(path) => path.file_name() == Some(OsStr::new(program)),
        }
    }

    /// As a denial: whether the program, a name or an absolute path, may not be started. Broader than a grant: a name
    /// denies it in every folder, and a path denies the file that it leads to.
    pub(crate) fn denies(&self, program: &str) -> bool {
        let wanted = Path::new(program);
        if self.found.as_deref() == Some(wanted) {
            return true;
        }
        match &self.program {
            Program::Name(name) => wanted.file_name() == Some(OsStr::new(name)),
            Program::Path(path) => path == wanted,
        }
    }
}

impl fmt::Display for RunPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.program {
            Program::Name(name) => f.write_str(name),
            Program::Path(path) => path.display().fmt(f),
        }
    }
}
