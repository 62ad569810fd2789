//! The host's own authority.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::file::canonicalise;
use crate::host::cache::{CacheError, CacheFolder};
use crate::host::component::{ComponentError, ComponentFile};
use crate::host::config::{self, ConfigError};
use crate::host::listen::{ListenError, Listener};
use crate::process::Command;

/// What tidegate does for itself: read the component and its configuration, keep its cache, start its compiler, listen on loopback, see its
/// environment.
///
/// No grant bounds it and no plan can reach it: nothing in [`Authority`](crate::Authority) or below holds one. It is made in
/// the `tidegate` library and the programs around it.
#[derive(Clone)]
pub struct HostAuthority {
    environment: Environment,
}

impl HostAuthority {
    /// The authority of this process. Keeps a copy of the environment, from when it is first asked for.
    pub fn from_ambient() -> Self {
        Self { environment: Environment::of_process() }
    }

    /// A variable of the environment; none where it is not set.
    pub fn env(&self, name: impl AsRef<OsStr>) -> Option<OsString> {
        self.environment.get(name.as_ref()).map(OsStr::to_owned)
    }

    /// The variables whose names begin with `prefix`, in the order of their names; names and values need not be UTF-8.
    pub fn env_beginning_with(&self, prefix: &str) -> Vec<(OsString, OsString)> {
        let owned = |(name, value): (&OsStr, &OsStr)| (name.to_owned(), value.to_owned());
        self.environment.beginning_with(prefix).map(owned).collect()
    }

    /// The working folder, for relative paths on the command line.
    pub fn working_folder(&self) -> io::Result<PathBuf> {
        std::env::current_dir()
    }

    /// The running executable, to find those that ship beside it.
    pub fn executable(&self) -> io::Result<PathBuf> {
        std::env::current_exe()
    }

    /// Where a path really leads: of what does not exist, as far as it does. For paths that a guest must not reach.
    pub fn canonical(&self, path: &Path) -> Option<PathBuf> {
        canonicalise(path)
    }

    /// Reads a configuration file, following links; none where there is no such file. Errors: it is no regular file, larger than
    /// 1 MiB, or somebody else than this user and root could change it. See [`ConfigError`].
    pub fn read_config(&self, path: &Path) -> Result<Option<Vec<u8>>, ConfigError> {
        config::read(path)
    }

    /// `$XDG_CONFIG_HOME/tidegate`, else `$HOME/.config/tidegate`; none without either, or where they are relative.
    pub fn user_config(&self) -> Option<PathBuf> {
        let absolute = |name: &str| self.env(name).map(PathBuf::from).filter(|path| path.is_absolute());
        absolute("XDG_CONFIG_HOME")
            .or_else(|| Some(absolute("HOME")?.join(".config")))
            .map(|path| path.join("tidegate"))
    }

    /// Reads a component, following links. Errors: no regular file, or larger than 512 MiB.
    pub fn read_component(&self, path: &Path) -> Result<Vec<u8>, ComponentError> {
        self.component(path)?.bytes()
    }

    /// Opens a component, following links. Errors: no regular file.
    pub fn component(&self, path: &Path) -> Result<ComponentFile, ComponentError> {
        ComponentFile::open(path)
    }

    /// `$XDG_CACHE_HOME/tidegate`, else `$HOME/.cache/tidegate`; none without either, or where they are relative.
    pub fn user_cache(&self) -> Option<PathBuf> {
        let absolute = |name: &str| self.env(name).map(PathBuf::from).filter(|path| path.is_absolute());
        absolute("XDG_CACHE_HOME")
            .or_else(|| Some(absolute("HOME")?.join(".cache")))
            .map(|path| path.join("tidegate"))
    }

    /// Opens a cache folder, making it where it is missing. Errors: see [`CacheError`].
    pub fn cache(&self, folder: &Path) -> Result<CacheFolder, CacheError> {
        CacheFolder::open(folder)
    }

    /// A command for an executable of ours, by its absolute path.
    pub fn command(&self, program: &Path) -> Command {
        Command::new(program, self.environment.clone())
    }

    /// Replaces this process by another program, which keeps its streams, environment and process id; returns only where that did
    /// not work.
    #[cfg(unix)]
    pub fn become_program<S: AsRef<OsStr>>(
        &self,
        program: &Path,
        arguments: impl IntoIterator<Item = S>,
    ) -> io::Error {
        use std::os::unix::process::CommandExt as _;
        std::process::Command::new(program).args(arguments).exec()
    }

    /// A copy of the environment.
    pub(crate) fn environment(&self) -> Environment {
        self.environment.clone()
    }

    /// Listens for TCP connections on a loopback address; port 0 chooses a free one. Errors: any other address.
    pub async fn listen(&self, address: SocketAddr) -> Result<Listener, ListenError> {
        Listener::bind(address).await
    }
}

impl fmt::Debug for HostAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostAuthority").finish_non_exhaustive()
    }
}
