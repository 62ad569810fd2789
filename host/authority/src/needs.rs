//! One round of needs, and what came of it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_grants::{Endpoint, Need, normalise};

use crate::authority::Inner;
use crate::environment::EnvGrant;
use crate::file::ReadGrant;
use crate::net::{ListenGrant, NetGrant};
use crate::process::RunGrant;

/// What one round of a plan needs: all of the required, and those of the optional that happen to be granted.
///
/// Paths must be absolute; they are normalised here as flags' paths are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    required: Vec<Need>,
    optional: Vec<Need>,
}

impl Needs {
    /// Nothing is needed.
    pub fn new() -> Self {
        Self::default()
    }

    /// A connection is required.
    pub fn net(self, endpoint: Endpoint) -> Self {
        self.require(Need::Net(endpoint))
    }

    /// Reading this file, or folder and what is beneath it, is required.
    pub fn read(self, path: impl Into<PathBuf>) -> Self {
        self.require(Need::Read(path.into()))
    }

    /// The value of this variable is required.
    pub fn env(self, name: impl Into<String>) -> Self {
        self.require(Need::Env(name.into()))
    }

    /// Starting this program, a name or an absolute path, is required.
    pub fn run(self, program: impl Into<String>) -> Self {
        self.require(Need::Run(program.into()))
    }

    /// Accepting connections at this address is required.
    pub fn listen(self, address: SocketAddr) -> Self {
        self.require(Need::Listen(address))
    }

    /// A connection would be used if granted.
    pub fn optional_net(self, endpoint: Endpoint) -> Self {
        self.optional(Need::Net(endpoint))
    }

    /// Reading this path would be used if granted.
    pub fn optional_read(self, path: impl Into<PathBuf>) -> Self {
        self.optional(Need::Read(path.into()))
    }

    /// The value of this variable would be used if granted.
    pub fn optional_env(self, name: impl Into<String>) -> Self {
        self.optional(Need::Env(name.into()))
    }

    /// Starting this program would be used if granted.
    pub fn optional_run(self, program: impl Into<String>) -> Self {
        self.optional(Need::Run(program.into()))
    }

    /// Adds a required need.
    pub fn require(mut self, need: Need) -> Self {
        push(&mut self.required, need);
        self
    }

    /// Adds an optional need.
    pub fn optional(mut self, need: Need) -> Self {
        push(&mut self.optional, need);
        self
    }

    /// The required needs, in the order in which they were added, each once.
    pub fn required(&self) -> &[Need] {
        &self.required
    }

    /// The optional needs, in the order in which they were added, each once.
    pub fn optional_needs(&self) -> &[Need] {
        &self.optional
    }

    /// Whether nothing is needed at all.
    pub fn is_empty(&self) -> bool {
        self.required.is_empty() && self.optional.is_empty()
    }
}

/// What [`Authority::approve`](crate::Authority::approve) granted: the one source of grants that can be acted on.
///
/// Each method answers none where that need was no part of the round, or was optional and is not granted.
#[derive(Clone)]
pub struct Approved {
    authority: Arc<Inner>,
    granted: Arc<[Need]>,
}

impl Approved {
    /// The grant to connect to this endpoint.
    pub fn net(&self, endpoint: &Endpoint) -> Option<NetGrant> {
        let holds = self.holds(&Need::Net(endpoint.clone()));
        holds.then(|| NetGrant::new(self.authority.clone(), endpoint.clone()))
    }

    /// The grant to read this file or folder.
    pub fn read(&self, path: &Path) -> Option<ReadGrant> {
        let path = normalise(path)?;
        let holds = self.holds(&Need::Read(path.clone()));
        holds.then(|| ReadGrant::new(self.authority.clone(), path))
    }

    /// The grant to see this variable.
    pub fn env(&self, name: &str) -> Option<EnvGrant> {
        let holds = self.holds(&Need::Env(name.to_owned()));
        holds.then(|| EnvGrant::new(self.authority.clone(), name.to_owned()))
    }

    /// The grant to start this program.
    pub fn run(&self, program: &str) -> Option<RunGrant> {
        let holds = self.holds(&Need::Run(program.to_owned()));
        holds.then(|| RunGrant::new(self.authority.clone(), program.to_owned()))
    }

    /// The grant to accept connections at this address.
    pub fn listen(&self, address: SocketAddr) -> Option<ListenGrant> {
        let holds = self.holds(&Need::Listen(address));
        holds.then(|| ListenGrant::new(self.authority.clone(), address))
    }

    pub(crate) fn new(authority: Arc<Inner>, granted: Vec<Need>) -> Self {
        Self { authority, granted: granted.into() }
    }

    fn holds(&self, need: &Need) -> bool {
        self.granted.contains(need)
    }
}

impl std::fmt::Debug for Approved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Approved").field(&self.granted).finish()
    }
}

fn push(needs: &mut Vec<Need>, need: Need) {
    let need = match need {
        Need::Read(path) => Need::Read(normalise(&path).unwrap_or(path)),
        Need::Write(path) => Need::Write(normalise(&path).unwrap_or(path)),
        Need::Net(_) | Need::Env(_) | Need::Run(_) | Need::Listen(_) | Need::Connection(_) => need,
    };
    if !needs.contains(&need) {
        needs.push(need);
    }
}
