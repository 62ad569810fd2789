use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tidegate_transport::Transport;

use super::cache::{Discovery, DiscoveryOptions};

/// One [`Discovery`] for each connection, so that all guests which share a connection share what is known of its server.
///
/// Cheap to clone. No connection is kept alive by it, and what was known of one that is closed is forgotten.
#[derive(Clone, Debug, Default)]
pub struct Discoveries {
    options: DiscoveryOptions,
    of: Arc<Mutex<ByAddress>>,
}

/// By the address of a connection that the weak pointer keeps from being used again.
type ByAddress = HashMap<usize, (Weak<dyn Transport>, Discovery)>;

impl Discoveries {
    /// With other options than the defaults.
    pub fn new(options: DiscoveryOptions) -> Discoveries {
        Discoveries { options, of: Arc::default() }
    }

    /// The discovery of this connection.
    pub fn of(&self, transport: &Arc<dyn Transport>) -> Discovery {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let address = Arc::as_ptr(transport).cast::<()>() as usize;
        if let Some((_, discovery)) = of.get(&address) {
            return discovery.clone();
        }
        of.retain(|_, (transport, _)| transport.strong_count() > 0);
        let discovery = Discovery::new(transport, self.options);
        of.insert(address, (Arc::downgrade(transport), discovery.clone()));
        discovery
    }
}
