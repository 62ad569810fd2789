use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::Duration;

use tidegate_authority::Authority;
use tidegate_grants::connection_name;
use tidegate_transport::{Error, Options, Transport};
use tokio::time::Instant;

use crate::configuration::{Configuration, Origin};
use crate::definition::{Definition, KubeConfig, ServiceAccount};
use crate::error::RegisterError;
use crate::shared::Shared;
use crate::view::View;

/// How long a transport that no guest holds is kept, with its credential and its idle sockets.
const KEPT: Duration = Duration::from_secs(300);
/// How often the kept ones are looked through, at most.
const SWEEP: Duration = Duration::from_secs(30);

/// Every connection of a process, by name. Clones share it; any thread may use it.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    base: Options,
    file: Option<PathBuf>,
    connections: RwLock<BTreeMap<Arc<str>, Arc<Connection>>>,
    opened: Mutex<Opened>,
}

/// The connections that have transports: the only ones that cost more than their definition.
#[derive(Default)]
struct Opened {
    connections: Vec<Weak<Connection>>,
    swept: Option<Instant>,
}

/// One connection: idle until it is opened through a [`View`].
pub struct Connection {
    name: Arc<str>,
    definition: Definition,
    origin: Origin,
    /// One for each set of bounds that it was opened under; nearly always one.
    shared: Mutex<Vec<Arc<Shared>>>,
}

impl Registry {
    /// An empty registry. `base` holds what is common to all of its connections: the user agent, the observer, deadlines. Nothing of
    /// its kubeconfig is used.
    pub fn new(base: Options) -> Self {
        Self::made(base, None)
    }

    /// A registry with the connections of a configuration.
    pub fn of(configuration: &Configuration, base: Options) -> Self {
        let registry = Self::made(base, configuration.file().map(Path::to_owned));
        for (name, definition, origin) in configuration.connections() {
            let connection = Connection::new(name, definition.clone(), origin);
            registry.write().insert(connection.name.clone(), connection);
        }
        registry
    }

    /// The connection of that name, whoever defined it.
    pub fn lookup(&self, name: &str) -> Option<Arc<Connection>> {
        self.read().get(name).cloned()
    }

    /// Every connection, sorted by name.
    pub fn list(&self) -> Vec<Arc<Connection>> {
        self.read().values().cloned().collect()
    }

    /// The file that its configuration was read from, if there was one. No guest is to read it.
    pub fn configuration_file(&self) -> Option<&Path> {
        self.0.file.as_deref()
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.read().is_empty()
    }

    /// Adds a connection at run time; guests that run already see it where their grants cover its name. Nothing is opened or read.
    ///
    /// Errors: a name that no connection can have, or that another one has; a path that is not absolute.
    pub fn register(&self, name: &str, definition: Definition) -> Result<(), RegisterError> {
        connection_name(name).map_err(RegisterError::Name)?;
        let path = match &definition {
            Definition::KubeConfig(KubeConfig { path, .. }) => Some(path),
            Definition::ServiceAccount(ServiceAccount { folder, .. }) => folder.as_ref(),
            Definition::Direct(_) => None,
        };
        if let Some(path) = path.filter(|path| !path.is_absolute()) {
            return Err(RegisterError::Relative(path.clone()));
        }
        let mut connections = self.write();
        if connections.contains_key(name) {
            return Err(RegisterError::Exists(name.to_owned()));
        }
        let connection = Connection::new(name, definition, Origin::Code);
        connections.insert(connection.name.clone(), connection);
        Ok(())
    }

    /// Removes a connection, and says whether it was there. What guests opened of it answers `closed` from then on; requests in
    /// flight end by themselves.
    pub fn unregister(&self, name: &str) -> bool {
        let Some(connection) = self.write().remove(name) else { return false };
        for shared in connection.shared().drain(..) {
            shared.close();
        }
        true
    }

    /// What one guest sees: the names that `guest`'s grants cover. `own` is what connections use: everything but what is denied.
    pub fn narrowed(&self, guest: Authority, own: Authority) -> View {
        View::new(self.clone(), guest, own)
    }

    /// A transport of a connection, shared with everybody who opens it under the same bounds.
    pub(crate) async fn open(
        &self,
        connection: &Arc<Connection>,
        authority: &Authority,
    ) -> Result<Arc<dyn Transport>, Error> {
        self.sweep(authority.clock().now());
        let shared = connection.shared_under(authority, &self.0.base);
        let opened = shared.open().await;
        if opened.is_ok() {
            self.remember(connection);
        }
        opened
    }

    fn made(base: Options, file: Option<PathBuf>) -> Self {
        Self(Arc::new(Inner { base, file, connections: RwLock::default(), opened: Mutex::default() }))
    }

    fn remember(&self, connection: &Arc<Connection>) {
        let mut opened = self.opened();
        let own = Arc::downgrade(connection);
        if !opened.connections.iter().any(|other| other.ptr_eq(&own)) {
            opened.connections.push(own);
        }
    }

    /// Lets go of transports that nobody has held for a while.
    fn sweep(&self, now: Instant) {
        let mut opened = self.opened();
        if opened.swept.is_some_and(|swept| now < swept + SWEEP) {
            return;
        }
        opened.swept = Some(now);
        opened.connections.retain(|connection| {
            let Some(connection) = connection.upgrade() else { return false };
            let mut shared = connection.shared();
            shared.retain(|shared| !shared.is_idle_since(now, KEPT));
            !shared.is_empty()
        });
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Arc<str>, Arc<Connection>>> {
        self.0.connections.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Arc<str>, Arc<Connection>>> {
        self.0.connections.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened(&self) -> MutexGuard<'_, Opened> {
        self.0.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is made from.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Who defined it.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    fn new(name: &str, definition: Definition, origin: Origin) -> Arc<Self> {
        Arc::new(Self { name: name.into(), definition, origin, shared: Mutex::default() })
    }

    fn shared_under(&self, authority: &Authority, base: &Options) -> Arc<Shared> {
        let mut shared = self.shared();
        if let Some(found) = shared.iter().find(|shared| shared.is_under(authority)) {
            return found.clone();
        }
        let (name, definition) = (self.name.clone(), self.definition.clone());
        let new = Arc::new(Shared::new(name, authority.clone(), definition, base.clone()));
        shared.push(new.clone());
        new
    }

    fn shared(&self) -> MutexGuard<'_, Vec<Arc<Shared>>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("connections", &self.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("name", &self.name)
            .field("definition", &self.definition)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
