use std::fmt;
use std::sync::Arc;

use tidegate_authority::{Authority, Needs};
use tidegate_grants::{Need, connection_name};
use tidegate_transport::{Code, Error, Transport};

use crate::registry::{Connection, Registry};

/// The connections that one guest may use: those whose names its grants cover, also those that are registered later. Cheap to clone.
///
/// A name that is not granted and one that does not exist look the same here.
#[derive(Clone)]
pub struct View {
    registry: Registry,
    guest: Authority,
    own: Authority,
}

impl View {
    /// The names that there are and that are granted, sorted.
    pub fn names(&self) -> Vec<String> {
        self.connections().iter().map(|connection| connection.name().to_owned()).collect()
    }

    /// The connections that are granted, sorted by name.
    pub fn connections(&self) -> Vec<Arc<Connection>> {
        let mut all = self.registry.list();
        all.retain(|connection| self.grants(connection.name()));
        all
    }

    /// A transport that answers, shared with every other guest that opened the connection under the same denials.
    ///
    /// Errors: [`Code::PermissionDenied`] with the flag to add, whether there is such a connection or not; [`Code::InvalidRequest`] for
    /// what cannot be a name; [`Code::NotConfigured`] where the name is granted and there is none; and whatever came of connecting.
    pub async fn open(&self, name: &str) -> Result<Arc<dyn Transport>, Error> {
        if let Err(invalid) = connection_name(name) {
            return Err(Error::new(Code::InvalidRequest, invalid.to_string()));
        }
        self.guest.approve(&Needs::new().require(Need::Connection(name.to_owned())))?;
        match self.registry.lookup(name) {
            Some(connection) => self.registry.open(&connection, &self.own).await,
            None => Err(Error::new(Code::NotConfigured, format!("there is no connection {name:?}"))),
        }
    }

    pub(crate) fn new(registry: Registry, guest: Authority, own: Authority) -> Self {
        Self { registry, guest, own }
    }

    fn grants(&self, name: &str) -> bool {
        self.guest.query(&Need::Connection(name.to_owned())).is_granted()
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("registry", &self.registry).finish_non_exhaustive()
    }
}
