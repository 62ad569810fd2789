//! Why a program did not run.

use std::io;
use std::path::PathBuf;

use tidegate_grants::Missing;

/// A program that was not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// No folder of `PATH` has a program of that name.
    #[error(
        "{program:?} was not found: PATH was searched and no folder in it has such a program; install it, or run again \
         with the folder in PATH"
    )]
    NotOnPath {
        /// The name that was looked up.
        program: String,
    },
    /// There is no program at that absolute path.
    #[error("{} is not there, or is not a program", .path.display())]
    NotThere {
        /// The path.
        path: PathBuf,
    },
    /// The name is granted, and what it leads to is not.
    #[error("{program:?} leads to {}: {missing}", .path.display())]
    Refused {
        /// The name or path that was granted.
        program: String,
        /// The file that would have been started.
        path: PathBuf,
        /// What is not granted.
        missing: Missing,
    },
    /// The guest could have written the program, and would run its own with all of the user's rights.
    #[error(
        "{} can be written by the guest ({flag}), so that it is not started; grant a folder that does not contain it",
        .path.display()
    )]
    Writable {
        /// The program, or where it leads.
        path: PathBuf,
        /// `--wasi-write` or `--allow-write`.
        flag: &'static str,
    },
    /// A loader variable (`LD_*`, `DYLD_*`) was set for the child, which would put other code into it.
    #[error("the variable {name:?} would load other code into the program; leave it out")]
    LoaderVariable {
        /// The variable's name.
        name: String,
    },
    /// The operating system did not start it.
    #[error("cannot start {}", .path.display())]
    Spawn {
        /// The file that was to be started.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}

impl RunError {
    /// Whether no such program is installed, which some callers take as an answer.
    pub fn is_not_found(&self) -> bool {
        matches!(self, RunError::NotOnPath { .. } | RunError::NotThere { .. })
    }

    /// What is not granted, where that is the reason.
    pub fn missing(&self) -> Option<&Missing> {
        match self {
            RunError::Refused { missing, .. } => Some(missing),
            _ => None,
        }
    }
}
