use std::fmt;
use std::path::PathBuf;

use tidegate_grants::Invalid;

/// A configuration that cannot be used. Displays as `tidegate.yaml:4: …` or `K8S_CLUSTER_CONF_SA_prod: …`, with the cure; never with a
/// value of the file or of the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    place: Place,
    problem: String,
}

/// Where a setting stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the configuration file.
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1; 0 where it is the whole file.
        line: usize,
    },
    /// In a variable of the environment, by its name; bytes that are not UTF-8 are shown as `\x…`.
    Variable(String),
}

impl ConfigError {
    /// Where.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What is wrong, and the cure.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    pub(crate) fn new(place: Place, problem: impl Into<String>) -> Self {
        Self { place, problem: problem.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { path, line: 0 } => write!(f, "{}", path.display()),
            Self::Line { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// A connection that could not be registered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// No connection can have this name.
    #[error("{0}")]
    Name(Invalid),
    /// There is a connection of this name.
    #[error("there is a connection {0:?} already; unregister it first, or choose another name")]
    Exists(String),
    /// A kubeconfig or folder that is not absolute.
    #[error("{} is relative; give an absolute path", .0.display())]
    Relative(PathBuf),
    /// A kubeconfig from which no name can be had.
    #[error("the connection of {} has no name, and its cluster's cannot be told; give a name", .path.display())]
    Unnamed {
        /// The kubeconfig.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is not a kubeconfig has no cluster whose name it could take.
    #[error("a {kind} connection has no cluster to be called after; give a name")]
    NameRequired {
        /// As [`Definition::kind`](crate::Definition::kind).
        kind: &'static str,
    },
}
