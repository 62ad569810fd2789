//! What the host may do for this guest.

use crate::wit::tidegate::host::permissions as wit;

/// What a permission is about: one `--allow-…` flag each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Network: the value is `host:port`.
    Net,
    /// Reading files: the value is a path.
    Read,
    /// Writing files: the value is a path.
    Write,
    /// Environment variables: the value is a name.
    Env,
    /// Programs: the value is a name or an absolute path.
    Run,
    /// Connections: the value is a name.
    Connection,
}

impl Kind {
    /// `net`, `read`, `write`, `env`, `run` or `connection`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Net => "net",
            Self::Read => "read",
            Self::Write => "write",
            Self::Env => "env",
            Self::Run => "run",
            Self::Connection => "connection",
        }
    }
}

/// The state of a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// The host would do it.
    Granted,
    /// The host would ask the person at the terminal.
    Prompt,
    /// The host would refuse.
    Denied,
}

/// The state of the permission that a flag with `value` would name; without a value: whether everything of that kind is granted.
///
/// ```no_run
/// use tidegate::permissions::{self, Kind, State};
/// if permissions::query(Kind::Net, Some("10.0.0.1:6443")) == State::Denied {
///     println!("run again with --allow-net=10.0.0.1:6443");
/// }
/// ```
pub fn query(kind: Kind, value: Option<&str>) -> State {
    match wit::query(kind.as_str(), value).as_str() {
        "granted" => State::Granted,
        "prompt" => State::Prompt,
        _ => State::Denied,
    }
}
