//! The right to start one program.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tidegate_grants::{Missing, Need};

use crate::authority::Inner;
use crate::file::canonicalise;
use crate::process::command::Command;
use crate::process::error::RunError;

/// The right to start one program, as often as needed. Clones share one look-up.
#[derive(Clone)]
pub struct RunGrant {
    authority: Arc<Inner>,
    program: String,
    found: Arc<OnceLock<PathBuf>>,
}

impl RunGrant {
    /// The name or absolute path that was granted.
    pub fn name(&self) -> &str {
        &self.program
    }

    /// The absolute path of the file to start: the first look-up over `PATH` that succeeds counts, for this grant's whole
    /// life. A bare name that is granted by path alone is that path.
    ///
    /// Errors: not found, a file that a deny flag covers by its own or by its real path, and one that a write grant covers so.
    pub fn program(&self) -> Result<&Path, RunError> {
        if let Some(found) = self.found.get() {
            return Ok(found);
        }
        let found = self.find()?;
        Ok(self.found.get_or_init(|| found))
    }

    /// A command for that file, without arguments.
    pub fn command(&self) -> Result<Command, RunError> {
        Ok(Command::new(self.program()?, self.authority.environment.clone()))
    }

    pub(crate) fn new(authority: Arc<Inner>, program: String) -> Self {
        Self { authority, program, found: Arc::new(OnceLock::new()) }
    }

    fn find(&self) -> Result<PathBuf, RunError> {
        let grants = &self.authority.grants;
        let wanted = grants.program_by_path(&self.program).map_or(OsStr::new(&self.program), Path::as_os_str);
        let Some(found) = self.authority.environment.find_program(wanted) else {
            return Err(match Path::new(wanted) {
                path if path.is_absolute() => RunError::NotThere { path: path.to_owned() },
                _ => RunError::NotOnPath { program: self.program.clone() },
            });
        };
        let canonical = canonicalise(&found).unwrap_or_else(|| found.clone());
        let verdict = grants.judge_program(&self.program, &found, &canonical);
        if let Some((path, flag)) = self.writable(&[&found, &canonical]) {
            return Err(RunError::Writable { path, flag });
        }
        match Missing::from_verdict(&Need::Run(found.to_string_lossy().into_owned()), verdict) {
            None => Ok(found),
            Some(missing) => Err(RunError::Refused { program: self.program.clone(), path: found, missing }),
        }
    }

    /// The first of these that the guest could have written, and by which flag.
    fn writable(&self, paths: &[&Path]) -> Option<(PathBuf, &'static str)> {
        paths.iter().find_map(|path| Some((path.to_path_buf(), self.authority.writable_by(path)?)))
    }
}

impl fmt::Debug for RunGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RunGrant").field(&self.program).finish()
    }
}
