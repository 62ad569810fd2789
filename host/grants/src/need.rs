//! What a transport would have to be granted.

use std::ffi::OsStr;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::endpoint::Endpoint;
use crate::listen;
use crate::quote;

/// A kind of permission, one for each pair of `--allow-…` and `--deny-…` flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Connections to endpoints.
    Net,
    /// Reading files and folders.
    Read,
    /// Writing files and folders.
    Write,
    /// Environment variables of the host.
    Env,
    /// Programs.
    Run,
    /// Addresses of this machine to accept connections at.
    Listen,
    /// Connections of the registry, by name, with all that each of them needs.
    Connection,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 7] =
        [Kind::Net, Kind::Read, Kind::Write, Kind::Env, Kind::Run, Kind::Listen, Kind::Connection];

    /// The word that flags and WIT's `permissions.query` use: `net`, `read`, `write`, `env`, `run`, `listen`, `connection`.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Net => "net",
            Kind::Read => "read",
            Kind::Write => "write",
            Kind::Env => "env",
            Kind::Run => "run",
            Kind::Listen => "listen",
            Kind::Connection => "connection",
        }
    }

    /// The kind of that word, if there is one.
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The flag that grants, e.g. `--allow-net`.
    pub fn flag(self) -> &'static str {
        match self {
            Kind::Net => "--allow-net",
            Kind::Read => "--allow-read",
            Kind::Write => "--allow-write",
            Kind::Env => "--allow-env",
            Kind::Run => "--allow-run",
            Kind::Listen => "--allow-listen",
            Kind::Connection => "--allow-connection",
        }
    }

    /// The flag that denies, e.g. `--deny-net`.
    pub fn deny_flag(self) -> &'static str {
        match self {
            Kind::Net => "--deny-net",
            Kind::Read => "--deny-read",
            Kind::Write => "--deny-write",
            Kind::Env => "--deny-env",
            Kind::Run => "--deny-run",
            Kind::Listen => "--deny-listen",
            Kind::Connection => "--deny-connection",
        }
    }

    /// The flag that lets the guest itself, e.g. `--wasi-net`; none for [`Kind::Run`], [`Kind::Listen`] and
    /// [`Kind::Connection`], which are no flags of WASI's.
    pub fn wasi_flag(self) -> Option<&'static str> {
        match self {
            Kind::Net => Some("--wasi-net"),
            Kind::Read => Some("--wasi-read"),
            Kind::Write => Some("--wasi-write"),
            Kind::Env => Some("--wasi-env"),
            Kind::Run | Kind::Listen | Kind::Connection => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that must be granted before something can be done.
///
/// Displays as the noun of a refusal, e.g. `read access to "/etc/hosts"`, with control characters escaped.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Need {
    /// A connection to this endpoint.
    Net(Endpoint),
    /// Reading this absolute path: the file, or the folder and everything beneath it.
    Read(PathBuf),
    /// Writing this absolute path: the file, or the folder and everything beneath it.
    Write(PathBuf),
    /// The value of this environment variable.
    Env(String),
    /// Starting this program: a name to look up over `PATH`, or an absolute path.
    Run(String),
    /// Accepting connections at this address; port 0 is one that the system chooses.
    Listen(SocketAddr),
    /// The use of this connection of the registry.
    Connection(String),
}

impl Need {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Need::Net(_) => Kind::Net,
            Need::Read(_) => Kind::Read,
            Need::Write(_) => Kind::Write,
            Need::Env(_) => Kind::Env,
            Need::Run(_) => Kind::Run,
            Need::Listen(_) => Kind::Listen,
            Need::Connection(_) => Kind::Connection,
        }
    }

    /// The smallest flag that grants it, ready for a shell: `--allow-net=10.0.0.1:6443`, or
    /// `'--allow-read=/tmp/my config'` where a character would mean something to the shell.
    pub fn flag(&self) -> String {
        self.flag_of(self.kind().flag())
    }

    pub(crate) fn flag_of(&self, flag: &str) -> String {
        match self {
            Need::Net(endpoint) => quote::flag(flag, OsStr::new(&endpoint.to_string())),
            Need::Read(path) | Need::Write(path) => quote::flag(flag, path.as_os_str()),
            Need::Listen(address) => quote::flag(flag, OsStr::new(&listen::value(*address))),
            Need::Env(name) | Need::Run(name) | Need::Connection(name) => quote::flag(flag, OsStr::new(name)),
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Net(endpoint) => write!(f, "network access to \"{endpoint}\""),
            Need::Read(path) => write!(f, "read access to {path:?}"),
            Need::Write(path) => write!(f, "write access to {path:?}"),
            Need::Env(name) => write!(f, "access to environment variable {name:?}"),
            Need::Run(program) => write!(f, "access to run {program:?}"),
            Need::Listen(address) => write!(f, "access to listen on \"{}\"", listen::value(*address)),
            Need::Connection(name) => write!(f, "access to connection {name:?}"),
        }
    }
}
