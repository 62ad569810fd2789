//! The host's environment, read once.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustix::fs::{Access, FileType};

use crate::authority::Inner;

type Variables = BTreeMap<OsString, OsString>;

/// A copy of the variables, so that a run sees one environment however long it lasts. No `Debug`: values are secrets.
#[derive(Clone)]
pub(crate) struct Environment {
    variables: Arc<OnceLock<Variables>>,
}

impl Environment {
    /// This process' own, copied when it is first asked for: most runs look at no variable.
    pub(crate) fn of_process() -> Self {
        Self { variables: Arc::default() }
    }

    pub(crate) fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let variables: Variables = variables.into_iter().collect();
        Self { variables: Arc::new(OnceLock::from(variables)) }
    }

    pub(crate) fn get(&self, name: &OsStr) -> Option<&OsStr> {
        self.variables().get(name).map(OsString::as_os_str)
    }

    /// The variables whose names begin so, names and values in whatever bytes they are.
    pub(crate) fn beginning_with<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a OsStr, &'a OsStr)> {
        let begins = move |name: &OsStr| name.as_encoded_bytes().starts_with(prefix.as_bytes());
        let variables = self.variables().iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()));
        variables.filter(move |(name, _)| begins(name))
    }

    /// The variables whose name and value are both text.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (String, String)> {
        let text = |text: &OsString| text.to_str().map(str::to_owned);
        self.variables().iter().filter_map(move |(name, value)| Some((text(name)?, text(value)?)))
    }

    /// What a child inherits: everything but the loader's variables, which would put other code into the program that was
    /// granted; of the rest, where `only` is given, just those.
    pub(crate) fn for_child<'a>(
        &'a self,
        only: Option<&'a [String]>,
    ) -> impl Iterator<Item = (&'a OsStr, &'a OsStr)> {
        let listed =
            move |name: &OsStr| only.is_none_or(|only| only.iter().any(|one| OsStr::new(one) == name));
        let variables = self.variables().iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()));
        variables.filter(move |(name, _)| !is_loader_variable(name) && listed(name))
    }

    /// The first file of that name over `PATH` that is a program, or the absolute path if it is one. Relative folders of
    /// `PATH` are passed over: what they name changes with the working folder.
    pub(crate) fn find_program(&self, program: &OsStr) -> Option<PathBuf> {
        let path = Path::new(program);
        if path.is_absolute() {
            return is_program(path).then(|| path.to_owned());
        }
        if path.components().count() != 1 || program.as_encoded_bytes().contains(&b'/') || program == ".." {
            return None;
        }
        std::env::split_paths(self.get(OsStr::new("PATH"))?)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(program))
            .find(|candidate| is_program(candidate))
    }

    fn variables(&self) -> &Variables {
        self.variables.get_or_init(|| std::env::vars_os().collect())
    }
}

impl PartialEq for Environment {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.variables, &other.variables) || self.variables() == other.variables()
    }
}

/// Whether the dynamic loader reads this variable: `LD_*` on Linux, `DYLD_*` on macOS.
pub(crate) fn is_loader_variable(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b"LD_") || name.starts_with(b"DYLD_")
}

fn is_program(path: &Path) -> bool {
    let regular = rustix::fs::stat(path)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
    regular && rustix::fs::access(path, Access::EXEC_OK).is_ok()
}

/// The right to see one variable.
#[derive(Clone)]
pub struct EnvGrant {
    authority: Arc<Inner>,
    name: String,
}

impl EnvGrant {
    /// The variable's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The variable's value as it was when the authority was made; none where it is not set. It need not be UTF-8.
    pub fn value(&self) -> Option<OsString> {
        self.authority.environment.get(OsStr::new(&self.name)).map(OsStr::to_owned)
    }

    pub(crate) fn new(authority: Arc<Inner>, name: String) -> Self {
        Self { authority, name }
    }
}

impl fmt::Debug for EnvGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EnvGrant").field(&self.name).finish()
    }
}
