use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tidegate_transport::{Identity, Transport};

use super::cache::{Discovery, DiscoveryOptions};

/// One catalog for each connection, so that all guests which share a connection share what is known of its server, each with a handle of its
/// own.
///
/// Cheap to clone. No connection is kept alive by it, and what was known of one that is closed is forgotten.
#[derive(Clone, Debug, Default)]
pub struct Discoveries {
    options: DiscoveryOptions,
    of: Arc<Mutex<HashMap<Identity, Known>>>,
}

/// What is known of a connection, and the handle that asked last: an identity means something only while a handle that has it lives. Where
/// it has gone and others have not, the next to ask begins anew.
#[derive(Debug)]
struct Known {
    latest: Weak<dyn Transport>,
    discovery: Discovery,
}

impl Discoveries {
    /// With other options than the defaults.
    pub fn new(options: DiscoveryOptions) -> Discoveries {
        Discoveries { options, of: Arc::default() }
    }

    /// The discovery of this connection, which asks through this handle.
    pub fn of(&self, transport: &Arc<dyn Transport>) -> Discovery {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let identity = transport.identity();
        let known = of.get(&identity).filter(|known| known.latest.strong_count() > 0);
        let discovery = match known {
            Some(known) if known.latest.as_ptr().addr() == Arc::as_ptr(transport).addr() => {
                return known.discovery.clone();
            }
            Some(known) => known.discovery.through(transport),
            None => {
                of.retain(|_, known| known.latest.strong_count() > 0);
                Discovery::new(transport, self.options)
            }
        };
        let latest = Arc::downgrade(transport);
        of.insert(identity, Known { latest, discovery: discovery.clone() });
        discovery
    }
}
